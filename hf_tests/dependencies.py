"""Versions of libraries, and what to install when one is missing: asked about here alone.

Versions are read from the installed distributions' metadata; nothing is imported, so that the
answer costs milliseconds and a broken library can still be named.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

MINIMUM = {"transformers": "4.57", "torch": "2.2"}
"""Oldest versions that the checks are written for."""

OPENVINO = ("openvino", "optimum-intel")
"""What the ``openvino`` method needs beside a model's own dependencies."""

REPORTED = (
    "torch", "transformers", "tokenizers", "safetensors", "huggingface-hub", "accelerate",
    "openvino", "optimum", "optimum-intel", "nncf", "numpy", "pillow", "torchvision", "torchaudio",
    "sentencepiece", "protobuf", "psutil", "tqdm", "timm",
)  # fmt: skip
"""Distributions whose versions stand in every run's metadata."""


@functools.cache
def version(distribution: str) -> str | None:
    """The installed version of a distribution; None when it is not installed."""
    import importlib.metadata  # a third of a listing's time, which needs no versions

    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions(distributions: Iterable[str] = REPORTED) -> dict[str, str | None]:
    """Installed versions by distribution, None for what is missing."""
    return {name: version(name) for name in distributions}


def install_command(distributions: Iterable[str]) -> str:
    """The command that installs them into this interpreter's environment."""
    import shlex

    return "python -m pip install " + " ".join(shlex.quote(name) for name in distributions)


def unmet(distributions: Iterable[str]) -> str | None:
    """Why these distributions cannot be used here, and how to mend it; None when they can."""
    missing = [name for name in distributions if version(name) is None]
    if missing:
        wanted = [f"{name}>={MINIMUM[name]}" if name in MINIMUM else name for name in missing]
        verb = "is" if len(missing) == 1 else "are"
        return f"{' and '.join(missing)} {verb} not installed: {install_command(wanted)}"
    for name in distributions:
        found, least = version(name), MINIMUM.get(name)
        if found and least and _numbers(found) < _numbers(least):
            command = install_command([f"{name}>={least}"])
            return f"{name} {found} is too old: {command}"
    return None


def unmet_by_optimum_intel() -> str | None:
    """Why the installed optimum-intel cannot work with the other libraries; None when it can.

    It pins the transformers that it was written for, and breaks in other places with others.
    """
    import importlib.metadata

    found = version("optimum-intel")
    if found is None:
        return None
    for line in importlib.metadata.requires("optimum-intel") or ():
        match = re.match(r"transformers\b\s*(?P<range>[^;]*)", line)
        installed = version("transformers")
        if match and "extra" not in line and installed and not matches(installed, match["range"]):
            wanted = match["range"].strip(" ()")
            command = install_command([f"transformers{wanted}"])
            return f"optimum-intel {found} needs transformers {wanted}, not {installed}: {command}"
    return None


def matches(installed: str, specifier: str) -> bool:
    """Whether a version lies in a range such as ``>=4.51,<5.6`` (PEP 440; empty: any)."""
    from packaging.specifiers import SpecifierSet  # transformers itself needs it

    return bool(SpecifierSet(specifier.strip(" ()")).contains(installed, prereleases=True))


def applies(ranges: Mapping[str, str]) -> bool:
    """Whether every named distribution is installed in the range given for it."""
    for name, specifier in ranges.items():
        found = version(name)
        if found is None or not matches(found, specifier):
            return False
    return True


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text.partition("+")[0])[:3])


@functools.cache
def _package_folder(package: str) -> Path | None:
    import importlib.util

    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


@functools.cache
def torch_build() -> dict[str, str]:
    """How the installed torch was built: its version, commit, and CUDA or ROCm; empty without one.

    Read from torch's version file, since importing torch would cost seconds and memory.
    """
    folder = _package_folder("torch")
    if folder is None or not (folder / "version.py").is_file():
        return {}
    text = (folder / "version.py").read_text(encoding="utf-8")
    found = re.findall(r"^(\w+)(?:: [^=]+)? = '([^']+)'", text, re.MULTILINE)
    return {name.strip("_"): value for name, value in found}


def torch_cuda_build() -> str | None:
    """The CUDA version that the installed torch was built for; None for another build or none."""
    return torch_build().get("cuda")


@functools.cache
def transformers_classes(model_type: str | None = None) -> frozenset[str] | None:
    """Names of the model classes that transformers defines; None when it is not installed.

    Read from its source files without importing it. With a model type only the files of that
    type are read, which takes milliseconds; without, all of them (a fraction of a second).
    """
    folder = _package_folder("transformers")
    if folder is None:
        return None
    pattern = "*" if model_type is None else re.sub(r"[^a-z0-9]", "_", model_type.lower())
    names: set[str] = set()
    for path in folder.glob(f"models/{pattern}/modeling_*.py"):
        text = path.read_text(encoding="utf-8", errors="replace")
        names.update(re.findall(r"^class (\w+)", text, re.MULTILINE))
    return frozenset(names)
