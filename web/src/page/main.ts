/** The page: what the user does, and what happens then. */

import { type DepthMap, type Engine, type Size, engineName, reasonOf } from "../fastdepth";
import type { Answered, Opened } from "../protocol";
import { Backend } from "./backend";
import { Cloudscape } from "./cloudscape";
import { ColourControls } from "./colour-controls";
import { block, button, drawing, element, input, select } from "./elements";
import { cloudOf, depthPng, download, plyOf } from "./files";
import { isolate } from "./isolation";
import { PointList } from "./points";
import { close, nextFrame, openCamera, openClip, readImage } from "./source";
import { type Place, Stage } from "./stage";

/** How long the bench button measures [s]. */
const BENCH_SECONDS = 5;

/** Share of a new interval in the running mean of frames per second. */
const SMOOTHING = 0.1;

const named = ({ width, height }: Size): string => `${width}x${height}`;

class Page {
  private readonly backend = new Backend();
  private readonly stage = new Stage((place) => void this.point(place));
  private readonly points = new PointList(() => this.guard(this.anchor()));
  private readonly cloudscape = new Cloudscape();
  private opened: Opened | null = null;
  private video: HTMLVideoElement | null = null;
  /** Whether frames of the video are being shown; else one is held. */
  private live = false;
  private image: ImageBitmap | null = null;
  private shown: Answered | null = null;
  private name = "depth";
  private readonly colours = new ColourControls((range) => this.stage.colour(range));

  async start(): Promise<void> {
    this.listen();
    await this.open(null);
    this.status("");
    // whoever goes offline now can still look at a cloud
    await this.cloudscape.prepare();
  }

