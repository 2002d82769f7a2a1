"""The files of a checkpoint's folder: which hold its weights, their sizes and their hashes.

Names that a checkpoint's own index gives are taken for plain file names: none leaves its folder.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hf_tests import plain

MIB = 1024 * 1024
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLE = "pytorch_model.bin"
SETTINGS = ("*.json", "*.txt", "*.model", "*.jinja")
"""Beside the weights, what decides how a model and its tokenizer behave."""

BLOCK = 4 * MIB
LARGEST_HEADER = 100 * MIB  # the format's own limit
BITS = 8  # in a byte, which no value takes less than one of
SHA256 = re.compile(r"[0-9a-f]{64}")


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The safetensors files of a checkpoint; empty where there is none or one is missing."""
    return _files(folder, WEIGHTS)


def pickle_files(folder: Path) -> tuple[Path, ...]:
    """The pickles of a checkpoint that has its weights in no other form; empty where it is none."""
    if (folder / WEIGHTS).exists() or (folder / INDEX).exists():
        return ()
    return _files(folder, PICKLE)


def _files(folder: Path, alone: str) -> tuple[Path, ...]:
    """The file of that name or, where there is none, those of its index; empty if one is missing.

    Where both are there transformers loads the one, and so its parts are not even looked at.
    """
    if _is_file(folder / alone):
        return (folder / alone,)
    files = tuple(folder / name for name in _indexed(folder / f"{alone}.index.json"))
    return files if all(map(_is_file, files)) else ()


def pickles_digest(folder: Path) -> str:
    """SHA-256 of a checkpoint's pickles; of several it is that of their list."""
    files = pickle_files(folder)
    return file_digest(files[0]) if len(files) == 1 else _list_digest(files)


def _is_file(path: Path) -> bool:
    """Whether there is a file; a name that the system does not take is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def _indexed(index: Path) -> list[str]:
    """The names of the files that an index lists, without folders; empty where it is damaged."""
    try:
        names = set(plain.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    return [Path(name).name for name in sorted(map(str, names))]


def weights_mb(folder: Path) -> float | None:
    """Size of a checkpoint's weight files in MiB; None where they are not all there."""
    files = weight_files(folder)
    return sum(path.stat().st_size for path in files) / MIB if files else None


@dataclass(frozen=True)
class Stored:
    """How many values a checkpoint's weight files hold, and the bytes that they take there."""

    parameters: int
    size: int


def stored(folder: Path) -> Stored | None:
    """What the headers of a checkpoint's weight files say; None where they cannot be read.

    A file begins with its header's length (8 bytes, little endian) and the header, as JSON:
    https://github.com/huggingface/safetensors#format.
    """
    parameters = size = 0
    files = weight_files(folder)
    try:
        for path in files:
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                if length > LARGEST_HEADER:
                    return None
                header = plain.loads(file.read(length).decode("utf-8"))
            whole = path.stat().st_size
            for name, tensor in header.items():
                if name != "__metadata__":
                    first, last = tensor["data_offsets"]
                    count = _count(tensor["shape"])
                    if not 0 <= first <= last <= whole or count > BITS * (last - first):
                        return None
                    parameters += count
                    size += last - first
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return Stored(parameters, size) if files else None


def _count(shape: Sequence[int]) -> int:
    """How many values a tensor has. Raises TypeError for what is no shape."""
    if not all(isinstance(length, int) and length >= 0 for length in shape):
        raise TypeError(f"{shape!r} is no shape")
    return math.prod(shape)


def weights_digest(folder: Path) -> str | None:
    """SHA-256 of a checkpoint's weights; None where they are not all there.

    Of several files it is that of their list, as ``sha256sum`` writes it.
    """
    files = weight_files(folder)
    if not files:
        return None
    return file_digest(files[0]) if len(files) == 1 else _list_digest(files)


def digest(folder: Path) -> str:
    """SHA-256 of all that a model loaded from the folder depends on. Raises OSError."""
    patterns = (*SETTINGS, "*.py")  # the last is its own code, where it has some
    files = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    return _list_digest(sorted(files | set(weight_files(folder))))


def file_digest(path: Path) -> str:
    """SHA-256 of a file. Raises OSError.

    The Hub's cache names its large files by it, so those are not read.
    """
    stored = path.resolve()
    if stored.parent.name == "blobs" and SHA256.fullmatch(stored.name):
        return stored.name
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
    return found.hexdigest()


def _list_digest(files: Iterable[Path]) -> str:
    lines = [f"{file_digest(path)}  {path.name}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
