"""Whether a checkpoint was loaded whole: nothing missing, nothing left over by chance.

transformers initialises weights that a file lacks at random and only warns; the model then runs
and its output is noise. Here that is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hf_tests import plain
from hf_tests.probe.tasks import base

SHOWN = 4  # names in a message


class CorruptCheckpoint(Exception):
    """The checkpoint's files do not make up the model that they say they are."""


def check_config(folder: Path, model_type: str) -> None:
    """Raise CorruptCheckpoint where a folder's config.json is missing or of another model type.

    A class loads the configuration of another one and only warns. The type of a part, such as the
    text model of a larger one, is found in the checkpoint of the whole.
    """
    path = folder / "config.json"
    try:
        config = plain.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CorruptCheckpoint(f"{folder} holds no config.json") from None
    except ValueError as error:
        raise CorruptCheckpoint(f"{path} is not JSON: {error}") from error
    found = None
    if isinstance(config, dict):
        found = config.get("model_type") or _taken_for(folder)
    if found != model_type and not _stands_for(found, model_type):
        raise CorruptCheckpoint(
            f"{path} has the model_type {found!r}, and {model_type!r} was expected"
        )


def _taken_for(folder: Path) -> str | None:
    """The type that transformers takes a folder for whose config.json names none."""
    from transformers import AutoConfig

    try:
        return str(AutoConfig.from_pretrained(str(folder)).model_type)
    except (OSError, ValueError):
        return None


def _stands_for(found: Any, model_type: str) -> bool:
    """Whether checkpoints of a model type are published under another one.

    transformers has names of the same configuration, and configurations made of others.
    """
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    if model_type not in CONFIG_MAPPING:
        return False
    wanted = CONFIG_MAPPING[model_type].model_type
    parts = CONFIG_MAPPING[found].sub_configs.values() if found in CONFIG_MAPPING else ()
    return found == wanted or any(part.model_type == wanted for part in parts)


def check_loading(info: Mapping[str, Any]) -> None:
    """Raise CorruptCheckpoint where ``from_pretrained`` had to invent or ignore a needed weight.

    ``info`` is what it returns for ``output_loading_info=True``. Weights that the file has and the
    class does not use are no error: published encoders carry the heads of their pre-training.
    """
    missing = sorted(info.get("missing_keys", ()))
    mismatched = sorted(str(item) for item in info.get("mismatched_keys", ()))
    if missing:
        raise CorruptCheckpoint(
            f"{len(missing)} weights are not in the files and would be random: {_some(missing)}"
        )
    if mismatched:
        raise CorruptCheckpoint(
            f"{len(mismatched)} weights have another shape than the model: {_some(mismatched)}"
        )
    if info.get("error_msgs"):
        raise CorruptCheckpoint(f"loading said: {_some(list(info['error_msgs']))}")


def check_values(network: Any) -> None:
    """Raise CorruptCheckpoint where a parameter holds NaN or infinity.

    The sample input need not touch it: one row of an embedding is enough to break a real one.
    """
    import torch

    for name, parameter in network.named_parameters():
        if parameter.is_floating_point() and not bool(torch.isfinite(parameter).all()):
            bad = int((~torch.isfinite(parameter)).sum())
            raise CorruptCheckpoint(f"{bad} values of {name} are not finite")


def check_tokenizer(processor: Any, config: Any) -> None:
    """Raise CorruptCheckpoint where the tokenizer can give an id that the model has no row for."""
    tokenizer = base.tokenizer_of(processor)
    size = base.text_vocabulary_size(config)
    if size is None or not hasattr(tokenizer, "get_vocab"):
        return
    largest = max(tokenizer.get_vocab().values(), default=-1)
    if largest >= size:
        raise CorruptCheckpoint(
            f"the tokenizer gives ids up to {largest}, the model's vocabulary has {size} entries"
        )


def check_vocabulary(processor: Any) -> None:
    """Raise CorruptCheckpoint where a tokenizer knows nothing but its special tokens.

    Without its files a class of tokenizers makes an empty one, and says nothing.
    """
    tokenizer = base.tokenizer_of(processor)
    if not hasattr(tokenizer, "get_vocab"):
        return
    if len(tokenizer.get_vocab()) <= len(set(tokenizer.all_special_tokens)):
        raise CorruptCheckpoint("the tokenizer's vocabulary is empty: its files are missing")


def check_class(network: Any, class_name: str) -> None:
    """Raise CorruptCheckpoint where the checkpoint's own config leads to another class."""
    found = type(network).__name__
    if found != class_name:
        raise CorruptCheckpoint(
            f"the checkpoint loads as {found}, and the registry says {class_name}"
        )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
