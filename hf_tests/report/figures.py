"""Which figures a model's page shows, in which order and units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hf_tests.report.forms import Check, Figures, Parity
from hf_tests.report.wording import count, mebibytes, scientific, seconds, share

Shown = Callable[[Check, Figures], str]


@dataclass(frozen=True)
class Row:
    """A figure by its name, and a text for each column; empty where it was not measured."""

    name: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """Rows that belong together."""

    name: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Table:
    """A model's figures: a column for each check and dtype, groups of rows."""

    columns: tuple[tuple[Check, Figures], ...]
    groups: tuple[Group, ...]

    @property
    def doubted(self) -> bool:
        """Whether there is something to say against any of them."""
        return any(figures.doubts for _, figures in self.columns)


def table(checks: Sequence[Check]) -> Table:
    """The figures of a model's checks; rows and groups without any are left out."""
    columns = tuple(
        (check, figures)
        for check in checks
        for figures in check.figures or ((Figures(),) if check.parity else ())
    )
    groups = []
    for name, figures in GROUPS:
        rows = [Row(label, tuple(shown(*column) for column in columns)) for label, shown in figures]
        kept = tuple(row for row in rows if any(row.cells))
        if kept:
            groups.append(Group(name, kept))
    return Table(columns, tuple(groups))


def _interval(check: Check, figures: Figures) -> str:
    if len(figures.median_interval) != 2:
        return ""
    return " to ".join(seconds(bound) for bound in figures.median_interval)


def _range(check: Check, figures: Figures) -> str:
    if figures.min_time is None or figures.max_time is None:
        return ""
    return f"{seconds(figures.min_time)} to {seconds(figures.max_time)}"


def _throughput(check: Check, figures: Figures) -> str:
    if figures.throughput is None:
        return ""
    return f"{count(float(f'{figures.throughput:.3g}'))} {figures.work_unit or 'runs'}/s"


def _error(check: Check, figures: Figures) -> str:
    if figures.label or check.parity is None:
        return scientific(figures.parity)
    return scientific(check.parity.nrmse) or "not comparable"


def _of_parity(shown: Callable[[Parity], str]) -> Shown:
    """What only the check's own dtype has."""
    return lambda check, row: shown(check.parity) if check.parity and not row.label else ""


def _answers(check: Check, row: Figures) -> str:
    found = check.quality
    if found is None or row.label or not found.asked:
        return ""
    return f"{found.right} of {found.asked} right"


def _accuracy(check: Check, row: Figures) -> str:
    found = check.quality
    if found is None or row.label:
        return ""
    if found.value is None:
        return found.status
    if found.unit == "share right":
        return f"{share(found.value)} of {count(found.count)} {found.name}"
    return f"{found.unit} {count(float(f'{found.value:.3g}'))} of {found.name}"


def _cosine(parity: Parity) -> str:
    return "" if parity.cosine is None else f"{parity.cosine:.9f}".rstrip("0").rstrip(".")


GROUPS: tuple[tuple[str, tuple[tuple[str, Shown], ...]], ...] = (
    (
        "Latency",
        (
            ("median", lambda check, row: seconds(row.median_time)),
            ("95 % interval of the median", _interval),
            ("mean", lambda check, row: seconds(row.avg_time)),
            ("least to most", _range),
            ("standard deviation", lambda check, row: seconds(row.std_time)),
            ("90th percentile", lambda check, row: seconds(row.p90_time)),
            ("95th percentile", lambda check, row: seconds(row.p95_time)),
            ("99th percentile", lambda check, row: seconds(row.p99_time)),
            ("timed runs", lambda check, row: count(row.num_runs)),
            ("throughput", _throughput),
        ),
    ),
    (
        "Until it runs",
        (
            ("loading, in all", lambda check, row: seconds(row.load_time)),
            ("tokenizer or processor", lambda check, row: seconds(row.tokenizer_load_time)),
            ("model", lambda check, row: seconds(row.model_load_time)),
            ("to the device", lambda check, row: seconds(row.device_time)),
            ("compiled", lambda check, row: seconds(row.compile_time)),
            ("conversion", lambda check, row: seconds(row.conversion_time)),
            ("first inference", lambda check, row: seconds(row.first_inference_time)),
        ),
    ),
    (
        "Memory",
        (
            ("peak of the process", lambda check, row: mebibytes(row.peak_memory_mb)),
            ("growth while it ran", lambda check, row: mebibytes(row.memory_growth_mb)),
            ("peak on the device", lambda check, row: mebibytes(row.device_peak_memory_mb)),
            ("weights", lambda check, row: mebibytes(row.model_size_mb)),
            ("parameters", lambda check, row: count(row.num_parameters)),
        ),
    ),
    (
        "Parity with float32 on the CPU",
        (
            ("error (nrmse)", _error),
            ("allowed", _of_parity(lambda parity: scientific(parity.tolerance))),
            ("noise floor", _of_parity(lambda parity: scientific(parity.noise_floor))),
            ("cosine", _of_parity(_cosine)),
            ("same most likely class", _of_parity(lambda parity: share(parity.top1_agreement))),
            ("same tokens", _of_parity(lambda parity: share(parity.equal_tokens))),
            ("output compared", _of_parity(lambda parity: parity.output or "")),
        ),
    ),
    ("On real weights", (("known answers", _answers), ("accuracy", _accuracy))),
)
