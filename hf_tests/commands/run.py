"""Run a selection of models on this machine's devices, or list what could be run."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import os
import random
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hf_tests.commands import listing, report
from hf_tests.nightly.usage import UsageError

if TYPE_CHECKING:
    from hf_tests.nightly.plan import Plan
    from hf_tests.nightly.resume import TakenUp
    from hf_tests.nightly.run import Conduct, Finished
    from hf_tests.nightly.store import RunFolder
    from hf_tests.registry import Model

# A listing must answer at once, so what only a run needs is imported where it is used.


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
        help="where tiny checkpoints and converted models are kept",
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


def run(options: argparse.Namespace) -> int:
    """Do what the options ask for; returns the exit status."""
    from hf_tests.nightly import select

    if options.list_devices:
        from hf_tests import hardware

        return listing.devices(hardware.detect())
    if options.resume is not None:
        if options.all or options.family or options.model or options.each_family:
            raise UsageError("--resume takes up a run's own plan, no other")
        return _resume(options)
    registry = select.registry(options.registry)
    if options.list_families:
        return listing.families(registry)
    if options.prefetch:
        options.weights = "hub"
    if not options.nightly and (options.keep or options.notify):
        raise UsageError("--keep and --notify go with --nightly")
    models = select.models(registry, options.family, options.model, options.weights)
    if options.each_family:
        if options.all or options.model:
            raise UsageError("--each-family does not go with --all or --model")
        models = select.each_family(registry, models, options.each_family)
    if options.list_models:
        return listing.models(registry, models)
    if not (options.all or options.family or options.model or options.each_family):
        raise UsageError(
            "say what to test: --all, --each-family N, --family NAME or --model ID (see --help)"
        )
    if options.all and (options.family or options.model):
        raise UsageError("--all does not go with --family or --model")
    if options.nightly and not options.dry_run:
        return _night(models, options)
    return _test(models, options)


def _night(models: Sequence[Model], options: argparse.Namespace) -> int:
    """A run that is silent when nothing has changed since the night before."""
    import contextlib
    import io

    from hf_tests.commands.compare import thresholds_of
    from hf_tests.nightly import night

    limits = thresholds_of([], options.registry)
    options.rerun_failed = True
    ended: list[Finished] = []
    with night.alone(Path(options.results_dir)):
        told = io.StringIO()
        with contextlib.redirect_stdout(told):
            status = _test(
                models, options, lambda folder: night.suspects(folder, limits), ended.append
            )
        if not ended:
            print(told.getvalue(), end="")
            return status
        found = night.conclude(ended[0], limits, options.keep)
    if options.notify:
        night.notify(options.notify, found)
    if found.text:
        print(found.text)
    return found.exit_status


def _test(
    models: Sequence[Model],
    options: argparse.Namespace,
    suspects: Callable[[RunFolder], Collection[tuple[str, str, str]]] | None = None,
    ended: Callable[[Finished], None] | None = None,
) -> int:
    from hf_tests import hardware
    from hf_tests.nightly import plan, select
    from hf_tests.nightly import run as nightly
    from hf_tests.nightly.store import RunFolder

    if options.trials and options.min_trials and options.min_trials > options.trials:
        raise UsageError("--min-trials is more than --trials")
    report.check(options)
    _conduct(options)  # what cannot be is said before looking around
    wanted = select.check_methods(options.method)
    names = ["cpu"] if options.cpu_only else options.device
    select.check_devices(names)  # before looking around, which takes a second
    machine = hardware.detect()
    cache_dir = Path(options.cache_dir).expanduser().resolve() if options.cache_dir else ""
    chosen = plan.make(
        models,
        select.devices(machine, names, options.all_hardware),
        plan.Options(
            weights=options.weights,
            methods=wanted,
            dtypes=tuple(dict.fromkeys(options.dtype)),
            # The single input is always run: it is what the model is judged by.
            batch_sizes=tuple(sorted(set(options.batch_size) - {1})),
            timeout_s=options.timeout,
            memory_limit_mb=options.memory_limit,
            cache_dir=str(cache_dir),
            trials=options.trials,
            min_trials=options.min_trials,
            time_budget_s=options.time_budget,
            convert_anew=options.no_cache,
            cache_limit_gb=options.cache_size,
        ),
    )
    if options.shuffle is not None:
        chosen = plan.shuffled(chosen, options.shuffle)
    print(chosen.headline, flush=True)
    for problem in chosen.problems:
        print(f"runner.py: wrong registry: {problem}", file=sys.stderr)
    if options.dry_run:
        for job in chosen.jobs:
            methods = ", ".join(job.methods)
            print(f"{job.model.id:38} {job.device:9} {job.weights:5} {methods}")
        return nightly.USAGE if chosen.problems else nightly.OK
    if len(chosen.problems) == len(models):
        return nightly.USAGE
    chosen = _fetched(chosen, options)
    if options.prefetch:
        return _prefetched(chosen)
    folder = RunFolder.create(Path(options.results_dir))
    folder.lock()
    return _execute(chosen, folder, options, None, suspects, ended)


def _resume(options: argparse.Namespace) -> int:
    from hf_tests.nightly import resume

    folder = resume.find(Path(options.results_dir), options.resume or None)
    folder.lock()
    taken_up = resume.take_up(folder)
    # What the run was told about how to run its jobs holds for the rest of it too.
    for name in ("isolation", "jobs", "fail_fast", "rerun_failed"):
        if getattr(options, name) is None:
            setattr(options, name, taken_up.options.get(name))
    report.check(options)
    _conduct(options)
    done = f"{len(taken_up.done)} of {len(taken_up.plan.jobs)} jobs are done"
    print(f"resuming {folder.run_id}: {done}\n{taken_up.plan.headline}", flush=True)
    taken_up = dataclasses.replace(taken_up, plan=_fetched(taken_up.plan, options, taken_up.done))
    return _execute(taken_up.plan, folder, options, taken_up)


def _fetched(chosen: Plan, options: argparse.Namespace, done: Collection[str] = ()) -> Plan:
    """The plan with its published checkpoints downloaded, but for those of jobs that are done."""
    from hf_tests.nightly import downloads

    if options.quiet:
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    left = [job for job in chosen.jobs if job.name not in done]
    say = functools.partial(print, file=sys.stderr, flush=True)
    found = downloads.prepare(left, say, options.force, to_run=not options.prefetch)
    prepared = {job.name: job for job in found}
    jobs = tuple(prepared.get(job.name, job) for job in chosen.jobs)
    return dataclasses.replace(chosen, jobs=jobs)


def _prefetched(chosen: Plan) -> int:
    """Say which checkpoints are there; returns the exit status."""
    from hf_tests.nightly import run as nightly

    jobs = {job.model.id: job for job in chosen.jobs if job.weights == "hub"}
    lacking = [model_id for model_id, job in jobs.items() if job.barred]
    print(f"{len(jobs) - len(lacking)} of {len(jobs)} published checkpoints are in the Hub's cache")
    if not jobs:
        return nightly.NOTHING_TESTED
    return nightly.BAD if lacking else nightly.OK


def _conduct(options: argparse.Namespace) -> Conduct:
    """How the jobs are to be run. Raises UsageError where that cannot be."""
    from hf_tests import hardware
    from hf_tests.nightly.run import Conduct

    count, cores = options.jobs or 1, hardware.available_cores()
    if count > 1 and options.isolation == "none":
        raise UsageError("--jobs needs processes, and --isolation none has none.")
    if count > cores:
        raise UsageError(f"--jobs {count} needs a core for each, and there are {cores} here.")
    in_turn = count == 1 or options.shuffle is not None
    return Conduct(count, not in_turn, bool(options.fail_fast), bool(options.rerun_failed))


def _execute(
    chosen: Plan,
    folder: RunFolder,
    options: argparse.Namespace,
    taken_up: TakenUp | None = None,
    suspects: Callable[[RunFolder], Collection[tuple[str, str, str]]] | None = None,
    ended: Callable[[Finished], None] | None = None,
) -> int:
    from hf_tests import hardware
    from hf_tests.isolation import launcher_of
    from hf_tests.isolation.fork import Unfit
    from hf_tests.nightly import progress, summary
    from hf_tests.nightly import run as nightly

    described = {
        key: value
        for key, value in sorted(vars(options).items())
        if value not in (None, False, [], "")
    }
    level = progress.NORMAL
    if options.quiet or options.verbose:
        level = progress.QUIET if options.quiet else progress.VERBOSE
    left = len(chosen.jobs) - (len(taken_up.done) if taken_up else 0)
    watcher = progress.watcher(left, level)
    launcher = launcher_of(options.isolation or "auto", chosen.jobs)
    try:
        finished = nightly.execute(
            chosen,
            hardware.detect(),
            launcher,
            folder,
            taken_up.options if taken_up else described,
            watcher,
            taken_up,
            _conduct(options),
            suspects,
        )
    except Unfit as reason:
        raise UsageError(f"--isolation {options.isolation} is not to be had: {reason}") from None
    finally:
        launcher.close()
        watcher.close()
    print(f"\n{summary.text(finished)}")
    _report(folder, options)
    if ended is not None:
        ended(finished)
    return finished.exit_status


def _report(folder: RunFolder, options: argparse.Namespace) -> None:
    """Write the run's report. The run has its result; a report that cannot be written changes none.

    ``runner.py report`` writes it at any later time.
    """
    try:
        says = report.write(folder, options, html=not options.no_report)
        print(says, end="\n" if says else "")
    except Exception as error:  # noqa: BLE001 - see above
        print(
            f"runner.py: the report could not be written ({type(error).__name__}: {error}); "
            f"python runner.py report {folder.run_id} tries again.",
            file=sys.stderr,
        )
