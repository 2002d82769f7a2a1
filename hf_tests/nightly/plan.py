"""From a selection to jobs: one for every model on every device."""

from __future__ import annotations

import dataclasses
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hf_tests import cache, dependencies, hardware
from hf_tests import registry as registries
from hf_tests.job import Job
from hf_tests.nightly import select, weights
from hf_tests.nightly.usage import UsageError, unknown
from hf_tests.registry import Model

TINY_TIMEOUT_S = 600.0
TIMEOUT_S_PER_GIB = 240.0  # loading, converting and running real weights on a slow machine
DOWNLOAD_S_PER_GIB = 600.0
TINY_SAMPLING: dict[str, Any] = {"trials": 5, "min_trials": 5, "time_budget_s": 1.0}
SAMPLING: dict[str, Any] = {"trials": 200, "min_trials": 10, "time_budget_s": 20.0}

BASE_MB = 500.0  # of a job on the smallest checkpoint, beside what its fork server has imported
MEMORY_PER_WEIGHTS = 4.0  # the most that a job holds at a time, in multiples of its weight files


@dataclass(frozen=True)
class Options:
    """How jobs are to be run, whatever models and devices are chosen.

    ``timeout_s`` None means what the registry says, or by the size of the weights; that of
    ``trials``, ``min_trials`` and ``time_budget_s`` what serves tiny or real weights;
    ``memory_limit_mb`` None what the scheduler can give; ``cache_limit_gb`` None what the
    environment says.
    """

    weights: str = "auto"
    methods: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    batch_sizes: tuple[int, ...] = ()
    timeout_s: float | None = None
    memory_limit_mb: float | None = None
    cache_dir: str = ""
    trials: int | None = None
    min_trials: int | None = None
    time_budget_s: float | None = None
    convert_anew: bool = False
    cache_limit_gb: float | None = None
    registry: str = ""


@dataclass(frozen=True)
class Plan:
    """The jobs of a run, in order; ``headline`` says on which weights they run.

    ``problems`` are sentences about entries of the registry that cannot be right; their jobs are
    in the plan all the same, and report it.
    """

    jobs: tuple[Job, ...]
    headline: str
    problems: tuple[str, ...] = ()


def make(models: Sequence[Model], devices: Sequence[str], options: Options) -> Plan:
    """Plan every chosen model on every chosen device. Raises UsageError when that is nothing."""
    limit = _cache_limit_gb(options)
    sources = [(model, weights.source_of(model, options.weights)) for model in models]
    jobs = []
    for model, source in sources:
        for device in devices:
            methods = select.methods(device, options.methods)
            if methods:
                jobs.append(
                    Job(
                        model=model,
                        device=device,
                        methods=methods,
                        dtypes=options.dtypes,
                        batch_sizes=options.batch_sizes,
                        weights=source.kind,
                        checkpoint=source.folder,
                        cache_dir=options.cache_dir or cache.default_folder(),
                        timeout_s=options.timeout_s or model.timeout_s or _timeout_s(source),
                        memory_limit_mb=options.memory_limit_mb,
                        needs_mb=_needs_mb(source),
                        convert_anew=options.convert_anew,
                        cache_limit_gb=limit,
                        registry=options.registry,
                        **_sampling(source, options),
                    )
                )
    if not jobs:
        wanted = ", ".join(options.methods)
        raise UsageError(
            f"nothing to run: no chosen device ({', '.join(devices)}) has the method {wanted}."
        )
    notes = [f"{model.id}: {model.description}" for model in models if not model.listed]
    notes += [f"{model.id}: {source.note}" for model, source in sources if source.note]
    headline = "\n".join([weights.summary(sources, options.weights), *notes])
    return Plan(tuple(jobs), headline, class_problems(models))


