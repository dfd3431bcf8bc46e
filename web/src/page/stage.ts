/** The image and its depth, one over the other, with what is drawn upon them. */

import type { DepthMap } from "../fastdepth";
import { clamp } from "../numbers/arrays";
import { type ColourRange, colourise } from "./colours";
import { block, drawing, element } from "./elements";

/** A pixel of the image. */
export interface Place {
  readonly row: number;
  readonly column: number;
}

/** Longest side of what is drawn [px]. */
const MOST_DRAWN = 1600;

/** Shares of the stage that an arrow key moves by, without and with Shift. */
const STEPS = [0.01, 0.05] as const;

export class Stage {
  private readonly box = block("stage");
  private readonly picture = element("picture", HTMLCanvasElement);
  private readonly map = element("map", HTMLCanvasElement);
  private readonly divider = block("divider");
  private readonly cross = block("cross");
  private readonly reading = element("reading", HTMLOutputElement);
  private share = 0.5;
  private cursor = { x: 0.5, y: 0.5 };
  private depth: DepthMap | null = null;
  /** Size of the image, of which the depth may be a smaller map. */
  private size = { height: 1, width: 1 };
  private range: ColourRange = { near: 0.5, far: 10 };

  /** @param chosen told of each place that is clicked, or chosen by Enter. */
  constructor(private readonly chosen: (place: Place) => void) {
    this.followPointer();
    this.followKeys();
    this.followDivider();
    this.divide(this.share);
  }

  /** Show an image and its depth. */
  show(image: ImageBitmap, depth: DepthMap): void {
    const scale = Math.min(1, MOST_DRAWN / Math.max(image.height, image.width));
    this.picture.width = Math.max(1, Math.round(image.width * scale));
    this.picture.height = Math.max(1, Math.round(image.height * scale));
    const context = drawing(this.picture);
    context.imageSmoothingQuality = "high";
    context.drawImage(image, 0, 0, this.picture.width, this.picture.height);
    this.size = { height: image.height, width: image.width };
    this.box.style.aspectRatio = `${image.width} / ${image.height}`;
    block("result").style.setProperty("--shape", String(image.width / image.height));
    this.showDepth(depth);
  }

  showDepth(depth: DepthMap): void {
    this.depth = depth;
    this.colour(this.range);
    this.read();
  }

  /** Colour the depth anew. */
  colour(range: ColourRange): void {
    this.range = range;
    if (!this.depth) return;
    const image = colourise(this.depth, range, MOST_DRAWN);
    [this.map.width, this.map.height] = [image.width, image.height];
    drawing(this.map).putImageData(image, 0, 0);
  }

  /** Metres at a place of the image; NaN where there is no image. */
  metres({ row, column }: Place): number {
    if (!this.depth) return NaN;
    const { height, width, data } = this.depth;
    const y = Math.floor(((row + 0.5) * height) / this.size.height);
    const x = Math.floor(((column + 0.5) * width) / this.size.width);
    return data[clamp(y, 0, height - 1) * width + clamp(x, 0, width - 1)]!;
  }

  /** Where a place is, as shares of the stage for a style sheet. */
  position({ row, column }: Place): { left: string; top: string } {
    const share = (at: number, side: number): string => `${((at + 0.5) / side) * 100}%`;
    return { left: share(column, this.size.width), top: share(row, this.size.height) };
  }

  private place(): Place {
    const pixel = (share: number, side: number): number =>
      clamp(Math.floor(share * side), 0, side - 1);
    return {
      row: pixel(this.cursor.y, this.size.height),
      column: pixel(this.cursor.x, this.size.width),
    };
  }

  private move(x: number, y: number): void {
    this.cursor = { x: clamp(x, 0, 1), y: clamp(y, 0, 1) };
    this.cross.style.left = `${this.cursor.x * 100}%`;
    this.cross.style.top = `${this.cursor.y * 100}%`;
    this.read();
  }

  private read(): void {
    const place = this.place();
    const metres = this.metres(place);
    this.reading.textContent = Number.isNaN(metres)
      ? ""
      : `${metres.toFixed(2)} m at column ${place.column}, row ${place.row}`;
  }

  private shares(event: MouseEvent): [number, number] {
    const { left, top, width, height } = this.box.getBoundingClientRect();
    return [(event.clientX - left) / width, (event.clientY - top) / height];
  }

  private followPointer(): void {
    this.box.addEventListener("pointermove", (event) => this.move(...this.shares(event)));
    this.box.addEventListener("click", (event) => {
      this.move(...this.shares(event));
      this.chosen(this.place());
    });
  }

  private followKeys(): void {
    const moves: Record<string, [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    };
    this.box.addEventListener("keydown", (event) => {
      const move = moves[event.key];
      const step = STEPS[event.shiftKey ? 1 : 0];
      if (move) this.move(this.cursor.x + step * move[0], this.cursor.y + step * move[1]);
      else if (event.key === "Enter" || event.key === " ") this.chosen(this.place());
      else return;
      event.preventDefault();
    });
  }

  private followDivider(): void {
    const { divider } = this;
    divider.addEventListener("pointerdown", (event) => {
      divider.setPointerCapture(event.pointerId);
      event.preventDefault();
      divider.focus();
    });
    divider.addEventListener("pointermove", (event) => {
      if (divider.hasPointerCapture(event.pointerId)) this.divide(this.shares(event)[0]);
    });
    divider.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 0.1 : 0.02;
      const to: Record<string, number> = {
        ArrowLeft: this.share - step,
        ArrowDown: this.share - step,
        ArrowRight: this.share + step,
        ArrowUp: this.share + step,
        Home: 0,
        End: 1,
      };
      if (!(event.key in to)) return;
      this.divide(to[event.key]!);
      event.preventDefault();
    });
  }

  /** Put the divider so far to the right; the image is left of it, its depth right of it. */
  private divide(share: number): void {
    this.share = clamp(share, 0, 1);
    const percent = this.share * 100;
    this.divider.style.left = `${percent}%`;
    this.divider.setAttribute("aria-valuenow", percent.toFixed(0));
    this.divider.setAttribute("aria-valuetext", `image in the left ${percent.toFixed(0)} %`);
    this.map.style.clipPath = `inset(0 0 0 ${percent}%)`;
  }
}
