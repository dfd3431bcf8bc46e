/** Maps and images as flat arrays, row by row. */

/** Height and width [px]. */
export interface Size {
  readonly height: number;
  readonly width: number;
}

/** A map (H, W) or an image (H, W, C), channels last. */
export interface Pixels<T extends Uint8Array | Float32Array> extends Size {
  readonly channels: number;
  readonly data: T;
}

/** (H, W, 3) RGB, 0 to 255. */
export type RgbImage = Pixels<Uint8Array>;

/** (H, W) depth along the optical axis [m]. */
export type DepthMap = Pixels<Float32Array>;

export function same(first: Size, second: Size): boolean {
  return first.height === second.height && first.width === second.width;
}

/** Nearest whole number; of two equally near ones the even, as Python and OpenCV have it. */
export function roundEven(value: number): number {
  const below = Math.floor(value);
  const part = value - below;
  if (part !== 0.5) return part < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

export function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

/** Width times height as people write it: 640x480. */
export function named(size: Size): string {
  return `${size.width}x${size.height}`;
}
