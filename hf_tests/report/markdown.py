"""A run as Markdown, for the summary of a CI job; what comes out of models stands as code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hf_tests import outcome
from hf_tests.nightly.wording import one_line, status_words
from hf_tests.report.forms import Check, Run
from hf_tests.report.past import NO_PAST, Past
from hf_tests.report.wording import seconds, visible

SHOWN = 50  # failures; a job's summary may have 1 MiB


def text(run: Run, past: Past = NO_PAST) -> str:
    """Counts, weights, what went wrong, what changed, families by devices."""
    bad = [check for check in run.checks if check.is_bad]
    counts = Counter(check.status for check in run.checks)
    said = ", ".join(f"{number} {status_words(status)}" for status, number in counts.items())
    lines = [
        f"## {'✅' if run.whole and not bad else '❌'} hf-tests: {said or 'nothing was tested'}",
        "",
        f"{_code(run.id)}{'' if run.whole else ', not finished'}"
        + (f", {seconds(run.wall_time)}" if run.wall_time else ""),
        "",
        *_weights(run),
        *_versions(run),
    ]
    if bad:
        lines += [f"### What went wrong ({len(bad)})", ""]
        lines += ["| model | check | | message |", "| --- | --- | --- | --- |"]
        lines += [_row(check, past) for check in bad[:SHOWN]]
        lines += [f"\nand {len(bad) - SHOWN} more in run.json"] if len(bad) > SHOWN else []
        lines.append("")
    for title, entries in past.sections:
        lines += [f"### {title} ({len(entries)})", ""]
        lines += [f"- {_code(entry)}" for entry in entries[:SHOWN]]
        lines += [f"- and {len(entries) - SHOWN} more"] if len(entries) > SHOWN else []
        lines.append("")
    return "\n".join([*lines, *_matrix(run)]) + "\n"


def _weights(run: Run) -> list[str]:
    kinds = Counter(model.weights or "unknown" for model in run.models)
    lines = [f"- {number} on {kind} weights" for kind, number in kinds.items()]
    if kinds["tiny"]:
        lines.append("- **tiny is random weights: no published checkpoint was tested there**")
    return ["Models:", "", *lines, ""]


def _versions(run: Run) -> list[str]:
    found = [(name, run.versions.get(name)) for name in ("transformers", "torch", "openvino")]
    said = ", ".join(f"{name} {version or 'not installed'}" for name, version in found)
    return [f"{visible(said)}, Python {visible(run.python)}", ""]


def _row(check: Check, past: Past) -> str:
    kind = f" ({status_words(check.error_type)})" if check.error_type != "none" else ""
    since = past.since.get((check.model, check.key))
    words = f"{status_words(check.status)}{kind}" + (f", since {since}" if since else "")
    cells = (_code(check.model), _code(check.key), visible(words), _code(check.message))
    return f"| {' | '.join(cells)} |"


def _matrix(run: Run) -> list[str]:
    devices = run.devices
    if not devices:
        return []
    lines = [
        f"| family | {' | '.join(_code(device) for device in devices)} |",
        f"| --- |{' --- |' * len(devices)}",
    ]
    for family in dict.fromkeys(check.family for check in run.checks):
        own = [check for check in run.checks if check.family == family]
        cells = [_cell([check for check in own if check.device == device]) for device in devices]
        lines.append(f"| {_code(family)} | {' | '.join(cells)} |")
    return lines


def _cell(checks: Sequence[Check]) -> str:
    passed = sum(check.status == outcome.PASSED for check in checks)
    others = Counter(check.status for check in checks if check.status != outcome.PASSED)
    more = "".join(f", {number} {status_words(status)}" for status, number in others.items())
    return f"{passed}/{len(checks)} passed{more}" if checks else "-"


def _code(words: str) -> str:
    """Code is shown as it is, but for the two characters that end it and a table's cell."""
    line = one_line(visible(words), 300).replace("`", "'").replace("|", "\u2502")
    return f"`{line}`" if line.strip() else ""
