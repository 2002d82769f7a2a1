"""Show how much of the installed transformers has an entry, is built and passes."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hf_tests.nightly.wording import one_line, status_words

if TYPE_CHECKING:
    from hf_tests.nightly.coverage import Coverage

WIDTH = 80
REASON_WIDTH = 160  # characters of a reason: two lines


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="as Markdown")
    form.add_argument("--json", action="store_true", help="as JSON, with every model type")
    parser.add_argument("--registry", metavar="FILE", help="in place of the shipped registry.json")
    parser.add_argument("--results-dir", metavar="DIR", default="results", help="default: results")
    parser.add_argument(
        "--cache-dir", metavar="DIR", default="", help="where versions' model types are kept"
    )


def run(options: argparse.Namespace) -> int:
    """Print the coverage; returns the exit status."""
    from hf_tests import cache
    from hf_tests.nightly import coverage, select

    registry = select.registry(options.registry)
    cache_dir = Path(options.cache_dir or cache.default_folder()).expanduser()
    found = coverage.measure(registry, Path(options.results_dir), cache_dir)
    if options.json:
        print(found.to_json())
    elif options.markdown:
        print("\n".join(_markdown(found)))
    else:
        print("\n".join(_text(found)))
    return 0


def _rows(found: Coverage) -> Iterator[tuple[str, str]]:
    """What is counted, and how much of it there is."""
    yield "with an entry", _share(len(found.entries), found)
    yield "built tiny", _share(len(found.built), found)
    for check in found.checks:
        others = [
            f"{len(names)} {status_words(status)}"
            for status, names in check.statuses.items()
            if status != "passed"
        ]
        words = "; ".join([f"{_share(check.passed, found)} passed", *others])
        yield f"{check.method} on {check.device}", words


def _share(count: int, found: Coverage) -> str:
    return f"{count:4} {100 * count / max(1, len(found.types)):3.0f} %"


def _text(found: Coverage) -> Iterator[str]:
    yield f"transformers {found.transformers}: {len(found.types)} model types with a model class"
    rows = list(_rows(found))
    name = max(len(label) for label, _ in rows)
    for label, words in rows:
        yield f"  {label:{name}}  {words}"
    if not found.checks:
        yield "  no run with this version yet: python runner.py --all"
    for check in found.checks:
        if check.reasons:
            yield f"\nNot passed by {check.method} on {check.device}:"
        for why, names in check.reasons:
            yield _wrapped(f"{len(names)}: {_short(why)} [{_some(names)}]", "  ", "    ")
    yield from _compared(found)
    if found.missing:
        yield f"\nWithout an entry ({len(found.missing)}):"
        yield _wrapped(", ".join(found.missing), "  ", "  ")


def _compared(found: Coverage) -> Iterator[str]:
    if found.other is None:
        return
    yield f"\nAgainst transformers {found.other}:"
    yield _wrapped(f"{len(found.new)} new: {', '.join(found.new) or '-'}", "  ", "    ")
    yield _wrapped(f"{len(found.gone)} gone: {', '.join(found.gone) or '-'}", "  ", "    ")


def _wrapped(text: str, first: str, others: str) -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=others, break_on_hyphens=False
    )


def _short(why: str) -> str:
    return one_line(why, REASON_WIDTH)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:6])
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"


def _markdown(found: Coverage) -> Iterator[str]:
    yield f"## Coverage of transformers {found.transformers}\n"
    yield "| | model types | |\n| --- | --- | --- |"
    yield f"| with a model class | {len(found.types)} | |"
    for label, words in _rows(found):
        share, _, rest = words.partition(" %")
        count, percent = share.split()
        yield f"| {label} | {count} ({percent} %) | {rest.removeprefix(' passed').strip('; ')} |"
    for check in found.checks:
        if check.reasons:
            yield f"\n### Not passed by {check.method} on {check.device}\n"
        for why, names in check.reasons:
            yield f"- {_escaped(_short(why))} ({len(names)}): {', '.join(names)}"
    if found.other is not None:
        yield f"\n### Against transformers {found.other}\n"
        yield f"- {len(found.new)} new: {', '.join(found.new) or '-'}"
        yield f"- {len(found.gone)} gone: {', '.join(found.gone) or '-'}"
    if found.missing:
        yield f"\n### Without an entry ({len(found.missing)})\n\n{', '.join(found.missing)}"


def _escaped(text: str) -> str:
    """The text without what Markdown or HTML would take for its own."""
    for mark in "\\`*_[]|#":
        text = text.replace(mark, f"\\{mark}")
    return text.replace("<", "&lt;").replace(">", "&gt;")
