"""From a job to the folder that its model is loaded from: tiny, local or from the Hub."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from hf_tests import cache, checkpoint_files, dependencies, filenames, own_code
from hf_tests.job import Job
from hf_tests.probe import classes, integrity
from hf_tests.registry import Model

HUB_FILES = ("*.json", "*.txt", "*.model", "*.safetensors", "*.jinja")
"""What is fetched of a repository: no pickles, no weights of other frameworks."""


BUILDER = Path(__file__).resolve().parent / "tiny"


def stage_of(job: Job) -> str:
    """What `folder_of` has to do first for the job, as one of `outcome.STAGES`."""
    if job.checkpoint is not None:
        return "model"
    return "build" if job.weights == "tiny" else "download"


def folder_of(job: Job) -> Path:
    """The folder of the job's checkpoint, built or fetched when it is not there yet.

    Raises CorruptCheckpoint where it is not of the job's model type, and what huggingface_hub
    raises.
    """
    if job.checkpoint is not None:
        folder = Path(job.checkpoint)
    elif job.weights == "tiny":
        folder = tiny_folder(job.model, Path(job.cache_dir), job.seed)
    else:
        from huggingface_hub import snapshot_download

        patterns = list(HUB_FILES)
        folder = Path(
            snapshot_download(
                job.model.repository, revision=job.model.revision, allow_patterns=patterns
            )
        )
    integrity.check_config(folder, job.model.model_type)
    if classes.trusts(job):
        own_code.check(folder)
    return unpickled(folder, job) if job.unpickle else folder


def unpickled(folder: Path, job: Job) -> Path:
    """The checkpoint with its pickles' tensors as safetensors, kept in the cache; or as it is.

    torch reads them with ``weights_only``: a pickle that holds more than tensors in plain
    containers is refused, and nothing in it is run. Raises CorruptCheckpoint.
    """
    files = checkpoint_files.pickle_files(folder)
    if not files:
        return folder
    digest = checkpoint_files.pickles_digest(folder)
    patterns = (*checkpoint_files.SETTINGS, *([own_code.FILES] if classes.trusts(job) else []))
    settings = [path for pattern in patterns for path in folder.glob(pattern)]
    settings = sorted(path for path in settings if not path.name.endswith(".index.json"))
    for path in settings:
        digest += checkpoint_files.file_digest(path)
    key = hashlib.sha256(digest.encode()).hexdigest()[:16]
    target = Path(job.cache_dir) / "unpickled" / f"{filenames.escape(job.model.id)}-{key}"
    if target.is_dir():
        cache.use(target)
        return target
    from safetensors.torch import save_file

    tensors: dict[str, Any] = {}
    for path in files:
        tensors |= _plain_tensors(path)
    with cache.making(target) as temporary:
        for path in settings:
            shutil.copyfile(path, temporary / path.name)
        save_file(tensors, temporary / checkpoint_files.WEIGHTS, metadata={"format": "pt"})
    return target


def _plain_tensors(path: Path) -> dict[str, Any]:
    """The tensors of a pickle by name. Raises CorruptCheckpoint where it holds anything else."""
    import pickle

    import torch

    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise integrity.CorruptCheckpoint(
            f"{path.name} is no pickle of tensors alone, and is not loaded: {reason}"
        ) from error
    if not isinstance(found, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in found.items()
    ):
        raise integrity.CorruptCheckpoint(f"{path.name} is no list of tensors by name")
    # Tied weights share their memory in a pickle; safetensors has each by itself.
    return {name: value.detach().clone().contiguous() for name, value in found.items()}


def tiny_folder(model: Model, cache_dir: Path, seed: int = 0) -> Path:
    """The model's tiny checkpoint in the cache, built when it is not there.

    Where several processes build the same one, the bytes are the same.
    """
    target = cache_dir / "tiny" / f"{filenames.escape(model.id)}-{_key(model, seed)}"
    if target.is_dir():
        cache.use(target)
        return target
    from hf_tests.probe.tiny.build import build

    with cache.making(target) as temporary:
        build(model, temporary, seed)
    return target


def _key(model: Model, seed: int) -> str:
    """A digest of all that the checkpoint's bytes depend on, the code that builds it included."""
    entry = dataclasses.asdict(model)
    parts = (
        "id",
        "class_name",
        "model_type",
        "config",
        "tokenizer",
        "processor",
        "generation",
        "shrink",
    )
    data = {name: entry[name] for name in parts}
    data |= {"seed": seed, "builder": _builder_digest()}
    data |= dependencies.versions(
        ("transformers", "tokenizers", "sentencepiece", "torch", "torchvision")
    )
    text = json.dumps(data, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@functools.cache
def _builder_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(BUILDER.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
