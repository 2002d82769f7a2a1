"""Whether the main job could run here, and what to mend: one page, or JSON."""

from __future__ import annotations

import argparse
import json
import re
import textwrap
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hf_tests.nightly.health import Health

OK, BAD = 0, 1
WIDTH = 80
MODELS_SHOWN = 1
LIBRARIES = "libraries of single models are not installed"
NOT_INSTALLED = re.compile(r"\S+ is not installed: python -m pip install (\S+)")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--registry", metavar="FILE", help="in place of the shipped registry.json")
    parser.add_argument("--results-dir", metavar="DIR", default="results", help="default: results")


def run(options: argparse.Namespace) -> int:
    """Print what is found; returns 1 where the main job could not run."""
    from hf_tests.nightly import health

    found = health.examine(options.registry, Path(options.results_dir))
    if options.json:
        print(json.dumps(found.to_json(), indent=1))
    else:
        print("\n".join(_page(found)))
    return BAD if found.problems else OK


def _page(found: Health) -> Iterator[str]:
    yield from _wrap(f"Python {found.python}: {found.interpreter}", "")
    yield ""
    for package in found.packages:
        if package.needed or package.version is not None:
            verdict = package.problem or "fits"
            wanted = _cut(package.wanted, 18)
            line = f"{package.name:16} {_cut(package.version or '-', 16):16} {wanted:18} {verdict}"
            yield from _wrap(line, "", " " * 53)
    others = [p.name for p in found.packages if not p.needed and p.version is None]
    if others:
        yield from _wrap(f"not installed and not needed: {', '.join(others)}", "")
    yield ""
    for device in found.devices:
        memory = f"{device.memory_mb / 1024:.1f} GB" if device.memory_mb else ""
        driver = f", driver {device.driver}" if device.driver else ""
        yield from _wrap(f"{device.name:14} {memory:>9}  {device.description}{driver}", "")
    for note in found.notes:
        yield from _wrap(note, "")
    yield ""
    hub = found.hub
    answer = "reachable" if hub.reachable else f"not reachable ({hub.reason})"
    yield from _wrap(f"Hub: {hub.address} is {answer}", "")
    yield f"logged in: {'yes' if hub.logged_in else 'no'}"
    yield ""
    for folder in found.folders:
        free = f"{folder.free_mb / 1024:.0f} GB free" if folder.free_mb is not None else "?"
        state = free if folder.writable else "cannot be written"
        yield from _wrap(f"{folder.purpose:17} {state:>17}  {folder.path}", "", " " * 37)
    yield ""
    told: set[str] = set()
    for item in found.runnable:
        yield f"{item.device}: {item.models} of {item.of} models could run"
        lacking = _by_what_is_wrong(item.lacking, item.of)
        special = {reason for reason, models in lacking.items() if len(models) < item.of}
        if special & told:
            yield "  what is missing on the devices above is missing here too"
        for reason, models in lacking.items():
            if reason in told:
                continue
            told |= {reason} & special
            some = ", ".join(models)
            who = some if len(models) <= MODELS_SHOWN else f"{len(models)} models"
            yield from _wrap(reason if len(models) == item.of else f"{reason} [{who}]", "  ")
        known = sum(map(len, item.known.values()))
        if known:
            yield from _wrap(f"{known} are known to fail there: doctor --json has why", "  ")
    yield ""
    if not found.problems:
        yield "The main job can run: python runner.py --all"
    for problem in found.problems:
        yield from _wrap(f"The main job cannot run: {problem}", "")


def _by_what_is_wrong(lacking: Mapping[str, Sequence[str]], of: int) -> dict[str, list[str]]:
    """The models by reason: what only some of all lack for like reasons stands together.

    ``of`` is the number of all.
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for reason, models in lacking.items():
        wrong = reason.partition(": ")[0]
        is_library = len(models) < of and NOT_INSTALLED.fullmatch(reason)
        alike[LIBRARIES if is_library else wrong].append(reason)
    found = {}
    for wrong, reasons in alike.items():
        words = f"{wrong}: doctor --json has what each model needs"
        if len(reasons) == 1:
            words = reasons[0]
        elif wrong == LIBRARIES:
            names = (NOT_INSTALLED.sub(r"\1", reason) for reason in reasons)
            words = f"{wrong}: python -m pip install {' '.join(names)}"
        found[words] = [*dict.fromkeys(model for reason in reasons for model in lacking[reason])]
    return found


def _wrap(text: str, indent: str, then: str | None = None) -> list[str]:
    """A text in lines of the page's width; words that are longer than a line stay whole."""
    if len(indent + text) <= WIDTH:
        return [(indent + text).rstrip()]
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "  " if then is None else then,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."
