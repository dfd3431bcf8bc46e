/**
 * fastdepth in a browser, as a module for pages of one's own:
 *
 *     import { DepthModel, engines, rgbOf } from "./fastdepth.js";
 *     const bytes = new Uint8Array(await (await fetch("model.onnx")).arrayBuffer());
 *     const model = await DepthModel.open(bytes, (await engines())[0]);
 *     const depth = await model.depth(rgbOf(context.getImageData(0, 0, width, height)));
 */

import type { RgbImage } from "./numbers/arrays";

export { ENGINES, type Engine, engineName, engines } from "./model/engine";
export { ModelFileError, type ModelMetadata, readMetadata } from "./model/metadata";
export { DepthModel, SMALLEST_SIDE, reasonOf } from "./model/model";
export type { DepthMap, RgbImage, Size } from "./numbers/arrays";
export { correct } from "./numbers/correction";
export { type AnchorPrior, DEFAULT_PRIOR } from "./numbers/covariance";
export { anchored } from "./numbers/field";
export { preprocess, sizeFor } from "./numbers/fit";
export { type DistancePoint, MOST_POINTS } from "./numbers/observe";
export { resize } from "./numbers/resize";

/** An image as a canvas gives it, without its opacity. */
export function rgbOf({ data, height, width }: ImageData): RgbImage {
  const rgb = new Uint8Array(height * width * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4) {
    rgb[to++] = data[from]!;
    rgb[to++] = data[from + 1]!;
    rgb[to++] = data[from + 2]!;
  }
  return { height, width, channels: 3, data: rgb };
}
