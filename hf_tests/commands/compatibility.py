"""What works on which device, from all runs: a table, Markdown for a README, or JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hf_tests.nightly.wording import WIDTH, one_line, wrapped

if TYPE_CHECKING:
    from hf_tests.nightly.compatibility import Cell


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="print a table in Markdown")
    form.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--results-dir", metavar="DIR", default="results", help="default: results")


def run(options: argparse.Namespace) -> int:
    """Print the newest result of each model on each device. Raises UsageError without any."""
    from hf_tests.nightly import compatibility
    from hf_tests.nightly.usage import UsageError

    cells = compatibility.read(Path(options.results_dir))
    if not cells:
        raise UsageError(f"{options.results_dir} has no run; python runner.py --all makes one.")
    devices = compatibility.devices(cells)
    if options.json:
        print(json.dumps([vars(cell) for cell in cells], indent=1))
    else:
        print("\n".join((_markdown if options.markdown else _table)(cells, devices)))
    return 0


def _rows(cells: Sequence[Cell], devices: Sequence[str]) -> list[list[str]]:
    found = {(cell.model, cell.device): cell.text for cell in cells}
    models = dict.fromkeys(cell.model for cell in cells)
    return [[model, *(found.get((model, device), "") for device in devices)] for model in models]


def _table(cells: Sequence[Cell], devices: Sequence[str]) -> Iterator[str]:
    rows = [["model", *devices], *_rows(cells, devices)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    widths[0] = min(widths[0], 40)
    for row in rows:
        line = "  ".join(_short(text, width) for text, width in zip(row, widths, strict=True))
        yield line.rstrip()
    for text in _reasons(cells):
        yield ""
        yield from wrapped(text, "", "  ")


def _markdown(cells: Sequence[Cell], devices: Sequence[str]) -> Iterator[str]:
    yield _line(["model", *devices])
    yield _line(["---"] * (1 + len(devices)))
    yield from (_line(row) for row in _rows(cells, devices))
    yield ""
    yield from (f"- {_escape(text)}" for text in _reasons(cells))


def _reasons(cells: Sequence[Cell]) -> Iterator[str]:
    """Why checks did not pass: each reason once, with the models and devices that have it."""
    groups: dict[str, dict[str, None]] = {}
    for cell in cells:
        for reason in cell.reasons.values():
            where = f"{cell.model} on {cell.device}"
            groups.setdefault(one_line(reason, 3 * WIDTH), {})[where] = None
    for reason, places in groups.items():
        names = list(places)
        who = ", ".join(names) if len(names) <= 3 else f"{names[0]} and {len(names) - 1} more"
        yield f"{who}: {reason}"


def _short(text: str, width: int) -> str:
    return (text if len(text) <= width else f"...{text[len(text) - width + 3 :]}").ljust(width)


def _line(words: Sequence[str]) -> str:
    return f"| {' | '.join(_escape(word) for word in words)} |"


def _escape(text: str) -> str:
    """Foreign words in Markdown: no markup, no cell of their own."""
    for character in "\\`*_[]<>|":
        text = text.replace(character, f"\\{character}")
    return text
