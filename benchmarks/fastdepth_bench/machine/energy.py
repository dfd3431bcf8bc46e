"""Energy that the machine used, where its own meters can be read.

The processor by RAPL, in Linux's powercap files (Intel, and AMD under the same name); a GPU by
NVML's counter. Both meter the whole device, with whatever else runs on it and with what it uses
when idle; neither sees main memory, disks or the power supply.
"""

from __future__ import annotations

import math
from pathlib import Path
from types import TracebackType
from typing import Self

from fastdepth_bench.machine.nvml import Gpu

_POWERCAP = Path("/sys/class/powercap")
_ENERGY, _RANGE = "energy_uj", "max_energy_range_uj"


class EnergyMeter:
    """Joules used between entering and leaving the block.

    A RAPL counter starts again at its range, which is some minutes' worth at full load; one such
    start is seen, so keep a block below ten minutes.

    Attributes:
        joules: energy [J] of all that ``source`` names, together; None until the block has ended,
            and where a part of it cannot be read: since 2020 Linux lets only root read RAPL.
        source: what was read: ``RAPL package-0, RAPL package-1``, for a GPU ``NVML cuda`` too;
            empty where nothing was. Only figures with equal sources compare.
    """

    def __init__(self, device: str = "cpu") -> None:
        """Find the meters.

        Args:
            device: ``cpu``, ``cuda`` or ``cuda:N``. A GPU's energy is needed for a figure there;
                that of the processor, which feeds it, is added where it can be read.
        """
        self.joules: float | None = None
        self.source = ""
        self._device = device
        self._gpu = Gpu.open(device)
        self._packages = _packages()
        self._before: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._before = self._counters()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        before, after = self._before, self._counters()
        if after and after.keys() == before.keys():
            ranges = {name: _joules(folder, _RANGE) for name, folder in self._packages.items()}
            self.joules = sum(
                (after[name] - before[name]) % (ranges.get(name) or math.inf) for name in after
            )
            self.source = ", ".join(after)

    def _counters(self) -> dict[str, float]:
        """Joules by meter since some time in the past; empty where one that is needed is closed."""
        packages = {name: _joules(folder, _ENERGY) for name, folder in self._packages.items()}
        found = {name: joules for name, joules in packages.items() if joules is not None}
        if len(found) < len(packages):
            found = {}  # half a machine's energy is no figure
        if self._device == "cpu":
            return found
        gpu = self._gpu.joules() if self._gpu else None
        return {} if gpu is None else {**found, f"NVML {self._device}": gpu}


def _packages() -> dict[str, Path]:
    """Folders of RAPL's meters, one a processor package, by the names under which they are told.

    Their parts (``intel-rapl:0:0``, cores) are in them already, and the whole platform's meter
    (``psys``) holds them.
    """
    found = {}
    for folder in sorted(_POWERCAP.glob("intel-rapl:*")):
        name = _text(folder / "name") or ""
        if folder.name.count(":") == 1 and name.startswith("package"):
            found[f"RAPL {name}"] = folder
    return found


def _joules(folder: Path, name: str) -> float | None:
    """A file of microjoules in [J]; None where it cannot be read."""
    text = _text(folder / name)
    return int(text) / 1e6 if text and text.isdecimal() else None


def _text(file: Path) -> str | None:
    try:
        return file.read_text().strip()
    except OSError:
        return None
