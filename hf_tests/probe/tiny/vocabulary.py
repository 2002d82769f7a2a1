"""Make a shrunken configuration speak of the tiny tokenizer's ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from hf_tests.probe.tiny import shrink

ID_SUFFIXES = ("_token_id", "_token_index")
LIST_SUFFIX = "_token_ids"
ROLES = ("pad", "bos", "eos", "unk", "cls", "sep", "mask")
NAMED_ROLES = frozenset(f"{role}_token" for role in ROLES)
MAPS = frozenset({"vocabulary_map"})
"""A configuration's own copy of its tokenizer's vocabulary."""

IDS_OF_LARGE_VOCABULARIES = ("suppress_tokens", "begin_suppress_tokens", "forced_decoder_ids")


def adopt(
    values: dict[str, Any],
    tokenizer: Any,
    keep: frozenset[str] = frozenset(),
    processor: Any = None,
) -> None:
    """Set vocabulary sizes and special token ids, in place, in all nested configurations.

    An id is the processor's or the tokenizer's of the same role; where there is no such role, that
    of the role which had the same id (T5 starts decoding with its padding); else the id of the
    token that the field's name spells (``image_token_index``: ``<image>``); else None. What
    ``keep`` names, dotted, stays: a vocabulary of codes is none of the tokenizer's.
    """
    # Some number their languages behind the vocabulary, and do not count them.
    languages: Mapping[str, int] = getattr(tokenizer, "lang_code_to_id", {})
    size = max(*tokenizer.get_vocab().values(), *languages.values()) + 1
    for prefix, block in _named_blocks(values):
        old_roles = _old_roles(block)
        for name, value in block.items():
            if f"{prefix}{name}" in keep:
                continue
            if name == "vocab_size":
                block[name] = size
            elif name in IDS_OF_LARGE_VOCABULARIES:
                block[name] = None
            elif name.endswith("_id") and isinstance(value, str):
                block[name] = resolve(value, tokenizer)
            elif name.endswith(ID_SUFFIXES):
                block[name] = _new_id(name, value, old_roles, (tokenizer, processor))
            elif name.endswith(LIST_SUFFIX):
                block[name] = resolve(value, tokenizer)
            elif name in MAPS:
                block[name] = tokenizer.get_vocab()


def _named_blocks(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """The configuration and those nested in it, each with what its names begin with."""
    yield prefix, values
    for name, block in shrink.nested(values):
        yield from _named_blocks(block, f"{prefix}{name}.")


def wanted(
    values: dict[str, Any],
    roles: Mapping[str, str],
    spelled: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """Special tokens that the configurations have an id of and a tokenizer has not, by name.

    ``roles`` are the tokenizer's special tokens by name (``pad_token``); an id that has another
    role too (T5 starts decoding with its padding) needs no token of its own. ``image_token_id``
    becomes ``{"image_token": "<image>"}``, or what is ``spelled`` of that name.
    """
    found: dict[str, str] = {}
    for block in shrink.blocks(values):
        old_roles = _old_roles(block)
        for name, value in block.items():
            if not name.endswith(ID_SUFFIXES) or not isinstance(value, int) or value < 0:
                continue
            role = _role(name)
            shared = old_roles.get(value, role)
            if f"{role}_token" not in roles and f"{shared}_token" not in roles:
                found[f"{role}_token"] = spelled.get(f"{role}_token", f"<{role}>")
    return found


def _old_roles(block: Mapping[str, Any]) -> dict[Any, str]:
    """The published ids' roles, the first role counting where an id has several."""
    found: dict[Any, str] = {}
    for role in ROLES:
        ids = block.get(f"{role}_token_id")
        for item in ids if isinstance(ids, (list, tuple)) else (ids,):
            found.setdefault(item, role)
    return found


def _role(name: str) -> str:
    for suffix in ID_SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def resolve(value: Any, tokenizer: Any) -> Any:
    """Tokens in a registry value replaced by their ids, through lists and objects."""
    if isinstance(value, Mapping):
        return {key: resolve(item, tokenizer) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, tokenizer) for item in value]
    if isinstance(value, str):
        return tokenizer.get_vocab().get(value, value)
    return value


def _new_id(name: str, value: Any, old_roles: Mapping[Any, str], owners: Sequence[Any]) -> Any:
    if isinstance(value, str):
        return resolve(value, owners[0])
    if isinstance(value, (list, tuple)):
        ids = [_new_id(name, item, old_roles, owners) for item in value]
        return list(dict.fromkeys(item for item in ids if item is not None)) or None
    if value is None or value < 0:
        return value
    role = _role(name)
    own = _id_of(role, owners)
    return own if own is not None else _id_of(old_roles.get(value, ""), owners)


def _id_of(role: str, owners: Sequence[Any]) -> int | None:
    """The id of the special token of a role, else of the token that the role spells.

    ``owners`` are the tokenizer and the processor, which knows better what it puts for an image,
    unless that is what the tokenizer has another name for beside its own token of the role.
    """
    if not role:
        return None
    name, (tokenizer, processor) = f"{role}_token", owners
    for owner in owners if role in ROLES else reversed(owners):
        own = getattr(owner, f"{name}_id", None)
        if not isinstance(own, int):
            continue
        if owner is not processor or not is_borrowed(name, own, _ids(tokenizer, name)):
            return own
    spelled: int | None = tokenizer.get_vocab().get(f"<{role}>")
    return spelled


def is_borrowed(name: str, token: Any, known: Mapping[str, Any]) -> bool:
    """Whether a processor's token of a name is one that the tokenizer has under another name.

    What it writes for an image into a text may be a token that the configuration, which has an id
    of its own for an image, knows otherwise. ``known`` are the tokenizer's special tokens by name:
    as texts or as ids, as the ``token`` is. What has no token of that name lends none.
    """
    return known.get(name, token) != token and token in known.values()


def _ids(tokenizer: Any, name: str) -> dict[str, Any]:
    """The ids of a tokenizer's special tokens by name, and that of the ``name`` if it has one."""
    found = {
        other: tokenizer.convert_tokens_to_ids(token)
        for other, token in getattr(tokenizer, "special_tokens_map", {}).items()
        if isinstance(token, str)
    }
    if hasattr(tokenizer, f"{name}_id"):
        found[name] = getattr(tokenizer, f"{name}_id")
    return found
