/**
 * The one resize: averages areas down, bilinear up, as `fastdepth/preprocess.py` does with OpenCV.
 *
 * Bytes are rounded as OpenCV rounds them: areas once at the end, bilinear in 11-bit fixed point.
 */

import { type Pixels, type Size, roundEven, same } from "./arrays";

type Numbers = Uint8Array | Float32Array;

/** Bring an image or a map to a size; what has it already is returned as it is. */
export function resize<T extends Numbers>(image: Pixels<T>, size: Size): Pixels<T> {
  const shrunk = {
    height: Math.min(image.height, size.height),
    width: Math.min(image.width, size.width),
  };
  const small = same(image, shrunk) ? image : area(image, shrunk);
  return same(small, size) ? small : bilinear(small, size);
}

function like<T extends Numbers>(image: Pixels<T>, size: Size): Pixels<T> {
  const length = size.height * size.width * image.channels;
  const data = (
    image.data instanceof Uint8Array ? new Uint8Array(length) : new Float32Array(length)
  ) as T;
  return { ...size, channels: image.channels, data };
}

/** Parts of source pixels that make up each pixel of the answer, along one side. */
interface Cells {
  /** Where the parts of each pixel begin; one more than there are pixels. */
  readonly first: Int32Array;
  readonly source: Int32Array;
  readonly share: Float32Array;
}

const LEAST_PART = 1e-3;

function cells(from: number, to: number): Cells {
  const scale = 1 / (to / from);
  const first = new Int32Array(to + 1);
  const source: number[] = [];
  const share: number[] = [];
  const add = (index: number, part: number): void => {
    source.push(index);
    share.push(part);
  };
  for (let cell = 0; cell < to; cell++) {
    const start = cell * scale;
    const end = start + scale;
    const width = Math.min(scale, from - start);
    const last = Math.min(Math.floor(end), from - 1);
    const whole = Math.min(Math.ceil(start), last);
    if (whole - start > LEAST_PART) add(whole - 1, (whole - start) / width);
    for (let index = whole; index < last; index++) add(index, 1 / width);
    if (end - last > LEAST_PART) add(last, Math.min(end - last, 1, width) / width);
    first[cell + 1] = source.length;
  }
  return { first, source: Int32Array.from(source), share: Float32Array.from(share) };
}

/** Mean of the area of each pixel; no side may grow. */
export function area<T extends Numbers>(image: Pixels<T>, size: Size): Pixels<T> {
  const down = image.height / size.height;
  const across = image.width / size.width;
  const whole = Number.isInteger(down) && Number.isInteger(across);
  return whole && image.data instanceof Uint8Array
    ? wholeArea(image, size, down, across)
    : sharedArea(image, size);
}

/** The same of bytes where each pixel is made of whole ones, which OpenCV sums up first. */
function wholeArea<T extends Numbers>(
  image: Pixels<T>,
  size: Size,
  down: number,
  across: number,
): Pixels<T> {
  const answer = like(image, size);
  const { channels, data, width } = image;
  const length = size.width * channels;
  const sums = new Int32Array(length);
  const share = Math.fround(1 / (down * across));
  const halves = down === 2 && across === 2;
  for (let y = 0; y < size.height; y++) {
    sums.fill(0);
    let from = y * down * width * channels;
    for (let row = 0; row < down; row++) {
      for (let to = 0; to < length; to += channels) {
        for (let column = 0; column < across; column++) {
          for (let channel = 0; channel < channels; channel++) sums[to + channel]! += data[from++]!;
        }
      }
    }
    for (let i = 0; i < length; i++) {
      const sum = sums[i]!;
      answer.data[y * length + i] = halves ? (sum + 2) >> 2 : roundEven(Math.fround(sum * share));
    }
  }
  return answer;
}

/** The same where pixels are shared between areas. */
function sharedArea<T extends Numbers>(image: Pixels<T>, size: Size): Pixels<T> {
  const answer = like(image, size);
  const { channels, data } = image;
  const bytes = data instanceof Uint8Array;
  const down = cells(image.height, size.height);
  const across = cells(image.width, size.width);
  const length = size.width * channels;
  const row = new Float32Array(length);
  const sum = new Float32Array(length);
  for (let y = 0; y < size.height; y++) {
    sum.fill(0);
    for (let part = down.first[y]!; part < down.first[y + 1]!; part++) {
      averageRow(data, down.source[part]! * image.width * channels, across, channels, row);
      const share = down.share[part]!;
      for (let i = 0; i < length; i++) sum[i]! += Math.fround(share * row[i]!);
    }
    const start = y * length;
    if (bytes) for (let i = 0; i < length; i++) answer.data[start + i] = roundEven(sum[i]!);
    else answer.data.set(sum, start);
  }
  return answer;
}

