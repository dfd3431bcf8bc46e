/** The worker, as functions that answer later. */

import type { Answers, Reply, Request } from "../protocol";

type Waiting = { done: (answer: never) => void; failed: (error: Error) => void };

export class Backend {
  private readonly worker = new Worker("./worker.js", { type: "module" });
  private readonly waiting = new Map<number, Waiting>();
  private last = 0;

  constructor() {
    this.worker.addEventListener("message", ({ data }: MessageEvent<Reply>) => {
      const waiting = this.waiting.get(data.number);
      this.waiting.delete(data.number);
      if ("problem" in data) waiting?.failed(new Error(data.problem));
      else waiting?.done(data.answer as never);
    });
    this.worker.addEventListener("error", (event) => {
      const error = new Error(event.message || "The page's worker cannot start; reload the page.");
      for (const { failed } of this.waiting.values()) failed(error);
      this.waiting.clear();
    });
  }

  ask<K extends Request["kind"]>(request: Extract<Request, { kind: K }>): Promise<Answers[K]> {
    const number = ++this.last;
    const moved = "bitmap" in request ? [request.bitmap] : [];
    return new Promise<Answers[K]>((done, failed) => {
      this.waiting.set(number, { done, failed });
      this.worker.postMessage({ ...request, number }, moved);
    });
  }
}
