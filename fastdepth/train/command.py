"""The command ``fastdepth-train`` without a verb, or ``train``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastdepth.console import list_verbs, print_table, run_command, say, tell, values_of
from fastdepth.errors import UsageError
from fastdepth.published import PUBLISHED
from fastdepth.train import TrainingRun, train
from fastdepth.train.cli import PROG, VERBS
from fastdepth.variants import VARIANTS
from fastdepth.weights import shipped_card

DESCRIPTION = f"""Train a network.

{list_verbs(VERBS)}

Examples:

  fastdepth-train --list

  fastdepth-train --variant unet128-dws --data nyu:PATH --output runs/first

  fastdepth-train --variant unet128-dws --data nyu:PATH=3 --data rooms:1000 --output runs/mixed

  fastdepth-train --variant unet128-dws --data nyu:PATH --output runs/first --resume

  fastdepth-train --variant unet128-dws --data nyu:PATH --data pictures:FOLDER --output runs/taught
      --teacher large.onnx

  torchrun --nproc-per-node 2 --no-python fastdepth-train --variant unet128-dws --data nyu:PATH
      --output runs/two-gpus --device cuda
"""


HEADINGS = ("variant", "params", "recipe", "reported by", "reported d1", "measured d1")


@dataclass(frozen=True)
class Command(TrainingRun):
    """Options of ``fastdepth-train``.

    Attributes:
        variant: network to train; --list shows all.
        list: print a line per variant and leave: its recipe, what was reported of it, measured
            here with the weights that it ships with.
    """

    # Asked for by name where they are missing, so that --list needs none of them.
    variant: str | None = None  # type: ignore[assignment]
    data: tuple[str, ...] = ()
    output: Path | None = None  # type: ignore[assignment]
    list: bool = False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run_command(Command, _run, prog=PROG, description=DESCRIPTION, arguments=arguments)


def _run(command: Command) -> int:
    if command.list:
        if command != Command(list=True):
            raise UsageError("--list trains nothing; leave the other options out")
        lines, notes = listing()
        print_table(HEADINGS, lines)
        for note in notes:
            say(note)
        return 0
    if command.variant is None:
        raise UsageError("no --variant; --list shows all")
    if command.output is None:
        raise UsageError("no --output; give a folder for checkpoints and log: --output runs/first")
    from fastdepth.models.device import keep_memory
    from fastdepth.train.distributed import Processes

    if command.device == "cpu":
        keep_memory()
    summary = train(TrainingRun(**values_of(command, TrainingRun)))
    if Processes().first:
        tell(
            f"{summary.steps} of {summary.total_steps} steps, "
            f"{summary.images_per_second:.1f} images/s, best validation "
            f"{summary.monitor} {summary.best:.3f}; checkpoint {summary.checkpoint}"
        )
    return 130 if summary.interrupted else 0


def listing() -> tuple[list[tuple[str, ...]], list[str]]:
    """Lines of cells under :data:`HEADINGS`, one a variant, and notes on where d1 was measured.

    ``-`` stands where there is nothing. Reported figures and measured ones do not compare.
    """
    lines: list[tuple[str, ...]] = []
    notes: dict[str, str] = {}
    for variant in VARIANTS.values():
        published, card = PUBLISHED.get(variant.name), shipped_card(variant.name)
        d1 = "-"
        if card is not None:
            on = f"protocol {card.protocol}, {card.evaluated_on}"
            d1 = f"{card.scores['d1']:.3f} {notes.setdefault(on, chr(ord('a') + len(notes)))}"
        lines.append(
            (
                variant.name,
                f"{variant.params / 1e6:.2f} M",
                variant.recipe,
                published.authors if published else "-",
                f"{published.d1:.3f}" if published and published.d1 is not None else "-",
                d1,
            )
        )
    return lines, [f"{letter}: {data}" for data, letter in notes.items()]
