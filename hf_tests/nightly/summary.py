"""The end of a run in text: families by devices, what failed and why, where the files are."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Sequence

from hf_tests import outcome
from hf_tests.nightly.run import Finished
from hf_tests.nightly.wording import WIDTH, count_statuses, one_line, status_words, wrapped
from hf_tests.outcome import CheckResult

FAILURES_SHOWN = 20

WEIGHTS_WORDS = {
    "hub": "published checkpoints",
    "local": "local checkpoints",
    "tiny": "tiny checkpoints of random weights: no published checkpoint was tested",
}


def text(finished: Finished) -> str:
    """All of it, at most 80 columns wide where the names allow."""
    results = finished.results
    parts = [table(results)]
    not_run = [
        item
        for item in finished.outcomes
        if item.ending is None and any(r.error_type == "interrupted" for r in item.results)
    ]
    lost = {id(result) for item in not_run for result in item.results}
    failures = [result for result in results if result.is_bad and id(result) not in lost]
    if failures:
        parts.append(_failures(failures))
    for status in (outcome.EXPECTED_FAILURE, outcome.SKIPPED):
        chosen = [result for result in results if result.status == status]
        if chosen:
            parts.append(_reasons(status, chosen))
    knowing = [result for result in results if result.quality and result.weights != "tiny"]
    if knowing:
        parts.append(_knowledge(knowing))
    parts.append(_weights(finished))
    flaky = sum(result.is_flaky for result in results)
    total = f"{count_statuses(results)}{f', {flaky} of them flaky' if flaky else ''}"
    total += f" in {duration(finished.wall_s)}"
    if finished.interrupted:
        total = (
            f"INTERRUPTED, {len(not_run)} jobs did not run: {total}\n"
            "python runner.py --resume finishes it"
        )
    if finished.history_note:
        parts.append(finished.history_note)
    parts.append(f"{total}\n{finished.folder.path}/run.json")
    return "\n\n".join(parts)


def table(results: Sequence[CheckResult]) -> str:
    """Families by devices; a cell is passed/all, with what else there was."""
    devices = list(dict.fromkeys(result.device for result in results))
    cells: dict[tuple[str, str], list[CheckResult]] = defaultdict(list)
    for result in results:
        cells[result.family, result.device].append(result)
    rows = [["family", *devices]]
    for family in dict.fromkeys(result.family for result in results):
        rows.append([family, *(_cell(cells[family, device]) for device in devices)])
    columns = list(zip(*rows, strict=True))
    widths = [max(len(cell) for cell in column) for column in columns]
    lines = []
    # As many devices beside each other as fit; the rest below.
    first = 1
    while first < len(widths):
        last, width = first, widths[0]
        while last < len(widths) and (last == first or width + 2 + widths[last] <= WIDTH):
            width += 2 + widths[last]
            last += 1
        chosen = [0, *range(first, last)]
        for row in rows:
            lines.append("  ".join(row[index].ljust(widths[index]) for index in chosen).rstrip())
        lines.append("")
        first = last
    return "\n".join(lines).rstrip()


def duration(seconds: float) -> str:
    """``7.3 s``, ``9 min 12 s``, ``2 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _cell(results: Sequence[CheckResult]) -> str:
    if not results:
        return "-"
    passed = sum(result.status == outcome.PASSED for result in results)
    others = count_statuses(result for result in results if result.status != outcome.PASSED)
    return f"{passed}/{len(results)} passed" + (f", {others}" if others else "")


def _failures(failures: Sequence[CheckResult]) -> str:
    lines = ["Failures:"]
    for result in failures[:FAILURES_SHOWN]:
        what = status_words(result.status)
        kind = f" ({result.error_type})" if result.error_type not in ("none", result.status) else ""
        lines.append(f"  {result.family} {result.model} {result.key}: {what}{kind}")
        message = result.error or result.reason or ""
        lines.append(one_line(f"    {message}", WIDTH))
        if result.rerun is not None:
            again = f"run once more: {status_words(result.rerun.status)}"
            lines.append(f"    {again}{', so it is flaky' if result.is_flaky else ' again'}")
        if result.hint:
            lines += wrapped(one_line(result.hint, 4 * WIDTH), "    ", "    ")
    if len(failures) > FAILURES_SHOWN:
        lines.append(f"  and {len(failures) - FAILURES_SHOWN} more in run.json")
    return "\n".join(lines)


def _knowledge(results: Sequence[CheckResult]) -> str:
    """What checkpoints with real weights know, a check an entry."""
    lines = ["Known answers and accuracy:"]
    for result in results[:FAILURES_SHOWN]:
        found = result.quality
        assert found is not None
        words = []
        if found.answers:
            right = sum(answer.is_right for answer in found.answers)
            words.append(f"{right} of {len(found.answers)} answers right")
        figure = found.accuracy
        if figure is not None and figure.unit == "perplexity":
            words.append(f"{figure.name}: perplexity {figure.value:.3g} over {figure.count} tokens")
        elif figure is not None:
            words.append(f"{figure.name}: {figure.value * 100:.3g} % of {figure.count}")
        text = "; ".join(words) or found.status
        lines += wrapped(f"{result.model} {result.key}: {text}", "  ", "    ")
    if len(results) > FAILURES_SHOWN:
        lines.append(f"  and {len(results) - FAILURES_SHOWN} more in the models' files")
    return "\n".join(lines)


def _reasons(status: str, results: Sequence[CheckResult]) -> str:
    """Checks with the same reason in one entry."""
    groups: dict[str, list[CheckResult]] = defaultdict(list)
    for result in results:
        groups[result.reason or "no reason given"].append(result)
    lines = [f"{status_words(status).capitalize()}:"]
    for reason, group in groups.items():
        models = list(dict.fromkeys(result.model for result in group))
        who = ", ".join(models) if len(models) <= 4 else f"{len(models)} models"
        lines += wrapped(f"{len(group)}: {one_line(reason, 4 * WIDTH)} [{who}]", "  ", "    ")
    return "\n".join(lines)


def _weights(finished: Finished) -> str:
    models: dict[str, set[str]] = defaultdict(set)
    for item in finished.outcomes:
        models[item.job.weights].add(item.job.model.id)
    lines = []
    for kind, ids in models.items():
        who = f"{len(ids)} model{'s' if len(ids) != 1 else ''}"
        lines += textwrap.wrap(f"{who} on {WEIGHTS_WORDS[kind]}.", WIDTH)
    return "\n".join(lines)
