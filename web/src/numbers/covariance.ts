/** Covariance of a network's error at two sets of pixels, by what the pixels have in common. */

/** Covariance of ln(true depth) - ln(predicted depth); `fastdepth/anchors/prior.py` says more. */
export interface AnchorPrior {
  readonly scale_sd: number;
  readonly local_sd: number;
  readonly length: number;
  readonly log_length: number;
  readonly colour_length: number;
}

/** For a network whose prior was not fitted. */
export const DEFAULT_PRIOR: AnchorPrior = {
  scale_sd: 0.0803,
  local_sd: 0.263,
  length: 0.636,
  log_length: 0.713,
  colour_length: 2.18,
};

/** Depth that no prediction is below [m]. */
export const NEAREST = 1e-6;

/** Numbers of a pixel: place, ln of predicted depth and colour, in lengths of the prior. */
export const FEATURES = 6;

/**
 * (N, 6) of N pixels.
 *
 * @param place (N, 2) row and column [longer sides of the image].
 * @param logs (N) ln of predicted depth.
 * @param colour (N, 3) CIE L*a*b*, L* 0 to 1.
 */
export function features(
  place: Float64Array,
  logs: Float64Array,
  colour: Float64Array,
  prior: AnchorPrior,
): Float64Array {
  const answer = new Float64Array(logs.length * FEATURES);
  for (let i = 0; i < logs.length; i++) {
    const start = i * FEATURES;
    answer[start] = place[2 * i]! / prior.length;
    answer[start + 1] = place[2 * i + 1]! / prior.length;
    answer[start + 2] = logs[i]! / prior.log_length;
    for (let c = 0; c < 3; c++) answer[start + 3 + c] = colour[3 * i + c]! / prior.colour_length;
  }
  return answer;
}

/** Covariance (M, N) of the error at pixels of M and N features. */
export function covariance(
  first: Float64Array,
  second: Float64Array,
  prior: AnchorPrior,
): Float64Array {
  const [m, n] = [first.length / FEATURES, second.length / FEATURES];
  const [whole, local] = [prior.scale_sd ** 2, prior.local_sd ** 2];
  const answer = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let squares = 0;
      for (let k = 0; k < FEATURES; k++) {
        squares += (first[i * FEATURES + k]! - second[j * FEATURES + k]!) ** 2;
      }
      answer[i * n + j] = whole + local * Math.exp(-Math.sqrt(squares));
    }
  }
  return answer;
}
