/**
 * CIE L*a*b* of sRGB (IEC 61966-2-1, D65), interpolated between 33 steps of each colour in the whole
 * numbers in which OpenCV does it: what differs would count in the covariance of near colours.
 */

const STEPS = 32;
const BASE = 2 ** 14;
/** Bits of a colour below a step, and of its share between two steps. */
const [BELOW, SHARE] = [9, 4];
const ONE = 2 ** SHARE;

const WHITE = [0.950456, 1, 1.088754] as const;

const TO_XYZ = [
  [0.412453, 0.35758, 0.180423],
  [0.212671, 0.71516, 0.072169],
  [0.019334, 0.119193, 0.950227],
] as const;

let table: Int32Array | null = null;

/** L*, a* and b* of bytes, all divided by 100. */
export function lab(red: number, green: number, blue: number): [number, number, number] {
  table ??= tabulated();
  const axes = [red, green, blue].map((byte) => {
    const value = Math.round(Math.fround(byte * Math.fround(1 / 255)) * BASE);
    const low = value >> BELOW;
    const share = (value >> (BELOW - SHARE)) & (ONE - 1);
    return [
      [low, ONE - share],
      [Math.min(low + 1, STEPS), share],
    ] as const;
  });
  const sums = [0, 0, 0];
  for (const [r, first] of axes[0]!) {
    for (const [g, second] of axes[1]!) {
      for (const [b, third] of axes[2]!) {
        const from = 3 * ((r * (STEPS + 1) + g) * (STEPS + 1) + b);
        for (let i = 0; i < 3; i++) sums[i]! += first * second * third * table[from + i]!;
      }
    }
  }
  const [l, a, b] = sums.map((sum) => (sum + ONE ** 3 / 2) >> (3 * SHARE)) as [number, number, number];
  return [l / BASE, ((a / BASE) * 256 - 128) / 100, ((b / BASE) * 256 - 128) / 100];
}

/** Whole numbers of L* (0 to 100), a* and b* (-128 to 128) at all steps. */
function tabulated(): Int32Array {
  const answer = new Int32Array(3 * (STEPS + 1) ** 3);
  const linear = Float64Array.from({ length: STEPS + 1 }, (_, step) => {
    const value = step / STEPS;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  let to = 0;
  for (const r of linear) {
    for (const g of linear) {
      for (const b of linear) {
        const [x, y, z] = TO_XYZ.map(
          (row, axis) => (row[0] * r + row[1] * g + row[2] * b) / WHITE[axis]!,
        ) as [number, number, number];
        const l = y > DARK ? 116 * Math.cbrt(y) - 16 : 903.3 * y;
        answer[to++] = Math.round((BASE * l) / 100);
        answer[to++] = Math.round((BASE * (500 * (root(x) - root(y)) + 128)) / 256);
        answer[to++] = Math.round((BASE * (200 * (root(y) - root(z)) + 128)) / 256);
      }
    }
  }
  return answer;
}

const DARK = 0.008856;

function root(share: number): number {
  return share > DARK ? Math.cbrt(share) : 7.787 * share + 16 / 116;
}
