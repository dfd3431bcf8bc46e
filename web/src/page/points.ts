/** The list of points whose distance a user knows. */

import { type DistancePoint, MOST_POINTS } from "../fastdepth";
import { block, button } from "./elements";
import type { Place, Stage } from "./stage";

interface Entry {
  readonly place: Place;
  readonly item: HTMLLIElement;
  readonly field: HTMLInputElement;
  readonly marker: HTMLElement;
  readonly now: HTMLElement;
}

export class PointList {
  private readonly list = block("points");
  private readonly markers = block("markers");
  private readonly clear = button("clear-points");
  private entries: Entry[] = [];

  /** @param changed told when points came, went, or got another distance. */
  constructor(private readonly changed: () => void) {
    this.clear.addEventListener("click", () => {
      this.reset();
      this.changed();
    });
  }

  /** Points whose distance was typed. */
  known(): DistancePoint[] {
    return this.entries
      .filter(({ field }) => field.valueAsNumber > 0)
      .map(({ place, field }) => ({ ...place, depth: field.valueAsNumber }));
  }

  /** Forget all points, as of another image. */
  reset(): void {
    this.entries = [];
    this.redraw();
  }

  /** Ask for the distance at a place. */
  add(place: Place, stage: Stage): void {
    if (this.entries.length >= MOST_POINTS) return;
    const marker = document.createElement("span");
    Object.assign(marker.style, stage.position(place));
    const entry = { place, marker, ...this.row(place, stage.metres(place)) };
    this.entries.push(entry);
    this.redraw();
    entry.field.focus();
  }

  /** Say what the map has at the points now: it need not believe each of them. */
  tell(stage: Stage): void {
    for (const { place, now } of this.entries) {
      now.textContent = `The map has ${stage.metres(place).toFixed(2)} m.`;
    }
  }

  private row(place: Place, metres: number): Pick<Entry, "item" | "field" | "now"> {
    const item = document.createElement("li");
    const label = document.createElement("label");
    const field = document.createElement("input");
    Object.assign(field, { type: "number", min: "0.01", max: "1000", step: "any", required: true });
    field.inputMode = "decimal";
    field.placeholder = metres.toFixed(2);
    field.addEventListener("input", () => this.changed());
    const note = document.createElement("small");
    const now = document.createElement("span");
    now.textContent = `The map has ${metres.toFixed(2)} m.`;
    note.append(now, ` Column ${place.column}, row ${place.row}`);
    const remove = document.createElement("button");
    Object.assign(remove, { type: "button", textContent: "Remove" });
    remove.addEventListener("click", () => {
      this.entries = this.entries.filter((entry) => entry.item !== item);
      this.redraw();
      this.changed();
    });
    label.append(document.createElement("span"), field);
    item.append(label, remove, note);
    return { item, field, now };
  }

  private redraw(): void {
    this.entries.forEach(({ item, marker }, i) => {
      marker.textContent = String(i + 1);
      item.querySelector("label span")!.textContent = `Point ${i + 1}, metres`;
      item.querySelector("button")!.setAttribute("aria-label", `Remove point ${i + 1}`);
    });
    this.list.replaceChildren(...this.entries.map(({ item }) => item));
    this.markers.replaceChildren(...this.entries.map(({ marker }) => marker));
    this.clear.hidden = !this.entries.length;
  }
}
