/** The place of the page where a point cloud is looked at. */

import type { CloudView } from "../cloud";
import { block, button, element } from "./elements";
import type { Cloud } from "./files";

export class Cloudscape {
  private readonly section = block("cloud-section");
  private view: CloudView | null = null;

  constructor() {
    button("close-cloud").addEventListener("click", () => {
      this.close();
      button("show-cloud").focus();
    });
  }

  /** Load what draws. */
  async prepare(): Promise<void> {
    await import("../cloud");
  }

  async show(cloud: Cloud): Promise<void> {
    const { CloudView } = await import("../cloud");
    this.close();
    this.section.hidden = false;
    const canvas = element("cloud", HTMLCanvasElement);
    const fresh = canvas.cloneNode() as HTMLCanvasElement; // a canvas keeps the context that it had
    canvas.replaceWith(fresh);
    try {
      this.view = new CloudView(fresh, cloud);
    } catch {
      this.section.hidden = true;
      throw new Error("This browser cannot draw the point cloud: it has no WebGL. The PLY file holds it.");
    }
    fresh.focus();
  }

  close(): void {
    this.view?.close();
    this.view = null;
    this.section.hidden = true;
  }
}
