"""What a registry entry says of a published configuration.

``python -m hf_tests.probe.describe CONFIG CLASS`` prints it as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hf_tests.probe import classes
from hf_tests.probe.tiny import tokenizers

NOT_OF_THE_MODEL = frozenset(
    {
        "_attn_implementation_autoset",
        "_commit_hash",
        "_name_or_path",
        "architectures",
        "auto_map",
        "dtype",
        "id2label",
        "label2id",
        "quantization_config",
        "task_specific_params",
        "torch_dtype",
        "transformers_version",
    }
)
"""Fields of a config.json that say how it was saved, or what its outputs are called."""


def described(path: Path, class_name: str) -> dict[str, Any]:
    """The entry's ``config``, ``vocab_size``, ``parameters`` and ``tokenizer`` class.

    ``sentencepiece`` says whether that tokenizer reads such a vocabulary. Raises ValueError where
    the model of that ``config`` would have other parameters than the published one.
    """
    from transformers import AutoConfig

    published = json.loads(path.read_text(encoding="utf-8"))
    config = AutoConfig.from_pretrained(str(path.parent))
    model_type = published["model_type"]
    differs = _differences(config, published)
    again = AutoConfig.for_model(model_type, **differs)
    count, rebuilt = _parameters(class_name, config), _parameters(class_name, again)
    if count != rebuilt:
        raise ValueError(
            f"its config differs from {type(config).__name__}'s defaults in ways that an entry "
            f"cannot say: {rebuilt} parameters in place of {count}"
        )
    text = config.get_text_config()
    tokenizer = _tokenizer(path.with_name("tokenizer_config.json"), model_type)
    return {
        "config": differs,
        "vocab_size": getattr(text, "vocab_size", None),
        "parameters": count,
        "tokenizer": tokenizer,
        "sentencepiece": tokenizers.reads_sentencepiece(
            tokenizer or tokenizers.default_class(model_type)
        ),
    }


def _differences(config: Any, published: Mapping[str, Any]) -> dict[str, Any]:
    """Fields that differ from the class's defaults, as published where they were."""
    found: dict[str, Any] = {}
    for name, value in _other(config).items():
        if name == "rope_parameters" and name not in published:
            # transformers 5 makes it of what earlier ones, and most checkpoints, have apart.
            parts = ("rope_theta", "rope_scaling")
            found |= {part: published[part] for part in parts if published.get(part) is not None}
        elif name != "model_type":
            found[name] = value
    if len(config.id2label or ()) != len(type(config)().id2label or ()):
        found["num_labels"] = len(config.id2label)
    return found


def _other(config: Any) -> dict[str, Any]:
    """Fields that have a default and another value.

    A nested configuration is compared with its own class's defaults: what it is built from where an
    entry gives a part of it, whatever the outer one's default of it says.
    """
    defaults = type(config)().to_dict()
    found: dict[str, Any] = {}
    for name, value in config.to_dict().items():
        if name in NOT_OF_THE_MODEL or name not in defaults or value == defaults[name]:
            continue
        nested = getattr(config, name, None)
        if isinstance(value, dict) and hasattr(nested, "to_diff_dict"):
            found[name] = {"model_type": value.get("model_type"), **_other(nested)}
        else:
            found[name] = value
    return found


def _parameters(class_name: str, config: Any) -> int:
    """Number of parameters of the unshrunken model, tied weights once; it takes no memory."""
    import torch

    with torch.device("meta"):
        network = classes.transformers_class(class_name)(config)
        network.tie_weights()
    return sum({id(item): item.numel() for item in network.parameters()}.values())


def _tokenizer(path: Path, model_type: str) -> str | None:
    """The checkpoint's tokenizer class, where it is another than its model type's."""
    try:
        name = json.loads(path.read_text(encoding="utf-8")).get("tokenizer_class")
    except (OSError, ValueError, AttributeError):
        return None
    if not isinstance(name, str) or name in tokenizers.GENERIC:
        return None
    name = name.removesuffix("Fast")
    return None if name == tokenizers.default_class(model_type) else name


if __name__ == "__main__":
    json.dump(described(Path(sys.argv[1]), sys.argv[2]), sys.stdout)
