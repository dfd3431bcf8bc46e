"""What a run is asked to do; the same for Python and the command line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from fastdepth.data import DataOptions, Source, open_source
from fastdepth.errors import UsageError, look_up
from fastdepth.images.collection import ImageList, open_images
from fastdepth.images.parallel import usable_cores
from fastdepth.metadata import UNTRAINED
from fastdepth.metrics import (
    DEFAULT_ALIGNMENT,
    DEFAULT_PROTOCOL,
    OF_DISPARITY,
    get_alignment,
    get_protocol,
)
from fastdepth.ranges import Quantity, Threads, TimeLimit, check_needed, check_ranges, real, whole
from fastdepth.runtime.answer import TIME_LIMIT
from fastdepth.runtime.ready import find_model
from fastdepth.size import Size
from fastdepth.variants import get_variant
from fastdepth.weights import default_tag, find_weights, read_card
from fastdepth_bench.case import (
    MULTI_STREAM,
    REFERENCE,
    SCENARIOS,
    SERVER,
    Case,
    ThirdPartyNetwork,
    check_precision,
    split_form,
)
from fastdepth_bench.results.row import OFFLINE, SINGLE_STREAM, Scenario
from fastdepth_bench.runners.opening import check_target
from fastdepth_export.targets import Target, check_runtime, get_target, runtimes_on

DEFAULT_VARIANT = "unet128-dws"
DEFAULT_PRECISION = "fp32"


@dataclass(frozen=True, kw_only=True)
class Networks:
    """Which networks are run, and how.

    Attributes:
        variant: network; unet128-dws if absent. With :plain after it, exported as written, not
            folded; with :last-axis likewise, but for the axis of the softmax over its bins.
        weights: tag or .safetensors file; each goes to the variant that it was trained
            for. Variants without one take those shipped, or random ones and no accuracy.
        size: network input, WIDTHxHEIGHT; each variant's own if absent.
        threads: CPU threads of the runtimes; all that this process may use if absent.
    """

    variant: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    size: str | None = None
    threads: Threads | None = None


@dataclass(frozen=True, kw_only=True)
class Data(DataOptions):
    """On which images with depth, and by which rules.

    Attributes:
        data: images with depth: rooms, rooms:COUNT or nyu:PATH.
        split: part of the data: test, validation, train, all-train or fold-1 to fold-5.
        limit: so many samples, evenly spread; all if absent.
        protocol: rules of the accuracy: eigen, densedepth or fastdepth.
        align: what is fitted to the truth of each image before it is scored: none, median, affine,
            log-affine or affine-disparity; several, with commas, make a row each. None if absent;
            of disparity always affine-disparity.
    """

    data: str = "rooms"
    split: str = "test"
    limit: Quantity | None = None
    protocol: str = DEFAULT_PROTOCOL
    align: tuple[str, ...] = ()

    def alignments(self) -> tuple[str, ...]:
        """Names of those asked for, each once.

        Raises:
            UnknownNameError: there is none of that name.
        """
        names = (name for said in self.align for name in said.split(","))
        return tuple(dict.fromkeys(get_alignment(name).name for name in names))


@dataclass(frozen=True, kw_only=True)
class Models:
    """ONNX files that take part as they are.

    Attributes:
        model: ONNX file of any depth network, to measure beside ours, or the name of one that comes
            ready, mnv2-64-dws. Where it is not fastdepth's say --normalise and --output.
        input_size: its input, WIDTHxHEIGHT; needed where the file leaves it open.
        normalise: what it wants of pixels: imagenet, half (mean and deviation 0.5), unit (0 to 1)
            or raw (0 to 255).
        output: what it answers with: metres or disparity.
    """

    model: tuple[Path, ...] = ()
    input_size: str | None = None
    normalise: str | None = None
    output: str | None = None


@dataclass(frozen=True, kw_only=True)
class Options(Data, Networks, Models):
    """What is measured, on what, and for how long.

    Attributes:
        runtime: torch, torch-graph, torch-compile, onnxruntime, openvino, ncnn, litert, coreml,
            executorch or tensorrt; all that are installed and run on the device if absent.
        precision: fp32, fp16, bf16, int8 or int8+bf16, where the runtime has it; fp32 if absent.
        device: cpu, cuda or cuda:N.
        edges: measure the boundaries of depth as well: their F1, and how far off they lie. Takes
            about 30 ms for each 640x480 image and alignment.
        flip: average the depth of image and mirrored image, as papers do; not as deployed.
        seconds: time each row at least this long, all restarts together.
        restarts: processes in which each row is timed anew; the spread between them is in its
            intervals.
        against: time each row in turns with this variant, with it in another form, NAME:plain or
            NAME:last-axis, or with an ONNX file; and see how far their depths are apart.
        training: time steps of training in PyTorch as well, by each variant's own recipe.
        scenario: single-stream, multi-stream, server or offline, in MLPerf's words; the first if
            absent.
        streams: cameras of multi-stream, whose frames make one batch.
        rate: queries per second of server; 80 percent of what the row does alone if absent.
        pictures: offline: read these as well, a folder, tar shards or a list, for as long as it is
            timed.
        time_limit: for opening an ONNX file of --model or --against, and for its first inference;
            one that takes longer is stopped, as a graph that loops for ever is [s].
    """

    runtime: tuple[str, ...] = ()
    precision: tuple[str, ...] = ()
    device: str = "cpu"
    edges: bool = False
    flip: bool = False
    seconds: Annotated[float, real(0, 3600, above=True)] = 10.0
    restarts: Annotated[int, whole(1, 100)] = 5
    against: str | None = None
    training: bool = False
    scenario: tuple[str, ...] = ()
    streams: Annotated[int, whole(1, 1024)] = 8
    rate: Annotated[float, real(0, 1_000_000, above=True)] | None = None
    pictures: tuple[Path, ...] = ()
    time_limit: TimeLimit = TIME_LIMIT

    def cases(self) -> list[Case]:
        """All rows to be, in the order in which they are measured.

        Raises:
            UnknownNameError: no such variant, form, runtime, precision or weights.
            SizeError: a variant cannot take the size.
            WeightsError: a weights file cannot be read.
            UsageError: an option that cannot work.
        """
        found = [self._model_case(path) for path in self.model]
        if self.variant or self.weights or not found:
            weights = self._weights_by_variant()
            found += [
                self._case(name, own, runtime, precision)
                for name in self._names(weights)
                for own in weights[split_form(name)[0]]
                for runtime, precision in self._runtimes()
            ]
        cases = [self._within(case, name) for case in found for name in self._scenarios()]
        return list(dict.fromkeys(cases))

    def _scenarios(self) -> Iterable[Scenario]:
        """Those asked for.

        Raises:
            UnknownNameError: there is none of that name.
            UsageError: an option for a scenario that was not asked for.
        """
        known: dict[str, Scenario] = {name: name for name in SCENARIOS}
        names = self.scenario or (SINGLE_STREAM,)
        chosen = dict.fromkeys(look_up("scenario", name, known) for name in names)
        for option, needs in (("rate", SERVER), ("pictures", OFFLINE), ("streams", MULTI_STREAM)):
            check_needed(self, needs in chosen, f"--scenario {needs}; add that", option)
        return chosen

    def _within(self, case: Case, scenario: Scenario) -> Case:
        """A case in a scenario."""
        batch = self.streams if scenario == MULTI_STREAM else 1
        rate = self.rate if scenario == SERVER else None
        return replace(case, scenario=scenario, batch=batch, rate=rate)

    def against_of(self, case: Case) -> Case | None:
        """What a row is timed in turns with: on the same runtime, in the same precision.

        None where nothing was asked for, or where it is the row itself.

        Raises:
            UnknownNameError: no such variant or form.
            SizeError: it cannot take the size.
        """
        if self.against is None:
            return None
        if self.against.endswith(".onnx"):
            other = self._model_case(Path(self.against))
            return self._other(case, other)
        name, _ = split_form(self.against)
        get_variant(name)
        weights = case.weights if name == case.variant else default_tag(name) or UNTRAINED
        other = self._case(self.against, weights, case.runtime, case.precision)
        return self._other(case, other)

    def _other(self, case: Case, other: Case) -> Case | None:
        """What a case is compared with, in the same scenario; None for itself."""
        other = replace(other, scenario=case.scenario, batch=case.batch, rate=case.rate)
        return None if other == case else other

    def _case(self, name: str, weights: str, runtime: str, precision: str) -> Case:
        """A row of a variant, in the form that its name may end in.

        What runs in PyTorch has no exported graph, and is the same under every name.
        """
        variant, form = split_form(name)
        size, threads = self._size(variant), self._threads()
        own = Case(variant, weights, runtime, precision, size, self.device, threads)
        return replace(own, form=form) if get_target(runtime).format else own

    def check(self) -> None:
        """Refuse before any work what would fail after much.

        Raises:
            UsageError: an option that cannot work.
            DeviceError, MissingExtraError: a runtime cannot run here.
        """
        check_ranges(self)
        foreign = self.model or (self.against or "").endswith(".onnx")
        said = "normalise", "output", "input_size", "time_limit"
        check_needed(self, foreign, "--model FILE.onnx; add that", *said)
        ours = self.variant or self.weights or not self.model
        idle = "size", "training", *(() if "onnxruntime" in self.runtime else ("runtime",))
        check_needed(self, ours, "--variant; add one", *idle, "precision")
        get_protocol(self.protocol)
        cases = self.cases()
        for case in cases:
            self.alignments_of(case)
        for runtime in dict.fromkeys(case.runtime for case in cases):
            check_target(get_target(runtime), self.device)

    def alignments_of(self, case: Case) -> tuple[str, ...]:
        """Those that the depth of a case is scored under, a row each.

        Raises:
            UnknownNameError: there is none of that name.
            UsageError: the case answers with disparity, which has one alignment alone.
        """
        asked = self.alignments()
        if case.in_metres:
            return asked or (DEFAULT_ALIGNMENT,)
        if asked and OF_DISPARITY.name not in asked:
            raise UsageError(
                f"{case.name} answers with disparity, which is scored under {OF_DISPARITY.name} "
                "alone; add that to --align, or leave --align out"
            )
        return (OF_DISPARITY.name,)

    def open_data(self) -> Source:
        """The samples to measure on.

        Raises:
            UnknownNameError, UsageError: no such data source, or a limit that leaves nothing.
            DataError: the data cannot be read.
        """
        return open_source(
            self.data, self.split, limit=self.limit, follow_outside=self.follow_outside
        )

    def open_pictures(self) -> ImageList | None:
        """The images that are read from disk in the scenario ``offline``; None without any.

        Raises:
            UsageError: a folder or list does not exist.
        """
        if not self.pictures:
            return None
        return open_images(self.pictures, follow_outside=self.follow_outside)

    def _weights_by_variant(self) -> dict[str, list[str]]:
        """Weights, tags or files, of every variant that is measured."""
        given: dict[str, list[str]] = {}
        for weights in self.weights:
            given.setdefault(read_card(find_weights(weights)).variant, []).append(weights)
        names = dict.fromkeys(split_form(name)[0] for name in self._names(given))
        for name in names:
            get_variant(name)
        for name in given.keys() - names:
            raise UsageError(f"weights {given[name][0]} are of {name}; add --variant {name}")
        return {name: given.get(name, [default_tag(name) or UNTRAINED]) for name in names}

    def _model_case(self, path: Path) -> Case:
        """A row of an ONNX file, with what the options say of it."""
        size = Size.parse(self.input_size) if self.input_size else None
        said = self.normalise or "", self.output or ""
        file = ThirdPartyNetwork(find_model(path), size, *said)
        return Case.of_model(file, self.device, self._threads())

    def _names(self, given: Iterable[str]) -> Iterable[str]:
        """Variants that are measured, with their forms, in their order."""
        return dict.fromkeys(self.variant or given or (DEFAULT_VARIANT,))

    def _runtimes(self) -> list[tuple[str, str]]:
        """Pairs of runtime and precision that exist; every runtime must have one."""
        asked = map(check_precision, self.precision or (DEFAULT_PRECISION,))
        precisions = list(dict.fromkeys(asked))
        targets = self._targets()
        pairs = [(t.name, p) for t in targets for p in precisions if p in t.precisions]
        lacking = {target.name for target in targets} - {name for name, _ in pairs}
        if lacking and (self.runtime or not pairs):
            able = [t.name for t in runtimes_on(self.device) if {*precisions} & {*t.precisions}]
            raise UsageError(
                f"{', '.join(sorted(lacking))} cannot compute in {' or '.join(precisions)}; "
                f"runtimes on {self.device} that can: {', '.join(able) or 'none'}"
            )
        return pairs

    def _targets(self) -> list[Target]:
        """Those asked for, which must run on the device, or else all that do and are installed."""
        if self.runtime:
            return [check_runtime(name, self.device) for name in dict.fromkeys(self.runtime)]
        installed = [target for target in runtimes_on(self.device) if target.installed]
        return installed or [get_target(REFERENCE[0])]  # whose absence tells what to install

    def _size(self, name: str) -> Size:
        variant = get_variant(name)
        size = Size.parse(self.size) if self.size else variant.size
        return variant.sizes.check(size, name)

    def _threads(self) -> int:
        cores = usable_cores()
        if self.threads is not None and not 1 <= self.threads <= cores:
            raise UsageError(f"threads {self.threads} must be 1 to {cores}, the cores there are")
        return self.threads or cores
