/** What an exported file says of itself: `fastdepth/metadata.py`, read out of the file's bytes. */

import type { Size } from "../numbers/arrays";
import type { Correction } from "../numbers/correction";
import type { AnchorPrior } from "../numbers/covariance";

export class ModelFileError extends Error {}

export interface ModelMetadata {
  readonly variant: string;
  readonly weights: string;
  readonly licence: string;
  readonly precision: string;
  readonly sizes: readonly Size[];
  /** Least and greatest depth that the network can answer [m]. */
  readonly depthRange: readonly [number, number];
  /** Focal length of the training camera in an image of this width [px]. */
  readonly camera: { readonly focal: number; readonly width: number };
  readonly anchorPrior: AnchorPrior | null;
  readonly correction: Correction | null;
}

const KEY = "fastdepth";
const RESIZE = "area-down-bilinear-up";
const UNITS = ["metre", "metre before its correction"];

/** Field of an ONNX `ModelProto` that holds entries of key and value. */
const METADATA_PROPS = 14;

/**
 * The metadata in an ONNX file.
 *
 * @throws ModelFileError it is no ONNX file, or not one of fastdepth's.
 */
export function readMetadata(bytes: Uint8Array): ModelMetadata {
  let text: string | undefined;
  try {
    text = entries(bytes).get(KEY);
  } catch (error) {
    if (error instanceof RangeError) throw new ModelFileError("The model file is not ONNX, or cut.");
    throw error;
  }
  if (text === undefined) {
    throw new ModelFileError("The model file has no fastdepth metadata; export it with fastdepth-export.");
  }
  try {
    return parsed(JSON.parse(text) as Record<string, unknown>);
  } catch (error) {
    if (error instanceof ModelFileError) throw error;
    throw new ModelFileError("The model file's metadata are broken; export it with fastdepth-export.");
  }
}

function parsed(given: Record<string, unknown>): ModelMetadata {
  if (given.preprocessing !== RESIZE || !UNITS.includes(given.unit as string)) {
    throw new ModelFileError(
      `The model file needs another version of this page: that of fastdepth ${String(given.version)}.`,
    );
  }
  const sizes = (given.sizes as [number, number][]).map(([height, width]) => ({ height, width }));
  const depthRange = given.depth_range as [number, number];
  const camera = {
    focal: given.training_focal_length as number,
    width: given.training_width as number,
  };
  const numbers = [...sizes.flatMap((size) => [size.height, size.width]), ...depthRange, camera.focal];
  if (!sizes.length || !numbers.every((value) => value > 0)) throw new TypeError("no numbers");
  return {
    variant: String(given.variant),
    weights: String(given.weights),
    licence: String(given.licence),
    precision: String(given.precision),
    sizes,
    depthRange,
    camera,
    anchorPrior: (given.anchor_prior ?? null) as AnchorPrior | null,
    correction: (given.correction ?? null) as Correction | null,
  };
}

/** Entries of the file's metadata; throws a RangeError where the bytes are no protocol buffer. */
function entries(bytes: Uint8Array): Map<string, string> {
  const found = new Map<string, string>();
  for (const [field, content] of fields(bytes)) {
    if (field !== METADATA_PROPS) continue;
    const entry = new Map(fields(content));
    const [key, value] = [1, 2].map((part) => new TextDecoder().decode(entry.get(part)));
    found.set(key!, value!);
  }
  return found;
}

/** Fields with contents of their own in a message: number and bytes of each. */
function* fields(bytes: Uint8Array): Generator<[number, Uint8Array]> {
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      if (at >= bytes.length || factor > 2 ** 63) throw new RangeError("cut");
      const byte = bytes[at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = number();
    const kind = tag % 8;
    if (kind === 0) number();
    else if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else if (kind === 2) {
      const length = number();
      if (at + length > bytes.length) throw new RangeError("cut");
      yield [Math.floor(tag / 8), bytes.subarray(at, at + length)];
      at += length;
    } else throw new RangeError("no such field");
  }
}
