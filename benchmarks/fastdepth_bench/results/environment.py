"""Where and when a run was made: a part of every results file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fastdepth_bench.results.figures import Amount, Count, Finite, Natural, Text


def name_processor(model: str, instructions: Sequence[str]) -> str:
    """A processor by its model and what it has: several generations share a name in a cloud."""
    return f"{model} ({', '.join(instructions)})" if instructions else model


@dataclass(frozen=True)
class Environment:
    """Where and when a run was made.

    Attributes:
        cpu: model of the processor.
        cores: logical cores of the machine.
        usable_cores: those that this process may use.
        gpus: models of the NVIDIA GPUs, with their drivers.
        os: system and release.
        python: version.
        packages: versions by name; None where it is not installed.
        fastdepth: version.
        commit: git commit of the checkout, with ``+changes`` where files differ; None elsewhere.
        governor: CPU frequency governor, where it can be read.
        date: start of the run, UTC.
        load_before: average number of runnable processes in the minute before, where known.
        load_after: the same after the run, own work included.
        other_load: cores that other processes used on average during the run, where known.
        busy: whether that is more than half a core.
        cpu_mhz: mean clock of the usable cores at the end of the run [MHz], where it can be read.
        cpu_max_mhz: highest clock of the fastest of them [MHz], where it can be read.
        turbo: whether cores may exceed their base clock, where it can be read.
        affinity: numbers of the cores that this process may use; empty where nobody tells.
        gpu_clocks: by GPU, in the order of ``gpus``: clocks at the end of the run [MHz] and power
            limit [W]; None what nvidia-smi does not tell.
        variables: those of ``VARIABLES`` that are set.
        memory_bytes: main memory of the machine, where it can be read.
        instructions: sets of vector instructions that a processor of the same name may lack, by
            Linux's names; empty where nobody tells.
    """

    cpu: Text
    cores: Natural
    usable_cores: Natural
    gpus: tuple[Text, ...]
    os: Text
    python: Text
    packages: dict[Text, Text | None]
    fastdepth: Text
    commit: Text | None
    governor: Text | None
    date: Text
    load_before: Finite | None
    load_after: Finite | None
    other_load: Finite | None
    busy: bool
    cpu_mhz: Amount | None = None
    cpu_max_mhz: Amount | None = None
    turbo: bool | None = None
    affinity: tuple[Count, ...] = ()
    gpu_clocks: tuple[dict[Text, Finite | None], ...] = ()
    variables: dict[Text, Text] = field(default_factory=dict)
    memory_bytes: Count | None = None
    instructions: tuple[Text, ...] = ()

    @property
    def machine(self) -> str:
        """What times depend on of the machine: processor, cores, GPUs; no versions."""
        gpus = (name.partition(", driver")[0] for name in self.gpus)
        return "; ".join([*self._processor, *gpus])

    @property
    def _processor(self) -> tuple[str, str]:
        cpu = name_processor(self.cpu, self.instructions)
        return cpu, f"{self.usable_cores} of {self.cores} cores"

    @property
    def busy_line(self) -> str:
        """A line of warning where other processes were at work; else empty."""
        load = self.other_load
        used = "" if load is None else f": other processes used {load:.1f} cores"
        line = f"BUSY MACHINE{used}; times may be too long; repeat when it is idle"
        return line if self.busy else ""

    def describe(self) -> str:
        """One line to print below a table."""
        versions = ", ".join(f"{name} {found}" for name, found in self.packages.items() if found)
        where = [*self._processor, *self.gpus, self.os]
        commit = f" ({self.commit[:12]}{'+' if '+' in self.commit else ''})" if self.commit else ""
        return (
            f"{'; '.join(where)}; Python {self.python}, {versions}; "
            f"fastdepth {self.fastdepth}{commit}; {self.date}"
        )
