"""A new entry of the registry: made from a checkpoint's config, and tried before it is written."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hf_tests import cache, checkpoint_files, hardware, outcome
from hf_tests import registry as registries
from hf_tests.isolation import launcher_of
from hf_tests.nightly import auto_classes, plan, progress, recognise, weights
from hf_tests.nightly import run as nightly
from hf_tests.nightly.store import RunFolder
from hf_tests.nightly.usage import UsageError, check_text
from hf_tests.nightly.wording import one_line
from hf_tests.registry import Family, Model, Registry, RegistryError

SENTENCEPIECE = ("sentencepiece", "protobuf")
SENTENCEPIECE_NOTE = "sentencepiece builds its vocabulary"


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's id, or its resolved folder, and the config.json that describes it."""

    id: str
    config: recognise.Config

    @property
    def folder(self) -> Path | None:
        """Its folder, where it is no repository of the Hub's."""
        return Path(self.id) if Path(self.id).is_absolute() else None

    def key(self, registry: Path) -> str:
        """Its key in a registry: below the registry's folder a path relative to that."""
        if self.folder is None or not self.folder.is_relative_to(registry.parent.resolve()):
            return self.id
        return f"./{self.folder.relative_to(registry.parent.resolve()).as_posix()}"


def find(registry: Registry, name: str) -> Checkpoint:
    """A folder, or a repository that the Hub's client has cached or fetches.

    Raises UsageError where there is none, or the registry has it already.
    """
    path = Path(name).expanduser()
    known = check_text(str(path.resolve())) if path.is_dir() else name
    for model in registry.models:
        if model.id == known:
            raise UsageError(f"{known} is in the registry already, under {model.family}.")
    if path.is_dir():
        resolved = path.resolve()
        return Checkpoint(str(resolved), recognise.read(resolved / "config.json"))
    if path.is_absolute() or name.startswith((".", "~")):
        raise UsageError(f"{name} is not a folder.")
    config = weights.cached_file(name, "config.json")
    if config is None:
        config = weights.fetched_file(name, "config.json")
        with contextlib.suppress(UsageError):  # models of images have none
            weights.fetched_file(name, "tokenizer_config.json")
    return Checkpoint(name, recognise.read(config))


def entry(
    checkpoint: Checkpoint,
    family: Family,
    class_name: str,
    description: str | None = None,
) -> dict[str, Any]:
    """The entry as it stands in the registry. A process of its own asks transformers.

    Raises UsageError where the config cannot be read, or not be said by an entry.
    """
    config = checkpoint.config
    said = auto_classes.ask("hf_tests.probe.describe", str(config.path), class_name)
    made: dict[str, Any] = {
        "description": " ".join(
            (description or f"{class_name}: {Path(checkpoint.id).name}").split()
        ),
        "class": class_name,
        "model_type": config.model_type,
        "vocab_size": said["vocab_size"],
        "parameters": said["parameters"],
    }
    size = checkpoint_files.weights_mb(config.path.parent)
    if size:
        made["download_mb"] = round(size, 1)
    made["dependency_note"] = None
    lacking = [name for name in SENTENCEPIECE if name not in family.dependencies]
    if said["sentencepiece"] and lacking:
        made |= {"dependency_note": SENTENCEPIECE_NOTE, "dependencies": lacking}
    if said["config"]:
        made["config"] = said["config"]
    if said["tokenizer"]:
        made["tokenizer"] = {"class": said["tokenizer"]}
    return made


def parsed(text: str, path: Path, model_id: str) -> Model:
    """The model of that id in a registry's new text. Raises UsageError where the text is wrong."""
    try:
        found = registries.parse(text, path)
    except RegistryError as error:
        raise UsageError(f"the new entry would be wrong, nothing is written: {error}") from None
    return next(model for model in found.models if model.id == model_id)


def tried(model: Model, results: str | None, cache_dir: str = "") -> str:
    """Build the model's tiny checkpoint and run it on the CPU; a folder's own weights too.

    Returns what passed, in words. The runs' files are kept where ``results`` names a folder.
    Raises UsageError with what failed and why, KeyboardInterrupt where it is interrupted.
    """
    own = Path(model.id).is_absolute()
    options = plan.Options(weights="auto" if own else "tiny", cache_dir=cache_dir)
    chosen = plan.make([model], ["cpu"], options)
    if chosen.problems:
        raise UsageError(f"{chosen.problems[0]}; nothing is written.")
    plans = [chosen]
    if own:
        fields: Mapping[str, Any] = plan.TINY_SAMPLING
        jobs = tuple(job.replace(weights="tiny", checkpoint=None, **fields) for job in chosen.jobs)
        plans = [dataclasses.replace(chosen, jobs=jobs)]
        if checkpoint_files.weight_files(Path(model.id)):
            plans.append(chosen)
    passed: list[str] = []
    with contextlib.nullcontext(results) if results else tempfile.TemporaryDirectory() as folder:
        for part in plans:
            passed += _passed(_run(part, Path(str(folder))))
    return ", ".join(passed)


def _run(chosen: plan.Plan, results: Path) -> nightly.Finished:
    launcher = launcher_of("auto", chosen.jobs)
    watcher = progress.watcher(len(chosen.jobs), progress.NORMAL, sys.stdout)
    folder = RunFolder.create(results)
    try:
        return nightly.execute(chosen, hardware.detect(), launcher, folder, {}, watcher)
    finally:
        launcher.close()
        watcher.close()


def _passed(finished: nightly.Finished) -> list[str]:
    """What passed, in words. Raises UsageError where anything failed, or nothing was tested."""
    if finished.interrupted:
        raise KeyboardInterrupt
    lines = [
        f"{item.key} on {item.weights} weights: {item.status}, {item.error_type}: "
        f"{one_line(item.error or '', 300)}{' ' + item.hint if item.hint else ''}"
        for item in finished.results
        if item.is_bad
    ]
    if lines:
        raise UsageError("its run failed, nothing is written.\n  " + "\n  ".join(lines))
    passed = [item for item in finished.results if item.status == outcome.PASSED]
    if not passed:
        reasons = dict.fromkeys(item.reason or item.status for item in finished.results)
        raise UsageError(f"nothing of it can be run here, nothing is written: {'; '.join(reasons)}")
    return [f"{item.key} on {item.weights} weights" for item in passed]


def cache_folder(named: str) -> Path:
    """The cache folder of that name, or the usual one."""
    return Path(named or cache.default_folder()).expanduser().resolve()
