/** The worker: holds the model and does all that takes longer than a frame of the screen. */

import {
  DepthModel,
  type DistancePoint,
  type Engine,
  type DepthMap,
  type RgbImage,
  type Size,
  anchored,
  engines,
  reasonOf,
  rgbOf,
} from "./fastdepth";
import type { Answered, Benched, Opened, Reply, Request } from "./protocol";

const MODEL = "model.onnx";

let model: DepthModel | null = null;

/** Why there is no model. */
let missing = "";
let kept: { image: RgbImage; depth: DepthMap; focal: number } | null = null;

async function open(wanted: Engine | null): Promise<Opened> {
  const found = await engines();
  const bytes = await loaded();
  await model?.close();
  model = null;
  const usable = wanted ? [wanted] : found;
  for (const [number, engine] of usable.entries()) {
    try {
      model = await DepthModel.open(bytes, engine);
      break;
    } catch (error) {
      if (number === usable.length - 1) throw error;
    }
  }
  const { metadata, engine } = opened();
  return { metadata, engine, engines: found };
}

async function loaded(): Promise<Uint8Array> {
  let response: Response;
  try {
    response = await fetch(MODEL);
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
  } catch {
    throw new Error(`${MODEL} does not arrive: is the server there? Then load the page again.`);
  }
  throw new Error(
    response.status === 404
      ? `${MODEL} is missing beside this page; export it again.`
      : `${MODEL} is not given out: the server answers ${response.status}.`,
  );
}

function opened(): DepthModel {
  if (!model) throw new Error(missing);
  return model;
}

function pixelsOf(bitmap: ImageBitmap): RgbImage {
  const { height, width } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("This browser has no memory for an image of this size.");
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return rgbOf(context.getImageData(0, 0, width, height));
}

async function still(bitmap: ImageBitmap, size: Size | null): Promise<Answered> {
  const image = pixelsOf(bitmap);
  const started = performance.now();
  const depth = await opened().depth(image, size);
  const milliseconds = performance.now() - started;
  const focal = opened().focal(image, size);
  kept = { image, depth, focal };
  return { depth: { ...depth, data: depth.data.slice() }, focal, milliseconds };
}

async function frame(bitmap: ImageBitmap, size: Size | null): Promise<Answered> {
  const started = performance.now();
  const image = pixelsOf(bitmap);
  const depth = await opened().depth(image, size, true);
  const focal = opened().focal(image, size);
  return { depth, focal, milliseconds: performance.now() - started };
}

function anchor(points: readonly DistancePoint[]): Answered {
  if (!kept) throw new Error("There is no image to set points in.");
  const started = performance.now();
  const depth = anchored(kept.depth, points, kept.image, opened().metadata.anchorPrior);
  return { depth, focal: kept.focal, milliseconds: performance.now() - started };
}

async function bench(wanted: Size | null, seconds: number): Promise<Benched> {
  const size = wanted ?? opened().metadata.sizes[0]!;
  const image = noise(size);
  await opened().depth(image, size);
  const [whole, network]: [number[], number[]] = [[], []];
  const started = performance.now();
  for (let before = started; before < started + 1000 * seconds; ) {
    const prepared = opened().preprocess(image, size);
    const middle = performance.now();
    await opened().infer(prepared.batch);
    const after = performance.now();
    network.push(after - middle);
    whole.push(after - before);
    before = after;
  }
  return { frames: whole.length, median: median(whole), network: median(network), size };
}

/** An image twice as large as the network's input, as cameras give them. */
function noise(size: Size): RgbImage {
  const [height, width] = [2 * size.height, 2 * size.width];
  let state = 1;
  const data = Uint8Array.from({ length: height * width * 3 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
  return { height, width, channels: 3, data };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

function answer(request: Request): unknown {
  switch (request.kind) {
    case "open":
      return open(request.engine).catch((error: unknown) => {
        missing = reasonOf(error);
        throw error;
      });
    case "still":
      return still(request.bitmap, request.size);
    case "frame":
      return frame(request.bitmap, request.size);
    case "anchor":
      return anchor(request.points);
    case "bench":
      return bench(request.size, request.seconds);
  }
}

/** One after the other, in the order in which they came. */
let turn: Promise<unknown> = Promise.resolve();

self.addEventListener("message", ({ data }: MessageEvent<Request & { number: number }>) => {
  turn = turn.then(async () => {
    let reply: Reply;
    let moved: Transferable[] = [];
    try {
      const found = await answer(data);
      if (found && typeof found === "object" && "depth" in found) {
        moved = [(found as Answered).depth.data.buffer];
      }
      reply = { number: data.number, answer: found };
    } catch (error) {
      reply = { number: data.number, problem: reasonOf(error) };
    }
    self.postMessage(reply, { transfer: moved });
  });
});
