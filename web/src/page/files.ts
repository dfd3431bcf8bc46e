/** What a user takes home: depth as a 16-bit PNG, the point cloud as PLY. */

import type { DepthMap } from "../fastdepth";

/** Offer a file for download. */
export function download(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Depth as a grey PNG of 16 bits [mm]; 0 where it is none, 65535 beyond 65.5 m. */
export async function depthPng({ height, width, data }: DepthMap): Promise<Blob> {
  const row = 1 + 2 * width; // a byte before each row names its filter
  const raw = new Uint8Array(row * height);
  const view = new DataView(raw.buffer);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const metres = data[y * width + x]!;
      const millimetres = metres > 0 ? Math.min(Math.round(metres * 1000), 65535) : 0;
      view.setUint16(y * row + 1 + 2 * x, millimetres);
    }
  }
  const header = new Uint8Array(13);
  const sizes = new DataView(header.buffer);
  sizes.setUint32(0, width);
  sizes.setUint32(4, height);
  header.set([16, 0, 0, 0, 0], 8); // 16 bits, grey, no interlacing
  const signature = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
  const packed = await deflated(raw);
  const parts = [signature, chunk("IHDR", header), chunk("IDAT", packed), chunk("IEND", new Uint8Array())];
  return new Blob(parts, { type: "image/png" });
}

async function deflated(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function chunk(name: string, content: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(12 + content.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  bytes.set(new TextEncoder().encode(name), 4);
  bytes.set(content, 8);
  view.setUint32(8 + content.length, crc(bytes.subarray(4, 8 + content.length)));
  return bytes;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) value = CRC_TABLE[(value ^ byte) & 255]! ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

/** Coloured points in front of the camera: x right, y down, z forward [m]. */
export interface Cloud {
  readonly positions: Float32Array;
  /** RGB, 0 to 255. */
  readonly colours: Uint8Array;
}

/**
 * Where each pixel of an image lies in space.
 *
 * @param pixels of the image, RGBA, of the depth's size.
 * @param focal focal length of the camera [px].
 * @param every n-th pixel along both sides is taken.
 */
export function cloudOf(depth: DepthMap, pixels: Uint8ClampedArray, focal: number, every = 1): Cloud {
  const { height, width, data } = depth;
  const most = Math.ceil(height / every) * Math.ceil(width / every);
  const positions = new Float32Array(3 * most);
  const colours = new Uint8Array(3 * most);
  let to = 0;
  for (let y = 0; y < height; y += every) {
    for (let x = 0; x < width; x += every) {
      const z = data[y * width + x]!;
      if (!(z > 0 && z < Infinity)) continue;
      const across = (x - (width - 1) / 2) / focal;
      const down = (y - (height - 1) / 2) / focal;
      positions.set([z * across, z * down, z], to);
      const from = 4 * (y * width + x);
      colours.set(pixels.subarray(from, from + 3), to);
      to += 3;
    }
  }
  return { positions: positions.subarray(0, to), colours: colours.subarray(0, to) };
}

/** A cloud as binary PLY, as `fastdepth-predict --ply` writes it. */
export function plyOf({ positions, colours }: Cloud): Blob {
  const count = positions.length / 3;
  const header = [
    "ply",
    "format binary_little_endian 1.0",
    "comment metres; x right, y down, z forward",
    `element vertex ${count}`,
    ...["x", "y", "z"].map((name) => `property float ${name}`),
    ...["red", "green", "blue"].map((name) => `property uchar ${name}`),
    "end_header\n",
  ].join("\n");
  const body = new DataView(new ArrayBuffer(15 * count));
  for (let i = 0; i < count; i++) {
    for (let axis = 0; axis < 3; axis++) {
      body.setFloat32(15 * i + 4 * axis, positions[3 * i + axis]!, true);
      body.setUint8(15 * i + 12 + axis, colours[3 * i + axis]!);
    }
  }
  return new Blob([header, body.buffer], { type: "application/octet-stream" });
}
