/**
 * An image in the network's input, and depth back at the image: the steps before and after the
 * network, as `fastdepth/runtime/model.py` has them.
 */

import { type DepthMap, type RgbImage, type Size, roundEven, same } from "./arrays";
import { resize } from "./resize";

/** An image as the network takes it, and what must be undone afterwards. */
export interface Prepared {
  /** (h, w, 3) at the network's size. */
  readonly batch: RgbImage;
  /** Size of the image as it was given. */
  readonly size: Size;
  /** Where the image lies in the batch; the rest repeats its outermost pixels. */
  readonly top: number;
  readonly left: number;
  readonly inner: Size;
}

/** Pixels of a network's input per pixel of an image that is fitted into it. */
export function scaleOf(image: Size, outer: Size): number {
  return Math.min(outer.height / image.height, outer.width / image.width);
}

/** Of the network's inputs that with the least padding; the first of equal ones. */
export function sizeFor(image: Size, sizes: readonly Size[]): Size {
  const filled = sizes.map((size) => {
    const share = scaleOf(image, size) ** 2 * image.height * image.width;
    return Math.round((share / (size.height * size.width)) * 1e6);
  });
  return sizes[filled.indexOf(Math.max(...filled))]!;
}

/** Scale an image until it fits into the network's input; its outermost pixels fill the rest. */
export function preprocess(image: RgbImage, outer: Size): Prepared {
  const scale = scaleOf(image, outer);
  const side = (length: number): number => Math.max(1, roundEven(length * scale));
  const inner = { height: side(image.height), width: side(image.width) };
  const top = Math.floor((outer.height - inner.height) / 2);
  const left = Math.floor((outer.width - inner.width) / 2);
  const scaled = resize(image, inner);
  const batch = same(inner, outer) ? scaled : padded(scaled, outer, top, left);
  return { batch, size: { height: image.height, width: image.width }, top, left, inner };
}

function padded(image: RgbImage, outer: Size, top: number, left: number): RgbImage {
  const data = new Uint8Array(outer.height * outer.width * 3);
  for (let y = 0; y < outer.height; y++) {
    const row = Math.min(Math.max(y - top, 0), image.height - 1) * image.width;
    for (let x = 0; x < outer.width; x++) {
      const from = 3 * (row + Math.min(Math.max(x - left, 0), image.width - 1));
      data.set(image.data.subarray(from, from + 3), 3 * (y * outer.width + x));
    }
  }
  return { ...outer, channels: 3, data };
}

/** Depth of the image without its padding, at the network's scale. */
export function cropped(depth: DepthMap, prepared: Prepared): DepthMap {
  const { top, left, inner } = prepared;
  if (same(inner, depth)) return depth;
  const data = new Float32Array(inner.height * inner.width);
  for (let y = 0; y < inner.height; y++) {
    const start = (y + top) * depth.width + left;
    data.set(depth.data.subarray(start, start + inner.width), y * inner.width);
  }
  return { ...inner, channels: 1, data };
}

/** Depth at the image's own size. */
export function postprocess(depth: DepthMap, prepared: Prepared): DepthMap {
  return resize(cropped(depth, prepared), prepared.size);
}

/** Focal length [px in the image] at which metres of an image are right as they are. */
export function trainingFocal(
  image: Size,
  outer: Size,
  camera: { readonly focal: number; readonly width: number },
): number {
  return ((camera.focal / camera.width) * outer.width) / scaleOf(image, outer);
}