  private listen(): void {
    block("serverless").hidden = true;
    const file = input("file");
    file.addEventListener("change", () => {
      this.take(file.files?.[0]);
      file.value = "";
    });
    block("empty").addEventListener("click", () => file.click());
    document.addEventListener("paste", (event) => this.take(event.clipboardData?.files[0]));
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      document.body.classList.add("dropping");
    });
    const calm = (): void => document.body.classList.remove("dropping");
    document.addEventListener("dragleave", calm);
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      calm();
      this.take(event.dataTransfer?.files[0]);
    });
    const on = (id: string, act: () => Promise<void>): void =>
      button(id).addEventListener("click", () => this.guard(act()));
    on("camera", () => this.play(openCamera(), "camera"));
    on("hold", () => (this.live ? this.hold() : this.goOn()));
    on("stop", async () => this.end());
    on("bench", () => this.bench());
    on("png", async () => download(await depthPng(this.depth()), `${this.name}-depth.png`));
    on("ply", async () => download(plyOf(this.cloud(1)), `${this.name}.ply`));
    on("fit", async () => this.colours.fit(this.depth()));
    on("reset", async () => this.colours.reset());
    on("show-cloud", () => this.cloudscape.show(this.cloud(this.thinning())));
    select("engine").addEventListener("change", () =>
      this.guard(this.reopen(select("engine").value as Engine)),
    );
    select("size").addEventListener("change", () => this.guard(this.again()));
  }

  /** Run what may fail; the reason is shown, and what was shown before stays. */
  private guard(task: Promise<void>): void {
    block("problem").textContent = "";
    task.catch((error: unknown) => {
      this.status("");
      block("problem").textContent = reasonOf(error);
    });
  }

  private status(text: string): void {
    block("status").textContent = text;
  }

  private async open(engine: Engine | null): Promise<void> {
    this.status("Loading the network…");
    this.opened = await this.backend.ask({ kind: "open", engine });
    const { metadata, engines } = this.opened;
    const choice = select("engine");
    choice.replaceChildren(...engines.map((name) => new Option(engineName(name), name)));
    choice.value = this.opened.engine;
    if (!select("size").options.length) {
      const auto = new Option("Automatic", "");
      const sizes = metadata.sizes.map((size, i) => new Option(named(size), String(i)));
      select("size").replaceChildren(auto, ...sizes);
      block("size-row").hidden = metadata.sizes.length < 2;
    }
    block("model").textContent =
      `Network ${metadata.variant}, weights ${metadata.weights} (${metadata.licence}), ` +
      `${metadata.precision}, ${metadata.depthRange.join(" to ")} m.`;
    document.documentElement.dataset.ready = this.opened.engine;
  }

  private async reopen(engine: Engine): Promise<void> {
    try {
      await this.open(engine);
    } catch (error) {
      await this.open(null); // the engine that worked before
      throw error;
    }
    this.status("");
    await this.again();
  }

  private size(): Size | null {
    const { value } = select("size");
    return value ? this.opened!.metadata.sizes[Number(value)]! : null;
  }

  private take(file: File | undefined): void {
    if (!file) return;
    const name = file.name.replace(/\.[^.]*$/, "") || "depth";
    const clip = file.type.startsWith("video/");
    this.status(`Reading ${file.name}…`);
    this.guard(clip ? this.play(openClip(file, file.name), name) : this.still(file, name));
  }

  private async still(file: File, name: string): Promise<void> {
    const image = await readImage(file, file.name);
    this.end();
    this.name = name;
    await this.compute(image);
  }

  /** Depth of an image that stays, at its own size. */
  private async compute(image: ImageBitmap): Promise<void> {
    this.status("Computing depth…");
    const bitmap = await createImageBitmap(image);
    const answered = await this.backend.ask({ kind: "still", bitmap, size: this.size() });
    this.points.reset();
    block("anchored").textContent = "";
    this.show(image, answered);
    this.status("");
    this.speed(`${answered.milliseconds.toFixed(0)} ms`);
    block("known").hidden = block("save").hidden = false;
  }

  private show(image: ImageBitmap, answered: Answered): void {
    if (this.image !== image) this.image?.close();
    this.image = image;
    this.shown = answered;
    block("empty").hidden = true;
    block("result").hidden = false;
    this.stage.show(image, answered.depth);
    this.cloudscape.close();
  }

  private speed(figures: string): void {
    block("speed").textContent = `${figures}, ${engineName(this.opened!.engine)}`;
  }

  /** Compute what is shown once more, as with another engine. */
  private async again(): Promise<void> {
    if (this.image && !this.live) await this.compute(this.image);
  }

  private async play(opening: Promise<HTMLVideoElement>, name: string): Promise<void> {
    const video = await opening;
    this.end();
    this.video = video;
    this.name = name;
    this.status("");
    await this.goOn();
  }

  private async goOn(): Promise<void> {
    if (!this.video) return;
    this.points.reset();
    block("known").hidden = block("save").hidden = true;
    this.live = true;
    this.buttons();
    await this.video.play();
    await this.follow(this.video);
  }

  /** Show the latest frame, again and again; those that come meanwhile are left out. */
  private async follow(video: HTMLVideoElement): Promise<void> {
    let interval = 0;
    let before = performance.now();
    while (this.live && this.video === video) {
      await nextFrame(video);
      const image = await createImageBitmap(video);
      const bitmap = await createImageBitmap(image);
      const answered = await this.backend.ask({ kind: "frame", bitmap, size: this.size() });
      if (!this.live || this.video !== video) return image.close();
      this.show(image, answered);
      const now = performance.now();
      interval += (interval ? SMOOTHING : 1) * (now - before - interval);
      before = now;
      this.speed(`${(1000 / interval).toFixed(1)} frames/s, ${answered.milliseconds.toFixed(0)} ms`);
    }
  }

  /** Stop at the frame that is shown, whose depth is then as that of an image. */
  private async hold(): Promise<void> {
    this.live = false;
    this.video?.pause();
    this.buttons();
    if (this.image) await this.compute(this.image);
  }

  private end(): void {
    if (this.video) close(this.video);
    const held = this.live;
    this.video = null;
    this.live = false;
    this.buttons();
    if (held && this.image) this.guard(this.compute(this.image));
  }

  private buttons(): void {
    button("hold").hidden = button("stop").hidden = !this.video;
    button("hold").textContent = this.live ? "Hold this frame" : "Go on";
  }

  private async point(place: Place): Promise<void> {
    if (this.live) this.guard(this.hold().then(() => this.points.add(place, this.stage)));
    else if (this.shown) this.points.add(place, this.stage);
  }

  private async anchor(): Promise<void> {
    if (!this.shown || !this.image) return;
    const points = this.points.known();
    const answered = await this.backend.ask({ kind: "anchor", points });
    this.shown = { ...this.shown, depth: answered.depth };
    this.stage.showDepth(answered.depth);
    this.points.tell(this.stage);
    this.cloudscape.close();
    const many = points.length === 1 ? "1 distance" : `${points.length} distances`;
    block("anchored").textContent = points.length ? `Depth follows ${many}.` : "";
  }

  private async bench(): Promise<void> {
    const [start, output] = [button("bench"), block("benched")];
    start.disabled = true;
    output.textContent = `Measuring for ${BENCH_SECONDS} s…`;
    try {
      const request = { kind: "bench", size: this.size(), seconds: BENCH_SECONDS } as const;
      const { frames, median, network, size } = await this.backend.ask(request);
      output.textContent =
        `${(1000 / median).toFixed(1)} frames/s at ${named(size)}, ${engineName(this.opened!.engine)}: ` +
        `${median.toFixed(1)} ms a frame, network ${network.toFixed(1)} ms, median of ${frames}.`;
    } catch (error) {
      output.textContent = "";
      throw error;
    } finally {
      start.disabled = false;
    }
  }

  private depth(): DepthMap {
    if (!this.shown) throw new Error("There is no depth yet; choose an image.");
    return this.shown.depth;
  }

  private cloud(every: number): ReturnType<typeof cloudOf> {
    const depth = this.depth();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [depth.width, depth.height];
    const context = drawing(canvas);
    context.drawImage(this.image!, 0, 0, depth.width, depth.height);
    const { data } = context.getImageData(0, 0, depth.width, depth.height);
    return cloudOf(depth, data, this.shown!.focal, every);
  }

  /** So many points only as a phone can turn. */
  private thinning(): number {
    const { height, width } = this.depth();
    return Math.max(1, Math.ceil(Math.sqrt((height * width) / 400_000)));
  }
}

if (await isolate()) {
  await new Page().start().catch((error: unknown) => {
    element("status", HTMLElement).textContent = "";
    element("problem", HTMLElement).textContent = reasonOf(error);
  });
}
