import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";

import { type Plugin, defaultClientConditions, defineConfig } from "vite";

/** Files of ONNX Runtime that it loads by their names. */
const RUNTIME = ["", ".jspi"].flatMap((kind) =>
  ["mjs", "wasm"].map((suffix) => `ort-wasm-simd-threaded${kind}.${suffix}`),
);

/** Texts of the licences of what is bundled. */
const LICENCES = {
  onnxruntime: "notices/onnxruntime-LICENSE.txt",
  "what ONNX Runtime is made of": "notices/onnxruntime-ThirdPartyNotices.txt",
  three: "node_modules/three/LICENSE",
};

/** Packages that are bundled, and their licences. */
function licences(): string {
  const packages = ["onnxruntime-web", "onnxruntime-common", "three"].map((name) => {
    const text = readFileSync(`node_modules/${name}/package.json`, "utf8");
    const { version, license } = JSON.parse(text) as { version: string; license: string };
    return `${name} ${version}: ${license}`;
  });
  const texts = Object.entries(LICENCES).map(
    ([name, path]) => `==== ${name} ====\n\n${readFileSync(path, "utf8").trim()}\n`,
  );
  return ["This page is fastdepth's (Apache-2.0), and has in it:", ...packages, "", ...texts].join("\n");
}

function copyRuntime(): Plugin {
  let output = "";
  return {
    name: "copy-runtime",
    configResolved: (config) => void (output = resolve(config.root, config.build.outDir)),
    closeBundle() {
      for (const name of RUNTIME) {
        const own = name.replace(/mjs$/, "js"); // which every server knows for JavaScript
        copyFileSync(`node_modules/onnxruntime-web/dist/${name}`, resolve(output, own));
      }
      writeFileSync(resolve(output, "licences.txt"), licences());
    },
  };
}

// Names without hashes: an export over an older one replaces its files, and leaves none behind.
export default defineConfig({
  base: "./",
  plugins: [copyRuntime()],
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", ...defaultClientConditions] },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1000,
    rollupOptions: {
      preserveEntrySignatures: "strict",
      input: {
        page: "index.html",
        worker: "src/worker.ts",
        service: "src/service.ts",
        fastdepth: "src/fastdepth.ts",
      },
      output: {
        entryFileNames: "[name].js",
        chunkFileNames: "[name].js",
        assetFileNames: "[name][extname]",
      },
    },
  },
});
