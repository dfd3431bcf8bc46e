/** What runs a network in a browser: WebGPU where there is one, else WebAssembly. */

import * as wasm from "onnxruntime-web/wasm";

/** Names of engines, the quickest first. */
export const ENGINES = ["webgpu", "wasm-threads", "wasm"] as const;

export type Engine = (typeof ENGINES)[number];

type Runtime = typeof wasm;

/** More threads than this wait for each other. */
const MOST_THREADS = 8;

/** Threads that an engine has on this machine. */
export function threadsOf(engine: Engine): number {
  return engine === "wasm-threads" ? Math.min(navigator.hardwareConcurrency || 1, MOST_THREADS) : 1;
}

/** What people call an engine. */
export function engineName(engine: Engine): string {
  if (engine === "webgpu") return "WebGPU";
  return `WASM SIMD, ${engine === "wasm" ? "one thread" : `${threadsOf(engine)} threads`}`;
}

/** The engines that this browser has, the quickest first. */
export async function engines(): Promise<Engine[]> {
  const found: Engine[] = ["wasm"];
  if (globalThis.crossOriginIsolated && threadsOf("wasm-threads") > 1) found.unshift("wasm-threads");
  if (await hasGpu()) found.unshift("webgpu");
  return found;
}

interface Adapter {
  readonly isFallbackAdapter?: boolean;
  readonly info?: { readonly isFallbackAdapter?: boolean };
}

/** Whether there is a GPU, and the stack switching that the smallest build for it needs. */
async function hasGpu(): Promise<boolean> {
  const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<Adapter | null> } };
  if (!gpu || !("Suspending" in WebAssembly)) return false;
  try {
    const adapter = await gpu.requestAdapter();
    return !!adapter && !adapter.isFallbackAdapter && !adapter.info?.isFallbackAdapter;
  } catch {
    return false;
  }
}

/** A network that is open: metres (1, 1, h, w) of an image (1, h, w, 3). */
export interface Session {
  run(image: Uint8Array, height: number, width: number): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Open an ONNX file. */
export async function openSession(bytes: Uint8Array, engine: Engine): Promise<Session> {
  const runtime = await loadRuntime(engine);
  const session = await runtime.InferenceSession.create(bytes, {
    executionProviders: [engine === "webgpu" ? "webgpu" : "wasm"],
    graphOptimizationLevel: "all",
    logSeverityLevel: 3,
  });
  return {
    async run(image, height, width) {
      const tensor = new runtime.Tensor("uint8", image, [1, height, width, 3]);
      const { depth } = await session.run({ image: tensor }, ["depth"]);
      const data = (await depth!.getData()) as Float32Array;
      depth!.dispose();
      return data;
    },
    close: () => session.release(),
  };
}

/** The runtime's own files lie beside this module; those for WebGPU come when they are needed. */
async function loadRuntime(engine: Engine): Promise<Runtime> {
  const gpu = engine === "webgpu";
  const runtime = gpu ? ((await import("onnxruntime-web/jspi")) as unknown as Runtime) : wasm;
  const name = `ort-wasm-simd-threaded${gpu ? ".jspi" : ""}`;
  const here = import.meta.url;
  runtime.env.wasm.wasmPaths = {
    mjs: new URL(`${name}.js`, here).href,
    wasm: new URL(`${name}.wasm`, here).href,
  };
  runtime.env.wasm.numThreads = threadsOf(engine);
  runtime.env.logLevel = "error";
  return runtime;
}
