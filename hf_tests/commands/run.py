"""Run a selection of models on this machine's devices, or list what could be run."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import io
import os
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from hf_tests.commands import listing, report, run_options
from hf_tests.nightly.usage import UsageError

if TYPE_CHECKING:
    from hf_tests.nightly.plan import Plan
    from hf_tests.nightly.resume import TakenUp
    from hf_tests.nightly.run import Conduct, Finished
    from hf_tests.nightly.store import RunFolder
    from hf_tests.registry import Model

# A listing must answer at once, so what only a run needs is imported where it is used.

arguments = run_options.arguments

Suspects = Callable[["RunFolder"], Collection[tuple[str, str, str]]]
"""The checks of a run that are to be measured again: model, device, method."""


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
    return _test(models, options, sys.stdout)[0]


def _night(models: Sequence[Model], options: argparse.Namespace) -> int:
    """A run that is silent when nothing has changed since the night before."""
    from hf_tests.commands.compare import thresholds_of
    from hf_tests.nightly import night

    limits = thresholds_of([], options.registry)
    options.rerun_failed = True
    told = io.StringIO()
    with night.alone(Path(options.results_dir)):
        status, finished = _test(
            models, options, told, lambda folder: night.suspects(folder, limits)
        )
        if finished is None:
            print(told.getvalue(), end="")
            return status
        found = night.conclude(finished, limits, options.keep)
    if options.notify:
        night.notify(options.notify, found)
    if found.text:
        print(found.text)
    return found.exit_status


def _test(
    models: Sequence[Model],
    options: argparse.Namespace,
    out: TextIO,
    suspects: Suspects | None = None,
) -> tuple[int, Finished | None]:
    """Test the models and say so to ``out``; returns the exit status, and the run if there was."""
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
            registry=options.registry or "",
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
    print(chosen.headline, file=out, flush=True)
    for problem in chosen.problems:
        print(f"runner.py: wrong registry: {problem}", file=sys.stderr)
    if options.dry_run:
        for job in chosen.jobs:
            methods = ", ".join(job.methods)
            print(f"{job.model.id:38} {job.device:9} {job.weights:5} {methods}", file=out)
        return (nightly.USAGE if chosen.problems else nightly.OK), None
    if len(chosen.problems) == len(models):
        return nightly.USAGE, None
    chosen = _fetched(chosen, options)
    if options.prefetch:
        return _prefetched(chosen, out), None
    folder = RunFolder.create(Path(options.results_dir))
    folder.lock()
    finished = _execute(chosen, folder, options, out, suspects=suspects)
    return finished.exit_status, finished


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
    return _execute(taken_up.plan, folder, options, sys.stdout, taken_up).exit_status


def _fetched(chosen: Plan, options: argparse.Namespace, done: Collection[str] = ()) -> Plan:
    """The plan with its published checkpoints downloaded, but for those of jobs that are done."""
    from hf_tests.nightly import downloads

    if options.quiet:
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    left = [job for job in chosen.jobs if job.name not in done]
    say = functools.partial(print, file=sys.stderr, flush=True)
    pickles = _named(chosen, "--allow-pickle", options.allow_pickle)
    trusted = _trusted(chosen, options)
    to_run = not options.prefetch
    found = downloads.prepare(left, say, options.force, to_run, pickles, trusted)
    prepared = {job.name: job for job in found}
    jobs = tuple(prepared.get(job.name, job) for job in chosen.jobs)
    return dataclasses.replace(chosen, jobs=jobs)


def _named(chosen: Plan, option: str, names: Sequence[str]) -> frozenset[str]:
    """The ids of the models that an option names. Raises UsageError for one not in the run."""
    ids = {job.model.id for job in chosen.jobs}
    found = set()
    for name in names:
        same = {name, str(Path(name).resolve())} & ids
        if not same:
            raise UsageError(f"{option} {name}: no such model is in this run.")
        found |= same
    return frozenset(found)


def _trusted(chosen: Plan, options: argparse.Namespace) -> frozenset[str]:
    """The ids of the models whose own code may be run. Raises UsageError."""
    found = _named(chosen, "--trust-remote-code", options.trust_remote_code)
    for job in chosen.jobs:
        if job.model.id in found and not job.model.own_code:
            raise UsageError(
                f"--trust-remote-code {job.model.id}: its entry in the registry does not say "
                '"own_code": true, and both are needed.'
            )
    return found


def _prefetched(chosen: Plan, out: TextIO) -> int:
    """Say which checkpoints are there; returns the exit status."""
    from hf_tests.nightly import run as nightly

    jobs = {job.model.id: job for job in chosen.jobs if job.weights == "hub"}
    lacking = [model_id for model_id, job in jobs.items() if job.barred]
    ready = len(jobs) - len(lacking)
    print(f"{ready} of {len(jobs)} published checkpoints are in the Hub's cache", file=out)
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
    out: TextIO,
    taken_up: TakenUp | None = None,
    suspects: Suspects | None = None,
) -> Finished:
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
    watcher = progress.watcher(left, level, out)
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
    print(f"\n{summary.text(finished)}", file=out)
    _report(folder, options, out)
    return finished


def _report(folder: RunFolder, options: argparse.Namespace, out: TextIO) -> None:
    """Write the run's report. The run has its result; a report that cannot be written changes none.

    ``runner.py report`` writes it at any later time.
    """
    try:
        says = report.write(folder, options, html=not options.no_report)
        print(says, end="\n" if says else "", file=out)
    except Exception as error:  # noqa: BLE001 - see above
        print(
            f"runner.py: the report could not be written ({type(error).__name__}: {error}); "
            f"python runner.py report {folder.run_id} tries again.",
            file=sys.stderr,
        )
