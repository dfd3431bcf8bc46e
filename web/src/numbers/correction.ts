/** What `fastdepth-calibrate` stores: ln d' = shift + slope * ln d; `calibrate/correction.py`. */

export interface Correction {
  readonly shift: number;
  readonly slope: number;
}

/** Corrected depth, in place; what is negative becomes 0. */
export function correct(depth: Float32Array, { shift, slope }: Correction): void {
  const scale = Math.fround(Math.exp(shift));
  const power = Math.fround(slope);
  for (let i = 0; i < depth.length; i++) {
    const value = depth[i]!;
    const positive = value < 0 ? 0 : value;
    depth[i] = scale * (slope === 1 ? positive : Math.fround(positive ** power));
  }
}
