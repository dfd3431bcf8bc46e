/** Anchored depth: a network's depth, corrected by a few distances; `fastdepth/anchors/field.py`. */

import type { DepthMap, RgbImage } from "./arrays";
import { type AnchorPrior, DEFAULT_PRIOR, NEAREST, covariance, features } from "./covariance";
import { Grid } from "./grid";
import { inverse, plusDiagonal, times } from "./linear";
import { type DistancePoint, observe, weigh } from "./observe";

/**
 * Depth that knows some distances, in a new array.
 *
 * @param depth predicted.
 * @param points in pixels of `depth`; a RangeError says which cannot be.
 * @param image that the depth is of; null does without its colours.
 * @param prior of the network; null takes the default.
 */
export function anchored(
  depth: DepthMap,
  points: readonly DistancePoint[],
  image: RgbImage | null,
  prior: AnchorPrior | null = null,
): DepthMap {
  if (!points.length) return { ...depth, data: depth.data.slice() };
  const known = prior ?? DEFAULT_PRIOR;
  const grid = new Grid({ height: depth.height, width: depth.width });
  const colours = grid.colours(image);
  const seen = observe(depth, points, colours, grid, known);
  const own = covariance(seen.features, seen.features, known);
  const noise = weigh(own, seen);
  const weights = times(inverse(plusDiagonal(own, noise), points.length), seen.error);
  const logs = Float64Array.from(grid.mean(depth), (value) => Math.log(Math.max(value, NEAREST)));
  const nodes = features(grid.places(), logs, colours, known);
  const factors = times(covariance(nodes, seen.features, known), weights).map(Math.exp);
  const wanted = times(own, weights).map(Math.exp);
  const large = grid.spread(grid.bend(factors, seen.place, wanted));
  return { ...depth, data: large.data.map((factor, i) => factor * depth.data[i]!) };
}
