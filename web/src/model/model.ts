/** An exported model that is open: an image of any size in, metres at that size out. */

import { type DepthMap, type RgbImage, type Size, named } from "../numbers/arrays";
import { correct } from "../numbers/correction";
import { type Prepared, cropped, postprocess, preprocess, sizeFor, trainingFocal } from "../numbers/fit";
import { type Engine, type Session, openSession } from "./engine";
import { ModelFileError, type ModelMetadata, readMetadata } from "./metadata";

/** Share of the depth range by which reduced precision may miss its ends. */
const MARGIN = 0.05;

/** Shortest side of an image [px]. */
export const SMALLEST_SIDE = 16;

export class DepthModel {
  private constructor(
    readonly metadata: ModelMetadata,
    readonly engine: Engine,
    private readonly session: Session,
  ) {}

  /**
   * Open the bytes of a file that `fastdepth-export` or `fastdepth-calibrate` wrote.
   *
   * @throws ModelFileError it is none, or cannot be run by this engine.
   */
  static async open(bytes: Uint8Array, engine: Engine): Promise<DepthModel> {
    const metadata = readMetadata(bytes);
    try {
      return new DepthModel(metadata, engine, await openSession(bytes, engine));
    } catch (error) {
      throw new ModelFileError(`The model cannot be opened: ${reasonOf(error)}`);
    }
  }

  /** Free what the runtime holds. */
  close(): Promise<void> {
    return this.session.close();
  }

  /** Bring an image to the network's input: `size`, or the one that it fits best. */
  preprocess(image: RgbImage, size: Size | null = null): Prepared {
    if (Math.min(image.height, image.width) < SMALLEST_SIDE) {
      throw new RangeError(
        `The image has ${named(image)} pixels; both sides must have ${SMALLEST_SIDE} or more.`,
      );
    }
    return preprocess(image, size ?? sizeFor(image, this.metadata.sizes));
  }

  /** Depth of the network's input, corrected where the file holds a correction. */
  async infer({ height, width, data }: RgbImage): Promise<DepthMap> {
    const depth = await this.session.run(data, height, width);
    this.check(depth, height * width);
    if (this.metadata.correction) correct(depth, this.metadata.correction);
    return { height, width, channels: 1, data: depth };
  }

  /** Depth of an image at its own size; at the network's scale where it is to be `quick`. */
  async depth(image: RgbImage, size: Size | null = null, quick = false): Promise<DepthMap> {
    const prepared = this.preprocess(image, size);
    const depth = await this.infer(prepared.batch);
    return quick ? cropped(depth, prepared) : postprocess(depth, prepared);
  }

  /** Focal length [px in the image] of the camera that the metres are right for. */
  focal(image: Size, size: Size | null = null): number {
    return trainingFocal(image, size ?? sizeFor(image, this.metadata.sizes), this.metadata.camera);
  }

  /** Refuse what is no depth of this file's range. */
  private check(depth: Float32Array, length: number): void {
    const [near, far] = this.metadata.depthRange;
    const margin = MARGIN * (far - near);
    const least = Math.max(0, near - margin);
    if (depth.length !== length || !depth.every((value) => least <= value && value <= far + margin)) {
      throw new ModelFileError(
        `The model answered with something else than depth of ${near} to ${far} m; ` +
          "try another engine, or export it again.",
      );
    }
  }
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
