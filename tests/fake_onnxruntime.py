"""A stand-in for ONNX Runtime's CUDA provider: it computes on the CPU what a GPU would.

Without CUDA's libraries a session takes the CPU, as the real one does with a line in its log.
Unless it is told otherwise, it rounds to the 10 bits that TF32 keeps.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import onnxruntime

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


class FakeCuda:
    """What became of the libraries, and the sessions that were opened.

    Attributes:
        loaded: whether CUDA's libraries are in the process.
        opened: providers of each session, with their options.
    """

    def __init__(self) -> None:
        self.loaded = False
        self.opened: list[list[tuple[str, dict[str, str]]]] = []

    def preload_dlls(self) -> None:
        self.loaded = True
        print("Failed to load libsomething.so")


def install(patch, *, torch: bool) -> FakeCuda:
    """Put the stand-in in the place of the real one; ``patch`` is pytest's monkeypatch.

    Args:
        patch: undoes it.
        torch: whether PyTorch for CUDA was imported, with its libraries.
    """
    cuda, real = FakeCuda(), onnxruntime.InferenceSession
    cuda.loaded = torch
    module = SimpleNamespace(version=SimpleNamespace(cuda="13.0"))
    patch.delitem(sys.modules, "torch", raising=False)
    if torch:
        patch.setitem(sys.modules, "torch", module)

    class Session:
        def __init__(self, path, sess_options, providers, **_):
            chosen = [(p, {}) if isinstance(p, str) else p for p in providers]
            cuda.opened.append(chosen)
            self._on_gpu = chosen[0][0] == CUDA and cuda.loaded
            self._exact = not self._on_gpu or chosen[0][1].get("use_tf32") == "0"
            options = sess_options if not self._on_gpu else onnxruntime.SessionOptions()
            self._session = real(path, options, providers=[CPU])

        def __getattr__(self, name):
            return getattr(self._session, name)

        def get_providers(self):
            return [CUDA, CPU] if self._on_gpu else [CPU]

        def get_provider_graph_assignment_info(self):
            node = SimpleNamespace(op_type="Conv")
            return [SimpleNamespace(ep_name=self.get_providers()[0], get_nodes=lambda: [node])]

        def run(self, *arguments):
            answers = self._session.run(*arguments)
            return answers if self._exact else [_to_tf32(answer) for answer in answers]

    patch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    patch.setattr(onnxruntime, "preload_dlls", cuda.preload_dlls)
    patch.setattr(onnxruntime, "InferenceSession", Session)
    return cuda


def _to_tf32(values):
    """Floats with the last 13 bits of their 23 cut off."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32) & np.uint32(0xFFFFE000)
    return bits.view(np.float32)
