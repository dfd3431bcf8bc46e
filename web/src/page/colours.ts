/** Depth as colours, the same as `fastdepth-predict` draws: near bright, far dark, by ratios. */

import type { DepthMap } from "../fastdepth";
import { MAGMA } from "./magma";

/** Distances of the brightest and the darkest colour [m]. */
export interface ColourRange {
  readonly near: number;
  readonly far: number;
}

/** Of pixels without depth. */
const INVALID = [128, 160, 144];

const TABLE = Uint8Array.from(MAGMA.match(/../g) ?? [], (byte) => parseInt(byte, 16));

/** Place of a distance in the map, 0 for far and 255 for near. */
function step(metres: number, { near, far }: ColourRange): number {
  const share = Math.log(far / Math.min(Math.max(metres, near), far)) / Math.log(far / near);
  return Math.round(share * 255);
}

/** Colours of every n-th pixel of a map, so that no side of the answer is longer than `most`. */
export function colourise(depth: DepthMap, range: ColourRange, most: number): ImageData {
  const every = Math.max(1, Math.ceil(Math.max(depth.height, depth.width) / most));
  const [height, width] = [Math.ceil(depth.height / every), Math.ceil(depth.width / every)];
  const image = new ImageData(width, height);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 4) {
      const metres = depth.data[y * every * depth.width + x * every]!;
      if (metres > 0 && metres < Infinity) {
        const from = 3 * step(metres, range);
        image.data.set(TABLE.subarray(from, from + 3), to);
      } else image.data.set(INVALID, to);
      image.data[to + 3] = 255;
    }
  }
  return image;
}

/** The map's colours from near to far, for a style sheet. */
export function gradient(): string {
  const stops = Array.from({ length: 17 }, (_, i) => {
    const from = 3 * Math.round(255 - (i * 255) / 16);
    return `rgb(${TABLE.subarray(from, from + 3).join(" ")})`;
  });
  return `linear-gradient(to right, ${stops.join(", ")})`;
}
