/** Sliders of the nearest and the farthest colour: in powers of ten, as colours go by ratios. */

import { type ColourRange, gradient } from "./colours";
import { block, element, input } from "./elements";

/** What an indoor image holds [m]; the same as `fastdepth-predict` draws. */
const DEFAULT: ColourRange = { near: 0.5, far: 10 };

/** The ends of the range stay so far apart [powers of ten]. */
const APART = 0.1;

export class ColourControls {
  private readonly near = input("near");
  private readonly far = input("far");

  constructor(private readonly changed: (range: ColourRange) => void) {
    block("gradient").style.background = gradient();
    this.near.value = String(Math.log10(DEFAULT.near));
    this.far.value = String(Math.log10(DEFAULT.far));
    this.near.addEventListener("input", () => this.keepApart(this.near, this.far, 1));
    this.far.addEventListener("input", () => this.keepApart(this.far, this.near, -1));
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
    const range = { near: 10 ** this.near.valueAsNumber, far: 10 ** this.far.valueAsNumber };
    for (const end of ["near", "far"] as const) {
      const text = `${Number(range[end].toPrecision(2))} m`;
      block(`${end}-label`).textContent = text;
      element(`${end}-value`, HTMLOutputElement).textContent = text;
      input(end).setAttribute("aria-valuetext", text);
    }
    this.changed(range);
  }
}