function averageRow(
  data: Numbers,
  start: number,
  across: Cells,
  channels: number,
  row: Float32Array,
): void {
  const { first, source, share } = across;
  for (let x = 0, i = 0; i < row.length; x++) {
    const begin = first[x]!;
    const end = first[x + 1]!;
    for (let channel = 0; channel < channels; channel++, i++) {
      let sum = 0;
      for (let part = begin; part < end; part++) {
        const value = data[start + source[part]! * channels + channel]!;
        sum = Math.fround(sum + Math.fround(value * share[part]!));
      }
      row[i] = sum;
    }
  }
}

/** Two neighbours of each pixel of the answer along a side, and the second one's share. */
interface Taps {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly share: Float32Array;
}

/** `ends`: whether beyond the outermost pixels there is one neighbour alone; OpenCV's rows keep two. */
function taps(from: number, to: number, ends: boolean): Taps {
  const scale = 1 / (to / from);
  const low = new Int32Array(to);
  const high = new Int32Array(to);
  const share = new Float32Array(to);
  for (let index = 0; index < to; index++) {
    const place = Math.fround((index + 0.5) * scale - 0.5);
    const floor = Math.floor(place);
    low[index] = Math.min(Math.max(floor, 0), from - 1);
    high[index] = Math.min(Math.max(floor + 1, 0), from - 1);
    share[index] = ends && (floor < 0 || floor >= from - 1) ? 0 : place - floor;
  }
  return { low, high, share };
}

/** Steps of the shares with which OpenCV interpolates bytes. */
const FIXED = 2048;

/** Bilinear interpolation between the centres of pixels. */
export function bilinear<T extends Numbers>(image: Pixels<T>, size: Size): Pixels<T> {
  const answer = like(image, size);
  const bytes = image.data instanceof Uint8Array;
  const down = taps(image.height, size.height, false);
  const across = taps(image.width, size.width, true);
  const length = size.width * image.channels;
  const rows = new Map<number, Float64Array>();
  const rowOf = (y: number): Float64Array => {
    let row = rows.get(y);
    if (!row) {
      for (const known of rows.keys()) if (known < y - 1) rows.delete(known);
      row = interpolateRow(image, y, across, bytes);
      rows.set(y, row);
    }
    return row;
  };
  for (let y = 0; y < size.height; y++) {
    const upper = rowOf(down.low[y]!);
    const lower = rowOf(down.high[y]!);
    const share = down.share[y]!;
    const start = y * length;
    if (bytes) {
      const second = roundEven(share * FIXED);
      const first = roundEven(Math.fround(1 - share) * FIXED);
      for (let i = 0; i < length; i++) {
        const a = (first * (upper[i]! >> 4)) >> 16;
        const b = (second * (lower[i]! >> 4)) >> 16;
        answer.data[start + i] = (a + b + 2) >> 2;
      }
    } else {
      for (let i = 0; i < length; i++) {
        answer.data[start + i] = upper[i]! * (1 - share) + lower[i]! * share;
      }
    }
  }
  return answer;
}

function interpolateRow(
  image: Pixels<Numbers>,
  y: number,
  across: Taps,
  bytes: boolean,
): Float64Array {
  const { channels, data, width } = image;
  const { low, high, share } = across;
  const start = y * width * channels;
  const row = new Float64Array(low.length * channels);
  for (let x = 0, i = 0; x < low.length; x++) {
    const part = share[x]!;
    const second = bytes ? roundEven(part * FIXED) : part;
    const first = bytes ? roundEven(Math.fround(1 - part) * FIXED) : 1 - part;
    const left = start + low[x]! * channels;
    const right = start + high[x]! * channels;
    for (let channel = 0; channel < channels; channel++, i++) {
      row[i] = data[left + channel]! * first + data[right + channel]! * second;
    }
  }
  return row;
}
