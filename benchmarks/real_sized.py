"""A checkpoint of a published configuration's size with random weights, for the benchmarks."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

from hf_tests import cache
from hf_tests.job import Job
from hf_tests.registry import Model

MAKE = """
import sys, shutil, torch, transformers
name, tiny, target = sys.argv[1:]
shutil.copytree(tiny, target, dirs_exist_ok=True)
cls = getattr(transformers, name)
small = transformers.AutoConfig.from_pretrained(tiny)
ids = {key: value for key, value in small.to_dict().items() if key.endswith("_token_id")}
config = cls.config_class(**ids)
torch.manual_seed(0)
cls(config).save_pretrained(target)
"""


def make(model: Model, folder: Path) -> str:
    """Make the checkpoint in a folder: class defaults, and the tokenizer of the tiny one."""
    from hf_tests.probe import checkpoints

    tiny = str(checkpoints.tiny_folder(model, Path(cache.default_folder())))
    command = [sys.executable, "-c", MAKE, model.class_name, tiny, str(folder)]
    subprocess.run(command, stderr=subprocess.DEVNULL, check=True)
    return str(folder)


def job(model: Model, checkpoint: str, trials: int, warmup: int = 3) -> Job:
    """The job that loads it with ``from_pretrained`` on the CPU and times it so often.

    Its weights are random, so it knows none of the published one's answers.
    """
    return Job(
        dataclasses.replace(model, answers=()),
        "cpu",
        ("from_pretrained",),
        "local",
        checkpoint,
        "",
        900.0,
        trials=trials,
        min_trials=trials,
        warmup=warmup,
    )
