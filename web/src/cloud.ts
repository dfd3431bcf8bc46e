/** A point cloud that turns; loaded when it is first looked at. */

import {
  BufferAttribute,
  BufferGeometry,
  Color,
  LinearSRGBColorSpace,
  PerspectiveCamera,
  Points,
  PointsMaterial,
  Scene,
  Spherical,
  Vector3,
  WebGLRenderer,
} from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";

import type { Cloud } from "./page/files";

/** What an arrow key turns by [rad]. */
const TURN = 0.1;

/** Draws a cloud on a canvas until it is closed. */
export class CloudView {
  private readonly renderer: WebGLRenderer;
  private readonly scene = new Scene();
  private readonly camera = new PerspectiveCamera(55, 4 / 3, 0.05, 200);
  private readonly controls: OrbitControls;
  private readonly listening = new AbortController();

  /** Throws where the browser has no WebGL. */
  constructor(
    private readonly canvas: HTMLCanvasElement,
    cloud: Cloud,
  ) {
    this.renderer = new WebGLRenderer({ canvas, antialias: true });
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    // The image's bytes are what the screen takes: nothing is converted on their way.
    this.renderer.outputColorSpace = LinearSRGBColorSpace;
    this.scene.background = new Color().setHex(0x101216, LinearSRGBColorSpace);
    const geometry = geometryOf(cloud);
    this.scene.add(new Points(geometry, new PointsMaterial({ size: 0.02, vertexColors: true })));
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.target.set(0, 0, -middleOf(cloud));
    this.controls.autoRotate = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.controls.addEventListener("start", () => (this.controls.autoRotate = false));
    const { signal } = this.listening;
    canvas.addEventListener("keydown", (event) => this.turn(event), { signal });
    this.renderer.setAnimationLoop(() => this.draw());
  }

  close(): void {
    this.listening.abort();
    this.renderer.setAnimationLoop(null);
    this.controls.dispose();
    this.renderer.dispose();
  }

  private draw(): void {
    const { clientWidth, clientHeight } = this.canvas;
    if (clientWidth && clientHeight) {
      this.camera.aspect = clientWidth / clientHeight;
      this.camera.updateProjectionMatrix();
      this.renderer.setSize(clientWidth, clientHeight, false);
    }
    this.controls.update();
    this.renderer.render(this.scene, this.camera);
  }

  private turn(event: KeyboardEvent): void {
    const turns: Record<string, [number, number, number]> = {
      ArrowLeft: [-TURN, 0, 1],
      ArrowRight: [TURN, 0, 1],
      ArrowUp: [0, -TURN, 1],
      ArrowDown: [0, TURN, 1],
      "+": [0, 0, 0.9],
      "-": [0, 0, 1.1],
    };
    const turn = turns[event.key];
    if (!turn) return;
    event.preventDefault();
    this.controls.autoRotate = false;
    const away = new Vector3().subVectors(this.camera.position, this.controls.target);
    const at = new Spherical().setFromVector3(away);
    at.theta += turn[0];
    at.phi += turn[1];
    at.radius *= turn[2];
    this.camera.position.copy(this.controls.target).add(away.setFromSpherical(at.makeSafe()));
  }
}

/** Points as OpenGL has them: y up, z backward. */
function geometryOf({ positions, colours }: Cloud): BufferGeometry {
  const turned = positions.map((value, i) => (i % 3 === 0 ? value : -value));
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(turned, 3));
  geometry.setAttribute("color", new BufferAttribute(colours, 3, true));
  return geometry;
}

function middleOf({ positions }: Cloud): number {
  const depths = positions.filter((_, i) => i % 3 === 2).sort();
  return depths[depths.length >> 1] ?? 1;
}
