/**
 * What distance points say of a network's error, and how much each of them counts:
 * `fastdepth/anchors/observe.py`, for points without standard deviations, of a pixel each.
 */

import { type DepthMap, clamp, roundEven } from "./arrays";
import { type AnchorPrior, NEAREST, features } from "./covariance";
import type { Grid } from "./grid";
import { inverse, plusDiagonal, times } from "./linear";

/** A distance that a user knows. */
export interface DistancePoint {
  /** [px], the centre of the first pixel is 0. */
  readonly row: number;
  /** [px], the centre of the first pixel is 0. */
  readonly column: number;
  /** Along the optical axis [m]. */
  readonly depth: number;
}

/** Points at most; Python gathers more of them in cells, which nobody types. */
export const MOST_POINTS = 256;

const LEVELS = [0.02, 0.1] as const;
const FLOOR = 0.005;
const OUTLIERS = 0.1;
const OUTLIER_SD = 0.5;
const ROUNDS = 3;
const JUDGES = 32;
const EDGE = 0.3;
const WINDOW = 1 / 71;
const TAPS = 5;
const WRONG_UNIT = 50;

export interface Observations {
  /** (N, 2) row and column [longer sides of the image]. */
  readonly place: Float64Array;
  /** (N, 6) of the pixels. */
  readonly features: Float64Array;
  /** (N) ln of the points' depth less that of the predicted one. */
  readonly error: Float64Array;
  /** (N) standard deviation by edges around them. */
  readonly edge: Float64Array;
}

/** Compare points with predicted depth; throws a RangeError where they cannot be of this image. */
export function observe(
  depth: DepthMap,
  points: readonly DistancePoint[],
  colours: Float64Array,
  grid: Grid,
  prior: AnchorPrior,
): Observations {
  points.forEach((point, number) => check(point, number, depth));
  if (points.length > MOST_POINTS) {
    throw new RangeError(`${points.length} points; give at most ${MOST_POINTS}`);
  }
  const around = points.map((point) => logsAround(depth, point));
  const centre = Float64Array.from(around, (logs) => logs[(TAPS * TAPS - 1) / 2]!);
  const error = Float64Array.from(points, (point, i) => Math.log(point.depth) - centre[i]!);
  if (error.length && median(error) > Math.log(WRONG_UNIT)) {
    const many = Math.exp(median(error)).toPrecision(3);
    throw new RangeError(`points are ${many} times as far as the image; give them in metres`);
  }
  const longer = Math.max(depth.height, depth.width);
  const place = Float64Array.from(points.flatMap(({ row, column }) => [row / longer, column / longer]));
  const colour = Float64Array.from(
    points.flatMap((_, i) => {
      const node = 3 * grid.nearest(place[2 * i]!, place[2 * i + 1]!);
      return [...colours.subarray(node, node + 3)];
    }),
  );
  const edge = Float64Array.from(around, (logs) => EDGE * deviation(logs));
  return { place, features: features(place, centre, colour, prior), error, edge };
}

function check({ row, column, depth }: DistancePoint, number: number, map: DepthMap): void {
  if (!(depth > 0 && depth < Infinity)) {
    throw new RangeError(`point ${number + 1} has no distance above 0 m; type metres`);
  }
  const inside = (at: number, side: number): boolean => at >= -0.5 && at <= side - 0.5;
  if (!inside(row, map.height) || !inside(column, map.width)) {
    throw new RangeError(`point ${number + 1} is outside the image; remove it`);
  }
}

/** ln of depth in a square around a point. */
function logsAround(depth: DepthMap, { row, column }: DistancePoint): number[] {
  const side = Math.max(WINDOW * Math.max(depth.height, depth.width), 1);
  const logs: number[] = [];
  const tap = (at: number, number: number, most: number): number =>
    clamp(roundEven(at + side * (number / (TAPS - 1) - 0.5)), 0, most - 1);
  for (let y = 0; y < TAPS; y++) {
    const start = tap(row, y, depth.height) * depth.width;
    for (let x = 0; x < TAPS; x++) {
      const value = depth.data[start + tap(column, x, depth.width)]!;
      logs.push(Math.log(Math.max(value, NEAREST)));
    }
  }
  return logs;
}

function deviation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

function median(values: Float64Array): number {
  const sorted = values.slice().sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** Variance of each observation that is no outlier, where its noise is a share of its distance. */
function variances(seen: Observations, level: number): Float64Array {
  return seen.edge.map((edge) => level ** 2 + edge ** 2 + FLOOR ** 2);
}

/** Variance of each observation, outliers among them. */
export function weigh(covariance: Float64Array, seen: Observations): Float64Array {
  let own = variances(seen, LEVELS[0]);
  let noise = own;
  for (let round = 0; round < ROUNDS; round++) {
    noise = leaveOneOut(covariance, seen.error, own, noise).noise;
    if (round === 0 && noise.length) own = variances(seen, bestLevel(covariance, seen, noise));
  }
  return noise;
}

/** Of the levels of noise that under which some of the observations predict each other best. */
function bestLevel(covariance: Float64Array, seen: Observations, noise: Float64Array): number {
  const n = noise.length;
  const key = (i: number, axis: number): number => seen.place[2 * i + axis]!;
  const order = Array.from(noise, (_, i) => i).sort(
    (a, b) => key(a, 1) - key(b, 1) || key(a, 0) - key(b, 0),
  );
  const step = Math.ceil(n / JUDGES);
  const some = order.filter((_, number) => number % step === 0);
  const pick = (values: Float64Array): Float64Array => Float64Array.from(some, (i) => values[i]!);
  const part = Float64Array.from(some.flatMap((i) => some.map((j) => covariance[i * n + j]!)));
  const base = variances(seen, LEVELS[0]);
  const scores = LEVELS.map((level) => {
    const own = variances(seen, level);
    const all = own.map((value, i) => value + noise[i]! - base[i]!);
    return leaveOneOut(part, pick(seen.error), pick(own), pick(all)).score;
  });
  return LEVELS[scores.indexOf(Math.max(...scores))]!;
}

/** How well observations are predicted by the others, and the variance of each that follows. */
function leaveOneOut(
  covariance: Float64Array,
  error: Float64Array,
  own: Float64Array,
  noise: Float64Array,
): { score: number; noise: Float64Array } {
  const n = error.length;
  const inverted = inverse(plusDiagonal(covariance, noise), n);
  const weighted = times(inverted, error);
  let score = 0;
  const answer = error.map((_, i) => {
    const variance = 1 / inverted[i * n + i]!;
    const miss = weighted[i]! * variance;
    const around = Math.max(variance - noise[i]!, 0);
    const wrong = own[i]! + Math.max(OUTLIER_SD ** 2, miss ** 2);
    const fits = (1 - OUTLIERS) * normal(miss, around + own[i]!);
    const total = fits + OUTLIERS * normal(miss, around + wrong);
    score += Math.log(total);
    const inlier = fits / total;
    return 1 / (inlier / own[i]! + (1 - inlier) / wrong);
  });
  return { score, noise: answer };
}

/** Density of a normal distribution around 0. */
function normal(value: number, variance: number): number {
  return Math.exp((-0.5 * value ** 2) / variance) / Math.sqrt(2 * Math.PI * variance);
}
