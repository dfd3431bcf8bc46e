/** Sliders of the nearest and the farthest colour: in powers of ten, as colours go by ratios. */

import type { DepthMap } from "../fastdepth";
import { type ColourRange, gradient } from "./colours";
import { block, element, input } from "./elements";

/** What an indoor image holds [m]; the same as `fastdepth-predict` draws. */
const DEFAULT: ColourRange = { near: 0.5, far: 10 };

/** The ends of the range stay so far apart [powers of ten]. */
const APART = 0.1;

/** Shares of an image's pixels that are nearer than the range, and farther, where it is fitted. */
const OUTSIDE = 0.02;

export class ColourControls {
  private readonly near = input("near");
  private readonly far = input("far");

  constructor(private readonly changed: (range: ColourRange) => void) {
    block("gradient").style.background = gradient();
    this.near.addEventListener("input", () => this.keepApart(this.near, this.far, 1));
    this.far.addEventListener("input", () => this.keepApart(this.far, this.near, -1));
    this.reset();
  }

  /** Spread the colours over what an image holds. */
  fit({ data }: DepthMap): void {
    const every = Math.max(1, Math.floor(data.length / 100_000));
    const some = data.filter((metres, i) => i % every === 0 && metres > 0 && metres < Infinity).sort();
    if (!some.length) return;
    const at = (share: number): string => String(Math.log10(some[Math.floor(share * (some.length - 1))]!));
    this.near.value = at(OUTSIDE);
    this.far.value = at(1 - OUTSIDE);
    this.keepApart(this.near, this.far, 1);
  }

  /** Back to what every image is drawn in. */
  reset(): void {
    this.near.value = String(Math.log10(DEFAULT.near));
    this.far.value = String(Math.log10(DEFAULT.far));
    this.tell();
  }

  /** Move the other end along where the two come too near. */
  private keepApart(moved: HTMLInputElement, other: HTMLInputElement, side: 1 | -1): void {
    const least = side * APART;
    const gap = side * (other.valueAsNumber - moved.valueAsNumber);
    if (gap < APART) {
      other.value = String(moved.valueAsNumber + least);
      moved.value = String(other.valueAsNumber - least);
    }
    this.tell();
  }

  private tell(): void {
    // of two digits, as the page says it: sliders stop at steps, which hit no round number
    const metres = (slider: HTMLInputElement): number =>
      Number((10 ** slider.valueAsNumber).toPrecision(2));
    const range = { near: metres(this.near), far: metres(this.far) };
    for (const end of ["near", "far"] as const) {
      const text = `${range[end]} m`;
      block(`${end}-label`).textContent = text;
      element(`${end}-value`, HTMLOutputElement).textContent = text;
      input(end).setAttribute("aria-valuetext", text);
    }
    this.changed(range);
  }
}
