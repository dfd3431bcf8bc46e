#!/usr/bin/env bash
# fastdepth-bench gpu, of a checkout that nothing is installed of: quick proofs, then measurements.
#
#   benchmarks/gpu.sh --quick       two variants in less than ten minutes
#   benchmarks/gpu.sh [--data nyu:PATH] [--output gpu.json]
#   benchmarks/gpu.sh --dry-run     as little as works, on the CPU
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PYTHONPATH="$root:$root/export:$root/benchmarks${PYTHONPATH:+:$PYTHONPATH}"
exec python -c 'import sys; from fastdepth_bench.cli import main; sys.exit(main())' gpu "$@"
