"""Write a run's report anew: one HTML file that opens without a server or a network."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hf_tests.nightly.store import LATEST
from hf_tests.nightly.usage import UsageError

if TYPE_CHECKING:
    from hf_tests.nightly.store import RunFolder

SUMMARY = "GITHUB_STEP_SUMMARY"
"""The variable in which GitHub's runner names the file that it shows as a job's summary."""

FORMATS = ("junit", "markdown", "json")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "run",
        nargs="?",
        default=LATEST,
        metavar="RUN",
        help="a run's id, its folder or its run.json (default: the newest finished run)",
    )
    parser.add_argument(
        "--index",
        action="store_true",
        help="write index.html into the results folder in place of a report: all runs, models by "
        "nights",
    )
    formats(parser)
    parser.add_argument("--registry", metavar="FILE", help="in place of the shipped registry.json")
    parser.add_argument("--results-dir", metavar="DIR", default="results", help="default: results")


def formats(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add the options for files that other tools read."""
    for name, says in (
        ("junit", "write the checks as JUnit's XML too"),
        ("markdown", f"write a summary as Markdown too; it is also added to ${SUMMARY}"),
        ("json", "write run.json there too"),
    ):
        parser.add_argument(f"--{name}", metavar="FILE", help=says)


def run(options: argparse.Namespace) -> int:
    """Write the report and print its path; returns the exit status."""
    gc.disable()  # nearly all that is made here is in use until the end
    if options.index:
        from hf_tests.report import index

        if options.run != LATEST or any(getattr(options, name) for name in FORMATS):
            raise UsageError("--index is about all runs; it takes neither RUN nor a format.")
        print(index.write(Path(options.results_dir)))
        return 0
    from hf_tests.report import reading

    check(options)
    print(write(reading.find(Path(options.results_dir), options.run), options))
    return 0


def check(options: argparse.Namespace) -> None:
    """Raise UsageError for a file that could not be written, before a run has taken its hours."""
    for name in FORMATS:
        path = getattr(options, name)
        if path is None:
            continue
        parent = Path(path).absolute().parent
        if Path(path).is_dir() or not parent.is_dir() or not os.access(parent, os.W_OK):
            raise UsageError(f"--{name} {path}: there is no folder {parent} that can be written.")


def write(folder: RunFolder, options: argparse.Namespace, html: bool = True) -> str:
    """Write a run's report and the other formats asked for; returns the paths, one a line."""
    from hf_tests.commands.compare import thresholds_of
    from hf_tests.nightly.store import write_bytes
    from hf_tests.report import page, past, reading

    found = reading.read(folder)
    known = past.of_run(folder, thresholds_of([], options.registry))
    written = [page.write(found, known)] if html else []
    if options.junit:
        from hf_tests.report import junit

        junit.write(found, Path(options.junit))
        written.append(Path(options.junit))
    summary = os.environ.get(SUMMARY)
    if options.markdown or summary:
        from hf_tests.report import markdown

        text = markdown.text(found, known)
        if options.markdown:
            write_bytes(Path(options.markdown), text.encode())
            written.append(Path(options.markdown))
        if summary:
            try:
                with Path(summary).open("a", encoding="utf-8") as file:
                    file.write(text)
            except OSError as error:
                print(f"runner.py: ${SUMMARY}: {error}", file=sys.stderr)
    if options.json:
        write_bytes(Path(options.json), (folder.path / "run.json").read_bytes())
        written.append(Path(options.json))
    return "\n".join(map(str, written))
