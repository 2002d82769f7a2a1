"""Make a shrunken configuration speak of the tiny tokenizer's ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hf_tests.probe.tiny import shrink

ID_SUFFIXES = ("_token_id", "_token_index")
ROLES = ("pad", "bos", "eos", "unk", "cls", "sep", "mask")
IDS_OF_LARGE_VOCABULARIES = ("suppress_tokens", "begin_suppress_tokens", "forced_decoder_ids")


def adopt(values: dict[str, Any], tokenizer: Any, keep: frozenset[str] = frozenset()) -> None:
    """Set vocabulary sizes and special token ids, in place, in all nested configurations.

    An id is the tokenizer's of the same role; where there is no such role, that of the role which
    had the same id (T5 starts decoding with its padding); else the id of the token that the
    field's name spells (``image_token_index``: ``<image>``); else None.
    """
    for block in shrink.blocks(values):
        old_roles = {block.get(f"{role}_token_id"): role for role in reversed(ROLES)}
        for name, value in block.items():
            if name == "vocab_size" and name not in keep:
                block[name] = len(tokenizer)
            elif name in IDS_OF_LARGE_VOCABULARIES:
                block[name] = None
            elif name.endswith(ID_SUFFIXES):
                block[name] = _new_id(name, value, old_roles, tokenizer)


def resolve(value: Any, tokenizer: Any) -> Any:
    """Tokens in a registry value replaced by their ids, through lists and objects."""
    if isinstance(value, Mapping):
        return {key: resolve(item, tokenizer) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, tokenizer) for item in value]
    if isinstance(value, str):
        return tokenizer.get_vocab().get(value, value)
    return value


def _new_id(name: str, value: Any, old_roles: Mapping[Any, str], tokenizer: Any) -> Any:
    if isinstance(value, str):
        return resolve(value, tokenizer)
    if isinstance(value, list):
        return [_new_id(name, item, old_roles, tokenizer) for item in value]
    if value is None:
        return None
    role = name
    for suffix in ID_SUFFIXES:
        role = role.removesuffix(suffix)
    if role not in ROLES:
        spelled = tokenizer.get_vocab().get(f"<{role}>")
        if spelled is not None:
            return spelled
        role = old_roles.get(value, "")
    return getattr(tokenizer, f"{role}_token_id", None) if role else None
