"""A comparison in words: a text that fits a terminal and a mail, or Markdown."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Iterable, Sequence

from hf_tests.history.metrics import BY_NAME, MEMORY, SPEED
from hf_tests.history.query import Change
from hf_tests.nightly.compare import Comparison, Difference, StatusChange
from hf_tests.nightly.figures import CommonChange, FigureChange
from hf_tests.nightly.wording import WIDTH, one_line, status_words, wrapped

SHOWN = 15  # entries of a section; the JSON has all

Section = tuple[str, list[str]]


def text(found: Comparison) -> str:
    """All that changed, at most 80 columns wide where the names allow."""
    lines = [_headline(found)]
    for title, entries in sections(found):
        lines.append(f"\n{title} ({len(entries)}):")
        lines += [_indented(entry) for entry in entries[:SHOWN]]
        if len(entries) > SHOWN:
            lines.append(f"  and {len(entries) - SHOWN} more")
    if not found.has_changed:
        lines.append("\nnothing has changed")
    lines.append(f"\n{coverage(found)}")
    return "\n".join(lines)


def markdown(found: Comparison) -> str:
    """The same for a page that shows Markdown; what comes out of models stands as code."""
    lines = [f"## {_verdict(found)}", "", f"`{found.new.id}` compared with `{found.base.id}`", ""]
    for title, entries in sections(found):
        lines += [f"### {title} ({len(entries)})", ""]
        for entry in entries[:SHOWN]:
            head, *rest = entry.split("\n")
            lines.append(f"- {_code(head)}" + "".join(f"<br>{_code(item)}" for item in rest))
        if len(entries) > SHOWN:
            lines.append(f"- and {len(entries) - SHOWN} more")
        lines.append("")
    return "\n".join([*lines, coverage(found)])


def sections(found: Comparison) -> list[Section]:
    """Titles and their entries, what matters most first; only those that have any."""
    worse, better, unsure = found.worse, found.better, found.unsure
    every: list[Section] = [
        ("New failures", [_status(item) for item in found.new_failures]),
        ("Everything slower or faster", [_together(item) for item in found.together]),
        ("Slower", [_figure(item) for item in _of(worse, SPEED)]),
        ("More memory", [_figure(item) for item in _of(worse, MEMORY)]),
        ("Fixed", [_status(item) for item in found.fixed]),
        ("Newly skipped", [_status(item) for item in found.newly_skipped]),
        ("Changed predictions", [_difference(item) for item in found.predictions]),
        ("Changed parity", [_difference(item) for item in found.parity]),
        ("Checks that are gone", list(found.checks_gone)),
        ("Models that are new", list(found.models_new)),
        ("Models that are gone", list(found.models_gone)),
        ("Other versions", [str(item) for item in found.versions]),
        ("Another machine", [str(item) for item in found.machine]),
        ("Other options", [str(item) for item in found.options]),
        ("Faster", [_figure(item) for item in _of(better, SPEED)]),
        ("Less memory", [_figure(item) for item in _of(better, MEMORY)]),
        ("Beyond history, but measured too seldom", [_figure(item) for item in unsure]),
        ("Still failing", [_status(item) for item in found.still_failing]),
        ("Still slower or larger", [_figure(item) for item in found.still_worse]),
    ]
    return [(title, entries) for title, entries in every if entries]


def coverage(found: Comparison) -> str:
    """How many figures were compared, and why the others were not."""
    words = f"{found.compared} figures compared"
    if found.not_compared:
        words += f", {sum(found.not_compared.values())} not: "
        words += ", ".join(f"{count} {reason}" for reason, count in found.not_compared.items())
    return textwrap.fill(words, WIDTH)


def _headline(found: Comparison) -> str:
    return f"{_verdict(found)}\n{found.new.id} compared with {found.base.id}"


def _verdict(found: Comparison) -> str:
    parts = [
        f"{len(items)} {words}"
        for items, words in (
            (found.new_failures, "new failures"),
            (_of(found.worse, SPEED), "slower"),
            (_of(found.worse, MEMORY), "with more memory"),
            (found.fixed, "fixed"),
            (found.still_failing, "still failing"),
        )
        if items
    ]
    counts = found.new.counts
    total = f"{counts.get('passed', 0)} of {counts.get('total', 0)} checks passed"
    return f"{total}; {', '.join(parts) or 'no regression'}"


def _of(items: Sequence[FigureChange], group: str) -> list[FigureChange]:
    return [item for item in items if BY_NAME[item.metric].group == group]


def _status(item: StatusChange) -> str:
    kind = f" ({item.error_type})" if item.error_type not in ("none", item.after) else ""
    before = f"{status_words(item.before)} -> " if item.before not in (None, item.after) else ""
    words = f"{item.model} {item.key}: {before}{status_words(item.after)}{kind}"
    if item.since is not None and item.before == item.after:
        words += f", since {item.since[:10]}"
    if item.flaky:
        words += ", flaky"
    return words + (f"\n{item.message}" if item.message and item.before != item.after else "")


def _figure(item: FigureChange) -> str:
    metric = BY_NAME[item.metric]
    check = f"{item.key} {item.variant}".rstrip()
    words = (
        f"{item.model} {check}: {item.metric} {metric.text(item.usual)} -> "
        f"{metric.text(item.value)} ({item.ratio:.2f}x{' by drift' if item.drift else ''})"
    )
    usual = f"{item.nights} night{'s' if item.nights != 1 else ''}"
    more = f"within {item.allowed:.2f}x in {usual}"
    if item.again:
        shown = metric.text(statistics.median(item.again))
        times = f" ({len(item.again)} times)" if len(item.again) > 1 else ""
        more = f"again {shown}{times}; {more}"
    if item.since is not None:
        more += f"; since {item.since[:10]}"
    if item.changes:
        more += f": {_changes(item.changes)}"
    return f"{words}\n{more}"


def _together(item: CommonChange) -> str:
    found = item.verdict
    way = "slower" if found.is_more else "faster"
    words = f"{item.device}: everything is {way}, by {abs(found.ratio - 1):.0%} at the median"
    seen = "seen again" if found.seen_again else "not measured again"
    return (
        f"{words}\n{seen}; within {found.allowed:.2f}x in {found.nights} nights; the machine is "
        "another, or what all checks use"
    )


def _changes(changes: Sequence[Change]) -> str:
    return ", ".join(str(change) for change in changes)


def _difference(item: Difference) -> str:
    return f"{item.model} {item.key}:\n{item.before}\n{item.after}"


def _indented(entry: str) -> str:
    head, *rest = entry.split("\n")
    return "\n".join([*_lines(head, "  "), *(one_line(f"    {item}", WIDTH) for item in rest)])


def _lines(line: str, indent: str) -> Iterable[str]:
    return wrapped(one_line(line, 4 * WIDTH), indent, indent * 2)


def _code(words: str) -> str:
    return f"`{one_line(words, 2 * WIDTH).replace('`', chr(39))}`"
