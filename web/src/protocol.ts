/** What the page and its worker tell each other. */

import type { DepthMap, DistancePoint, Engine, ModelMetadata, Size } from "./fastdepth";

/** What the page asks for; each is answered under its number. */
export type Request =
  /** Open the file, or open it again with another engine. */
  | { readonly kind: "open"; readonly engine: Engine | null }
  /** Depth of an image that the worker then keeps, for points. */
  | { readonly kind: "still"; readonly bitmap: ImageBitmap; readonly size: Size | null }
  /** Depth of a frame, at the network's scale. */
  | { readonly kind: "frame"; readonly bitmap: ImageBitmap; readonly size: Size | null }
  /** Depth of the image that was kept, knowing some distances. */
  | { readonly kind: "anchor"; readonly points: readonly DistancePoint[] }
  /** Frames per second of the network and all that belongs to it. */
  | { readonly kind: "bench"; readonly size: Size | null; readonly seconds: number };

export interface Opened {
  readonly metadata: ModelMetadata;
  readonly engine: Engine;
  readonly engines: readonly Engine[];
}

export interface Answered {
  readonly depth: DepthMap;
  /** Of the camera that the metres are right for [px in the image]. */
  readonly focal: number;
  /** Spent on the image [ms]. */
  readonly milliseconds: number;
}

export interface Benched {
  readonly frames: number;
  /** Median of a frame [ms]. */
  readonly median: number;
  /** Of which the network alone [ms]. */
  readonly network: number;
  readonly size: Size;
}

export interface Answers {
  open: Opened;
  still: Answered;
  frame: Answered;
  anchor: Answered;
  bench: Benched;
}

export type Reply =
  | { readonly number: number; readonly answer: unknown }
  | { readonly number: number; readonly problem: string };