def shuffled(plan: Plan, seed: int) -> Plan:
    """The same plan in a random order; the same seed gives the same order."""
    jobs = list(plan.jobs)
    random.Random(seed).shuffle(jobs)
    headline = f"{plan.headline}\nshuffled: --shuffle {seed} repeats this order"
    return dataclasses.replace(plan, jobs=tuple(jobs), headline=headline)


SLIPS = 10
"""Wrong names of classes for which near ones are looked for, a fifth of a second each: a registry
with more of them was written for another transformers."""


def class_problems(models: Sequence[Model]) -> tuple[str, ...]:
    """A sentence for each model whose class this transformers does not have and should have.

    Empty where transformers is not installed: then every check says that instead, as it does
    where the model asks for another version.
    """
    problems: list[str] = []
    for model in models:
        if model.own_code or dependencies.unmet(model.dependencies) is not None:
            continue
        known = dependencies.transformers_classes(model.model_type)
        if known is None:
            return ()
        if model.class_name in known:
            continue
        every = dependencies.transformers_classes() or frozenset()
        if model.class_name not in every:
            is_slip = len(problems) < SLIPS
            near = registries.nearest(model.class_name, every) if is_slip else ()
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            version = dependencies.version("transformers")
            problems.append(
                f"{model.family}/{model.id}: transformers {version} has no class "
                f"{model.class_name!r}{hint}"
            )
    return tuple(problems)


def jobs_from_environment(
    family: str, environment: Mapping[str, str] = os.environ
) -> tuple[Job, ...]:
    """The jobs of one family for a plain unittest run, narrowed by the environment.

    HF_TESTS_MODELS and HF_TESTS_DEVICES are lists split by commas or spaces; HF_TESTS_WEIGHTS is
    auto, tiny or hub; HF_TESTS_REGISTRY a file in place of the shipped one. A model of another
    family is passed over, so that one value serves all families. Raises UsageError.
    """
    registry = select.registry(environment.get("HF_TESTS_REGISTRY"))
    choice = environment.get("HF_TESTS_WEIGHTS") or "auto"
    if choice not in weights.CHOICES:
        raise unknown("value of HF_TESTS_WEIGHTS", choice, weights.CHOICES)
    names = _split(environment.get("HF_TESTS_MODELS"))
    found = (
        select.models(registry, names=names, choice=choice)
        if names
        else select.family(registry, family).models
    )
    models = [model for model in found if model.family == family]
    devices = select.devices(hardware.detect(), _split(environment.get("HF_TESTS_DEVICES")))
    if not models:
        return ()
    own = environment.get("HF_TESTS_REGISTRY", "")
    return make(models, devices, Options(weights=choice, registry=own)).jobs


def _cache_limit_gb(options: Options) -> float:
    if options.cache_limit_gb is not None:
        return options.cache_limit_gb
    try:
        return cache.limit_gb()
    except ValueError as error:
        raise UsageError(f"{error}.") from None


def _split(text: str | None) -> list[str]:
    return (text or "").replace(",", " ").split()


def _sampling(source: weights.Source, options: Options) -> dict[str, Any]:
    """How often each check is timed: a few times on tiny weights, which say nothing of speed."""
    usual = TINY_SAMPLING if source.kind == "tiny" else SAMPLING
    trials = options.trials or max(usual["trials"], options.min_trials or 0)
    return {
        "trials": trials,
        "min_trials": options.min_trials or min(usual["min_trials"], trials),
        "time_budget_s": options.time_budget_s or usual["time_budget_s"],
    }


def _needs_mb(source: weights.Source) -> float:
    return BASE_MB + MEMORY_PER_WEIGHTS * (source.size_mb or 0.0)


def _timeout_s(source: weights.Source) -> float:
    if source.kind == "tiny" or source.size_mb is None:
        return TINY_TIMEOUT_S
    gib = source.size_mb / 1024
    rate = TIMEOUT_S_PER_GIB + (DOWNLOAD_S_PER_GIB if source.folder is None else 0.0)
    return TINY_TIMEOUT_S + gib * rate
