"""Job: one model on one device, the one thing that crosses into an isolated process."""

from __future__ import annotations

import dataclasses
import functools
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hf_tests import cache, filenames, outcome
from hf_tests.registry import Model

VERSION = 1
"""Version of the JSON form. A process refuses a job of another version."""


@dataclass(frozen=True)
class Job:
    """One model on one device, with all that is needed to run its checks.

    ``weights`` is one of `outcome.WEIGHTS`; ``checkpoint`` the folder to load from, or None where
    the process has to build (tiny) or fetch (hub) it first. Each check has ``min_trials`` timed
    runs, and up to ``trials`` while they take less than ``time_budget_s`` and the median is not
    known well enough (see `hf_tests.probe.timing`). ``timeout_s`` is the time that all its checks
    have together. ``isolation`` is the method by which its process was started; the launcher sets
    it. ``memory_limit_mb`` is what the process may take beyond what it starts with; None is no
    limit. ``needs_mb`` is the memory that it will take, as estimated from its checkpoint's size.
    ``cores`` are the processor's cores that it has for itself, with as many threads; empty for all
    of them. ``attempt`` is 2 where it is run again because it failed. ``dtypes`` are those in which
    each check runs the network, one after the other, none meaning the device's usual one, and
    ``dtype`` the one of them whose turn it is; ``batch_sizes`` are those on which it is timed
    beside the single sample input; ``reference_dir`` the folder where the jobs of a run keep the
    outputs that others are held against, empty where each makes its own. With ``convert_anew`` no
    kept conversion to OpenVINO is used, nor the new one kept; all that are kept take at most
    ``cache_limit_gb`` GB. ``commit`` and ``weights_sha256`` say which checkpoint it is, where that
    is known; ``barred`` are the fields of a result that say why it is not started; ``registry`` is
    the file that its model stands in, empty for the shipped one; ``unpickle`` whether its weights
    may be taken out of a pickle, as plain tensors; ``trusted`` whether code that its checkpoint
    brings along may be run, where its entry in the registry says that it has some.
    """

    model: Model
    device: str
    methods: tuple[str, ...]
    weights: str
    checkpoint: str | None
    cache_dir: str
    timeout_s: float
    trials: int = 5
    min_trials: int = 1
    time_budget_s: float = 10.0
    warmup: int = 1
    seed: int = 0
    isolation: str = "none"
    memory_limit_mb: float | None = None
    needs_mb: float = 0.0
    cores: tuple[int, ...] = ()
    attempt: int = 1
    dtypes: tuple[str, ...] = ()
    dtype: str = ""
    batch_sizes: tuple[int, ...] = ()
    reference_dir: str = ""
    commit: str | None = None
    weights_sha256: str | None = None
    barred: Mapping[str, str] = dataclasses.field(default_factory=dict)
    convert_anew: bool = False
    cache_limit_gb: float = cache.DEFAULT_LIMIT_GB
    registry: str = ""
    unpickle: bool = False
    trusted: bool = False

    @functools.cached_property
    def name(self) -> str:
        """A file name of this job, unique in its run: ``bert.bert-base-uncased.cpu``."""
        parts = (self.model.family, self.model.id, self.device)
        name = ".".join(filenames.escape(part) for part in parts)
        return name if self.attempt == 1 else f"{name}.{self.attempt}"

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the checks that this job owes, in the order of ``methods``."""
        return tuple(outcome.check_key(method, self.device) for method in self.methods)

    @property
    def command(self) -> str:
        """The command that runs this one job again."""
        words = ["python", "runner.py", "--model", self.model.id, "--device", self.device]
        words += ["--registry", self.registry] if self.registry else []
        words += ["--allow-pickle", self.model.id] if self.unpickle else []
        words += ["--trust-remote-code", self.model.id] if self.trusted else []
        return shlex.join(words)

    def replace(self, **changes: Any) -> Job:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def to_json(self) -> str:
        """One line of JSON; `from_json` is its inverse."""
        fields = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return json.dumps({"version": VERSION, **fields}, default=vars, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Rebuild a job from `to_json`'s form; ValueError when the version is another."""
        data = json.loads(text)
        version = data.pop("version", None)
        if version != VERSION:
            raise ValueError(f"job of version {version}, expected {VERSION}")
        data["model"] = Model.from_json(data["model"])
        data["methods"] = tuple(data["methods"])
        data["cores"] = tuple(data.get("cores", ()))
        data["dtypes"] = tuple(data.get("dtypes", ()))
        data["batch_sizes"] = tuple(data.get("batch_sizes", ()))
        return cls(**data)


def result_for(job: Job, method: str, status: str, **fields: Any) -> outcome.CheckResult:
    """A CheckResult of one of the job's methods, with what the job knows filled in."""
    return outcome.CheckResult(
        family=job.model.family,
        model=job.model.id,
        device=job.device,
        method=method,
        task=job.model.task,
        class_name=job.model.class_name,
        weights=job.weights,
        commit=job.commit,
        weights_sha256=job.weights_sha256,
        isolation=job.isolation,
        status=status,
        **fields,
    )
