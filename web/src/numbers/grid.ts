/** Nodes spread over an image, between which maps are interpolated: `fastdepth/anchors/grid.py`. */

import { type DepthMap, type Pixels, type RgbImage, type Size, clamp, roundEven } from "./arrays";
import { lab } from "./lab";
import { dot } from "./linear";
import { area, bilinear } from "./resize";

/** Nodes of an image. */
const NODES = 1728;

/** Pixels from node to node, along a side, that means are of at least where there are so many. */
const SAMPLES = 3;

/** Steps by which the interpolation is brought through given values. */
const BENDS = 12;

export class Grid {
  readonly nodes: Size;
  private readonly longer: number;

  constructor(readonly image: Size) {
    const step = Math.max(1, Math.sqrt((image.height * image.width) / NODES));
    const along = (side: number): number => Math.max(1, roundEven(side / step));
    this.nodes = { height: along(image.height), width: along(image.width) };
    this.longer = Math.max(image.height, image.width);
  }

  get count(): number {
    return this.nodes.height * this.nodes.width;
  }

  /** (M, 2) row and column of each node [longer sides of the image]. */
  places(): Float64Array {
    const answer = new Float64Array(2 * this.count);
    const middle = (node: number, nodes: number, side: number): number =>
      ((node + 0.5) * (side / nodes) - 0.5) / this.longer;
    for (let y = 0, i = 0; y < this.nodes.height; y++) {
      for (let x = 0; x < this.nodes.width; x++) {
        answer[i++] = middle(y, this.nodes.height, this.image.height);
        answer[i++] = middle(x, this.nodes.width, this.image.width);
      }
    }
    return answer;
  }

  /** (M) means of a map around the nodes. */
  mean(values: DepthMap): Float32Array {
    return area(this.thinned(values), this.nodes).data;
  }

  /** (M, 3) mean CIE L*a*b* around the nodes, L* 0 to 1; zeros where there is no image. */
  colours(image: RgbImage | null): Float64Array {
    const answer = new Float64Array(3 * this.count);
    if (!image) return answer;
    const { data } = area(this.thinned(image), this.nodes);
    for (let i = 0; i < answer.length; i += 3) {
      answer.set(lab(data[i]!, data[i + 1]!, data[i + 2]!), i);
    }
    return answer;
  }

  /** A map or image with fewer pixels, which is quicker to average. */
  private thinned<T extends Uint8Array | Float32Array>(values: Pixels<T>): Pixels<T> {
    const step = Math.max(1, Math.floor(Math.floor(values.height / this.nodes.height) / SAMPLES));
    if (step === 1) return values;
    const [height, width] = [Math.ceil(values.height / step), Math.ceil(values.width / step)];
    const { channels } = values;
    const data = values.data.slice(0, height * width * channels) as T;
    for (let y = 0, to = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const from = (y * step * values.width + x * step) * channels;
        for (let channel = 0; channel < channels; channel++) data[to++] = values.data[from + channel]!;
      }
    }
    return { height, width, channels, data };
  }

  /** (H, W) of values (M) at the nodes, bilinear. */
  spread(values: Float32Array): DepthMap {
    return bilinear({ ...this.nodes, channels: 1, data: values }, this.image);
  }

  /** Number of the node next to a place [longer sides of the image]. */
  nearest(row: number, column: number): number {
    const [y, x] = [this.along(row, "height"), this.along(column, "width")];
    return roundEven(y) * this.nodes.width + roundEven(x);
  }

  /** Values (M) changed least so that bilinear interpolation gives what is wanted at places. */
  bend(values: Float64Array, place: Float64Array, wanted: Float64Array): Float32Array {
    const corners = Array.from(wanted, (_, i) => this.corners(place[2 * i]!, place[2 * i + 1]!));
    const at = (map: Float64Array): Float64Array =>
      Float64Array.from(corners, (four) => four.reduce((sum, [i, share]) => sum + share * map[i]!, 0));
    // conjugate gradients of W W^T x = missing, whose least change is W^T x
    const change = new Float64Array(values.length);
    const reached = at(values);
    let left = wanted.map((value, i) => value - reached[i]!);
    let along = left;
    let size = dot(left, left);
    for (let round = 0; round < BENDS && size >= 1e-12; round++) {
      const step = new Float64Array(values.length);
      corners.forEach((four, i) => four.forEach(([k, share]) => (step[k]! += share * along[i]!)));
      const length = size / Math.max(dot(step, step), 1e-300);
      step.forEach((value, k) => (change[k]! += length * value));
      const moved = at(step);
      left = left.map((value, i) => value - length * moved[i]!);
      const before = size;
      size = dot(left, left);
      along = left.map((value, i) => value + (size / before) * along[i]!);
    }
    return Float32Array.from(values, (value, k) => value + change[k]!);
  }

  /** The four nodes around a place, and their shares in interpolation. */
  private corners(row: number, column: number): [number, number][] {
    const axis = (value: number, side: "height" | "width"): [number, number][] => {
      const count = this.nodes[side];
      const at = this.along(value, side);
      const low = Math.min(Math.floor(at), Math.max(count - 2, 0));
      return [
        [low, 1 - (at - low)],
        [Math.min(low + 1, count - 1), at - low],
      ];
    };
    const across = axis(column, "width");
    return axis(row, "height").flatMap(([y, down]) =>
      across.map(([x, part]): [number, number] => [y * this.nodes.width + x, down * part]),
    );
  }

  /** A place in nodes along a side, none beyond the outermost. */
  private along(place: number, side: "height" | "width"): number {
    const count = this.nodes[side];
    const at = (place * this.longer + 0.5) * (count / this.image[side]) - 0.5;
    return clamp(at, 0, count - 1);
  }
}
