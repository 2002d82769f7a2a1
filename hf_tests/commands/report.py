"""Write a run's report anew: one HTML file that opens without a server or a network."""

from __future__ import annotations

import argparse
from pathlib import Path

from hf_tests.nightly.store import LATEST


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "run",
        nargs="?",
        default=LATEST,
        metavar="RUN",
        help="a run's id, its folder or its run.json (default: the newest finished run)",
    )
    parser.add_argument("--results-dir", metavar="DIR", default="results", help="default: results")


def run(options: argparse.Namespace) -> int:
    """Write the report and print its path; returns the exit status."""
    from hf_tests.report import page, reading

    folder = reading.find(Path(options.results_dir), options.run)
    print(page.write(reading.read(folder)))
    return 0
