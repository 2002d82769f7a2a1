"""The options of a run: what to test, on what, how, and what to look at without testing."""

from __future__ import annotations

import argparse
import random

from hf_tests.commands import report


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    what = parser.add_argument_group("what to test")
    what.add_argument("--all", action="store_true", help="all models of the registry")
    what.add_argument(
        "--family",
        "--category",
        nargs="+",
        metavar="NAME",
        default=[],
        help="all models of these families",
    )
    what.add_argument(
        "--each-family",
        type=_count,
        metavar="N",
        help="N models of every family, its default one first: a part of each kind in a few "
        "minutes (also of the families named)",
    )
    what.add_argument(
        "--model",
        nargs="+",
        metavar="ID_OR_PATH",
        default=[],
        help="these models: ids of the registry or of the Hub, or folders",
    )
    what.add_argument(
        "--method",
        nargs="+",
        metavar="NAME",
        default=[],
        help="pipeline, from_pretrained, openvino",
    )
    what.add_argument(
        "--dtype",
        nargs="+",
        choices=("float32", "bfloat16", "float16"),
        metavar="NAME",
        default=[],
        help="float32, bfloat16, float16: each check in each of them (default: float32 on the CPU, "
        "the checkpoint's own elsewhere)",
    )
    what.add_argument(
        "--batch-size",
        nargs="+",
        type=_count,
        metavar="N",
        default=[],
        help="time each check on batches of these sizes too, and hold every row against the "
        "reference (a single input is always run)",
    )
    what.add_argument("--registry", metavar="FILE", help="in place of the shipped registry.json")
    where = parser.add_argument_group("on what").add_mutually_exclusive_group()
    where.add_argument(
        "--device",
        nargs="+",
        metavar="NAME",
        default=[],
        help="cpu, cuda, cuda:1, mps, openvino, openvino:gpu, ... (default: one of each kind)",
    )
    where.add_argument("--all-hardware", action="store_true", help="every single device")
    where.add_argument("--cpu-only", action="store_true", help="the CPU alone, without OpenVINO")
    how = parser.add_argument_group("how")
    how.add_argument(
        "--weights",
        choices=("auto", "tiny", "hub"),
        default="auto",
        help="auto: a folder or the Hub's cache, else tiny; tiny: random weights, built here; "
        "hub: published ones, downloaded if need be (default: auto)",
    )
    how.add_argument(
        "--force",
        action="store_true",
        help="try even what the disk or the device's memory seems to have no room for",
    )
    how.add_argument(
        "--allow-pickle",
        nargs="+",
        metavar="ID_OR_PATH",
        default=[],
        help="models of this run whose weights may be taken out of a pickle where there is nothing "
        "else: tensors alone, no code of it is run",
    )
    how.add_argument(
        "--trust-remote-code",
        nargs="+",
        metavar="ID_OR_PATH",
        default=[],
        help="models of this run whose own code may be run, where their entries in the registry "
        'say "own_code" too, and from the Hub only at a pinned commit',
    )
    how.add_argument(
        "--timeout",
        type=_positive,
        metavar="SECONDS",
        help="time for each job (default: by model size)",
    )
    how.add_argument(
        "--trials",
        type=_count,
        metavar="N",
        help="most timed runs of each check (default: 5 on tiny weights, else 200)",
    )
    how.add_argument(
        "--min-trials", type=_count, metavar="N", help="fewest (default: 5; 10 on real weights)"
    )
    how.add_argument(
        "--time-budget",
        type=_positive,
        metavar="SECONDS",
        help="for the timed runs beyond the fewest; they also end once the median is known to 2 %% "
        "(default: 1 on tiny weights, else 20)",
    )
    how.add_argument(
        "--memory-limit",
        type=_positive,
        metavar="MIB",
        help="memory for each job (default: what is free less a reserve)",
    )
    how.add_argument(
        "--isolation",
        choices=("auto", "fork", "spawn", "none"),
        help="how each job gets a process of its own: fork of one that has imported, a spawned "
        "interpreter, none (to debug); auto: fork where it is sound (default: auto)",
    )
    how.add_argument(
        "--jobs",
        type=_count,
        metavar="N",
        help="jobs at a time, each with cores of its own, a GPU at most one; beside others a model "
        "is timed as slower than alone (default: 1)",
    )
    how.add_argument(
        "--shuffle",
        type=int,
        nargs="?",
        const=random.randrange(10**6),
        metavar="SEED",
        help="run the jobs in a random order",
    )
    how.add_argument(
        "--fail-fast", action="store_true", default=None, help="run nothing after a failure"
    )
    how.add_argument(
        "--rerun-failed",
        action="store_true",
        default=None,
        help="run what failed once more at the end, and report both outcomes; it stays a failure",
    )
    how.add_argument(
        "--resume",
        nargs="?",
        const="",
        metavar="RUN",
        help="finish an interrupted run (default: the newest one)",
    )
    how.add_argument(
        "--nightly",
        action="store_true",
        help="one night: run what failed or is beyond its history once more, compare with the "
        "night before, print only what changed",
    )
    how.add_argument(
        "--keep",
        type=_count,
        metavar="N",
        help="with --nightly: keep the folders of the newest N runs; the history has them all",
    )
    how.add_argument(
        "--notify",
        metavar="COMMAND",
        help="with --nightly: a command that gets the night's summary as JSON on standard input",
    )
    how.add_argument("--results-dir", metavar="DIR", default="results", help="default: results")
    how.add_argument(
        "--cache-dir",
        metavar="DIR",
        default="",
        help="where tiny checkpoints, converted models and unpickled weights are kept",
    )
    how.add_argument(
        "--cache-size",
        type=_positive,
        metavar="GB",
        help="most that converted models may take there; the least recently used go first "
        "(default: HF_TESTS_CACHE_GB, or 20)",
    )
    how.add_argument(
        "--no-cache", action="store_true", help="convert models for OpenVINO anew, keep nothing"
    )
    how.add_argument("--no-report", action="store_true", help="write no report.html at the end")
    report.formats(how)
    look = parser.add_argument_group("look without testing")
    look.add_argument("--list-families", action="store_true", help="the registry's families")
    look.add_argument("--list-models", action="store_true", help="the registry's models")
    look.add_argument("--list-devices", action="store_true", help="this machine's devices")
    look.add_argument(
        "--prefetch", action="store_true", help="download the published checkpoints, and no more"
    )
    look.add_argument("--dry-run", action="store_true", help="the plan: one line a job")
    says = parser.add_mutually_exclusive_group()
    says.add_argument("--quiet", action="store_true", help="say only what failed, and the summary")
    says.add_argument("--verbose", action="store_true", help="say every check, with tracebacks")


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e7:
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number")
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no positive whole number")
    return int(text)
