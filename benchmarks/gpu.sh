#!/usr/bin/env bash
# Everything that wants a GPU: builds what can be built, checks it against PyTorch, times PyTorch
# eager, as a CUDA graph and compiled, and, where they are there, ONNX Runtime's CUDA provider and
# TensorRT, for every variant and precision, and writes one JSON file.
#
#   benchmarks/gpu.sh [--data nyu:PATH] [--output gpu.json]
#   benchmarks/gpu.sh --dry-run     the same, tiny, on the CPU
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PYTHONPATH="$root:$root/export:$root/benchmarks${PYTHONPATH:+:$PYTHONPATH}"
exec python -m fastdepth_bench.measure.gpu "$@"
