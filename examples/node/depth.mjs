// Depth of an image file: see README.md.
//
//     node depth.mjs PAGE IMAGE.png DEPTH.png [--focal PX]

import { readFile, rename, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

import jpeg from "jpeg-js";
import * as ort from "onnxruntime-node";
import { PNG } from "pngjs";

/** An image file as RGB bytes. */
async function readImage(path) {
  const bytes = await readFile(path);
  const { height, width, data, exifBuffer } = decode(bytes, path);
  const turn = orientationOf(exifBuffer);
  const upright = turn < 5 ? { height, width } : { height: width, width: height };
  const rgb = new Uint8Array(height * width * 3);
  for (let y = 0, to = 0; y < upright.height; y++) {
    for (let x = 0; x < upright.width; x++, to += 3) {
      const [row, column] = TURNS[turn](y, x, height - 1, width - 1);
      const from = 4 * (row * width + column);
      rgb.set(data.subarray(from, from + 3), to);
    }
  }
  return { ...upright, channels: 3, data: rgb };
}

/** What a file of either kind holds. */
function decode(bytes, path) {
  const isJpeg = bytes[0] === 0xff && bytes[1] === 0xd8;
  try {
    return isJpeg ? jpeg.decode(bytes) : PNG.sync.read(bytes);
  } catch (error) {
    throw new Error(`${path} cannot be read as PNG or JPEG (${error.message}): give another image`);
  }
}

/** Where a pixel of the upright image lies in the file, by EXIF's orientation. */
const TURNS = {
  1: (y, x) => [y, x],
  2: (y, x, bottom, right) => [y, right - x],
  3: (y, x, bottom, right) => [bottom - y, right - x],
  4: (y, x, bottom) => [bottom - y, x],
  5: (y, x) => [x, y],
  6: (y, x, bottom) => [bottom - x, y],
  7: (y, x, bottom, right) => [bottom - x, right - y],
  8: (y, x, bottom, right) => [x, right - y],
};

/** EXIF's orientation, 1 to 8; 1 where there is none. */
function orientationOf(exif) {
  const whole = Buffer.from(exif ?? []);
  const start = ["II*\0", "MM\0*"].map((magic) => whole.indexOf(magic)).find((at) => at >= 0);
  if (start === undefined) return 1;
  const tiff = whole.subarray(start);
  const number = (at, bytes) =>
    at + bytes > tiff.length ? 0 : tiff[0] === 0x49 ? tiff.readUIntLE(at, bytes) : tiff.readUIntBE(at, bytes);
  const first = number(4, 4);
  for (let at = first + 2; at < first + 2 + 12 * number(first, 2); at += 12) {
    if (number(at, 2) === 0x0112) return number(at + 8, 2) in TURNS ? number(at + 8, 2) : 1;
  }
  return 1;
}

/** Depth (height, width) [m] of an image at its own size. */
export async function depthOf(image, bytes, session, fastdepth, focal = null) {
  const metadata = fastdepth.readMetadata(bytes);
  const outer = fastdepth.sizeFor(image, metadata.sizes);
  const { batch, top, left, inner } = fastdepth.preprocess(image, outer);
  const input = new ort.Tensor("uint8", batch.data, [1, outer.height, outer.width, 3]);
  const whole = (await session.run({ image: input }, ["depth"])).depth.data;
  if (metadata.correction) fastdepth.correct(whole, metadata.correction);
  const part = new Float32Array(inner.height * inner.width);
  for (let y = 0; y < inner.height; y++) {
    const start = (y + top) * outer.width + left;
    part.set(whole.subarray(start, start + inner.width), y * inner.width);
  }
  const depth = fastdepth.resize({ ...inner, channels: 1, data: part }, image);
  if (focal === null) return depth;
  // Metres are right as they are for the training camera, seen at the image's own scale.
  const scale = Math.min(outer.height / image.height, outer.width / image.width);
  const trained = ((metadata.camera.focal / metadata.camera.width) * outer.width) / scale;
  return { ...depth, data: depth.data.map((metres) => (metres * focal) / trained) };
}

/** 16-bit PNG in millimetres. */
function toPng({ height, width, data }) {
  const pixels = Buffer.alloc(height * width * 2);
  data.forEach((metres, place) => {
    pixels.writeUInt16BE(Math.min(Math.max(Math.round(metres * 1000), 0), 65535), place * 2);
  });
  const options = { width, height, bitDepth: 16, colorType: 0, inputColorType: 0, inputHasAlpha: false };
  const png = new PNG(options);
  png.data = Buffer.from(new Uint16Array(pixels.swap16().buffer, pixels.byteOffset, height * width).buffer);
  return PNG.sync.write(png, options);
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { focal: { type: "string" } },
  });
  if (positionals.length !== 3) throw new Error("give PAGE IMAGE DEPTH.png; see README.md");
  const [page, image, output] = positionals;
  const focal = values.focal === undefined ? null : Number(values.focal);
  if (focal !== null && !(focal >= 1 && focal <= 1e6)) {
    throw new Error(`--focal ${values.focal}: give 1 to 1,000,000 pixels`);
  }
  const fastdepth = await import(pathToFileURL(join(resolve(page), "fastdepth.js")).href);
  const bytes = new Uint8Array(await readFile(join(page, "model.onnx")));
  const session = await ort.InferenceSession.create(bytes);
  const depth = await depthOf(await readImage(image), bytes, session, fastdepth, focal);
  await writeFile(`${output}.part`, toPng(depth));
  await rename(`${output}.part`, output);
}

main().catch((error) => {
  console.error(`depth: ${String(error.message).split("\n")[0]}`);
  process.exitCode = 2;
});
