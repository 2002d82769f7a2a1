"""A small vocabulary in the form of ``tekken.json``, which Mistral's own library reads."""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FILE = "tekken.json"
PATTERN = r"\w+|[^\w\s]+|\s+"
"""How a text is cut before bytes are joined."""

SPECIAL = "<SPECIAL_{}>"
"""What an id below the first of the bytes is called that has no name of its own."""

BYTES = 256


def load(cls: Any, known: Mapping[str, Any], merges: Sequence[tuple[str, str]]) -> Any:
    """The tokenizer of a class that reads such a file.

    ``known`` is what a published one says beside its vocabulary, its ``special_tokens`` by id;
    ``merges`` are those of a byte-level BPE.
    """
    folder = tempfile.mkdtemp(prefix="tekken-")  # it saves itself as a copy of its own file
    _write(Path(folder) / FILE, known, merges)
    tokenizer = cls.from_pretrained(folder)
    weakref.finalize(tokenizer, shutil.rmtree, folder, ignore_errors=True)
    return tokenizer


def _write(path: Path, known: Mapping[str, Any], merges: Sequence[tuple[str, str]]) -> None:
    named = {int(number): name for number, name in known["special_tokens"].items()}
    specials = [named.get(number, SPECIAL.format(number)) for number in range(max(named) + 1)]
    tokens = _tokens(merges)
    config = {
        "pattern": PATTERN,
        "num_vocab_tokens": len(tokens),
        "default_vocab_size": len(tokens) + len(specials),
        "default_num_special_tokens": len(specials),
        **known["config"],
    }
    document = {
        **known,
        "config": config,
        "vocab": [
            {"rank": rank, "token_bytes": base64.b64encode(token).decode(), "token_str": None}
            for rank, token in enumerate(tokens)
        ],
        "special_tokens": [
            {"rank": rank, "token_str": name, "is_control": True}
            for rank, name in enumerate(specials)
        ],
    }
    path.write_text(json.dumps(document), encoding="utf-8")


def _tokens(merges: Sequence[tuple[str, str]]) -> list[bytes]:
    """All single bytes, and behind them what the merges make of these, in their order."""
    numbers = _bytes_by_letter()
    joined = (bytes(numbers[letter] for letter in first + second) for first, second in merges)
    return list(dict.fromkeys([*(bytes([number]) for number in range(BYTES)), *joined]))


def _bytes_by_letter() -> dict[str, int]:
    """The byte that each letter of a byte-level alphabet stands for.

    Bytes that are a visible sign of Latin-1 stand for themselves, the others follow behind it.
    """
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [number for number in range(BYTES) if number not in visible]
    found = {chr(number): number for number in visible}
    return found | {chr(BYTES + place): number for place, number in enumerate(others)}
