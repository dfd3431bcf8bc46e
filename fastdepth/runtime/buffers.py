"""What a thread keeps from image to image, so that after the first it allocates no large array."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Allocate = Callable[[str, tuple[int, ...], DTypeLike], NDArray[Any]]
"""Gives an array of this shape and type, with any contents, for a use that has this name."""


def fresh(name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """A new array, whatever it is for."""
    return np.empty(shape, dtype)


class Buffers(threading.local):
    """Arrays of each thread, and ONNX Runtime's bindings to them.

    Every thread that uses one sees its own; they are freed when it ends, or with this.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, NDArray[Any]] = {}
        self._bound: dict[tuple[Any, ...], _Bound | None] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """The thread's array of that name, a new one where the last had another shape or type."""
        found = self._arrays.get(name)
        if found is None or found.shape != shape or found.dtype != dtype:
            found = self._arrays[name] = np.empty(shape, dtype)
        return found

    def run(
        self,
        session: Any,
        outputs: Sequence[str],
        inputs: Mapping[str, NDArray[Any]],
        options: Any = None,
    ) -> list[NDArray[Any]]:
        """What a session answers, in arrays that hold it until the thread's next run.

        The first run for a shape of the inputs tells shape and type of the answers; from the second
        on they are written into arrays that are kept. Sessions that cannot be bound just run.

        Args:
            session: an ``onnxruntime.InferenceSession``, or what is called like one.
            outputs: names of what is asked for.
            inputs: C-contiguous arrays by name; as many shapes are remembered as are given.
            options: ``onnxruntime.RunOptions``.
        """
        key = (*outputs, *(array.shape for array in inputs.values()))
        bound = self._bound.get(key)
        if bound is not None:
            return bound.run(inputs, options)
        answers: list[NDArray[Any]] = session.run(list(outputs), inputs, options)
        if hasattr(type(session), "io_binding"):
            self._bound[key] = _Bound(session, outputs, answers)
        return answers


class _Bound:
    """A session whose answers go into arrays of ours."""

    def __init__(
        self, session: Any, outputs: Sequence[str], answers: Sequence[NDArray[Any]]
    ) -> None:
        self._session, self._binding = session, session.io_binding()
        self._answers = [np.empty_like(answer) for answer in answers]
        self._inputs: dict[str, int] = {}  # where they were when they were bound
        for name, answer in zip(outputs, self._answers, strict=True):
            place = (answer.dtype, answer.shape, answer.ctypes.data)
            self._binding.bind_output(name, "cpu", 0, *place)

    def run(self, inputs: Mapping[str, NDArray[Any]], options: Any) -> list[NDArray[Any]]:
        """Run with inputs of the shapes of the first run."""
        for name, array in inputs.items():
            if self._inputs.get(name) != array.ctypes.data:
                place = (array.dtype, array.shape, array.ctypes.data)
                self._binding.bind_input(name, "cpu", 0, *place)
                self._inputs[name] = array.ctypes.data
        self._session.run_with_iobinding(self._binding, options)
        return self._answers
