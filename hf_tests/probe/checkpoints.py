"""From a job to the folder that its model is loaded from: tiny, local or from the Hub."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from pathlib import Path

from hf_tests import cache, dependencies, filenames
from hf_tests.job import Job
from hf_tests.probe import integrity
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
            snapshot_download(job.model.id, revision=job.model.revision, allow_patterns=patterns)
        )
    integrity.check_config(folder, job.model.model_type)
    return folder


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
