"""Versions of libraries, and what to install when one is missing: asked about here alone.

Versions are read from the installed distributions' metadata; nothing is imported, so that the
answer costs milliseconds and a broken library can still be named.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from hf_tests import versions as versions_

RANGES = {
    "fastjsonschema": ">=2.19",
    "jinja2": ">=3.1",
    "junitparser": ">=4",
    "numpy": ">=1.26",
    "openvino": ">=2025.0",
    "optimum-intel": ">=1.27",
    "pillow": ">=10",
    "protobuf": ">=4",
    "psutil": ">=5.9",
    "safetensors": ">=0.4.3",
    "sentencepiece": ">=0.2",
    "torch": ">=2.2",
    "tqdm": ">=4.66",
    "transformers": ">=4.57,<6",
}
"""Versions that this suite is written for, as in setup.cfg: they hold wherever a library is named,
besides what a family or model of the registry says."""

OPENVINO = ("openvino",)
"""What the ``openvino`` method needs beside a model's own dependencies."""

NLTK_DATA = {"g2p_en": ("corpora/cmudict", "taggers/averaged_perceptron_tagger_eng")}
"""What distributions read of NLTK's data, which pip does not bring: paths in one of its folders."""

ZIP = ("", ".zip")
"""Endings of what NLTK reads: a folder, or as it was downloaded."""

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


def unmet(requirements: Iterable[str]) -> str | None:
    """Why these requirements are not met here, and how to mend it; None when they are.

    A requirement is a distribution's name, with or without a range: ``timm>=1.0``. One that is
    installed and lacks what it needs itself, data included, is not met either.
    """
    absent: dict[str, str] = {}  # what to install, by name
    misfits: list[str] = []
    install: dict[str, None] = {}
    data: dict[str, None] = {}
    for text in requirements:
        name, wanted = versions_.requirement(text)
        specifier = versions_.joined(RANGES.get(name, ""), wanted)
        found = version(name)
        if found is None:
            absent[name] = name + specifier
        elif (how := versions_.misfit(found, specifier)) is not None:
            misfits.append(f"{name} {found} {how}")
            install[name + specifier] = None
        else:
            absent = {**missing_below(name), **absent}
            if lacking := _missing_data(name):
                misfits.append(f"{name} lacks {' and '.join(lacking)} of NLTK's data")
                data |= dict.fromkeys(lacking)
    install |= dict.fromkeys(absent.values())
    if absent:
        verb = "is" if len(absent) == 1 else "are"
        misfits.insert(0, f"{' and '.join(absent)} {verb} not installed")
    commands = [install_command(install)] if install else []
    commands += [f"python -m nltk.downloader {' '.join(data)}"] if data else []
    return f"{', '.join(misfits)}: {' && '.join(commands)}" if misfits else None


@functools.cache
def missing_below(distribution: str) -> dict[str, str]:
    """What an installed distribution needs, itself or through others, and is not there.

    Requirements by name; those that hold only for some systems or extras are passed over.
    """
    missing: dict[str, str] = {}
    pending, seen = [distribution], {distribution}
    while pending:
        for name, specifier in _needs(pending.pop()):
            if version(name) is None:
                missing[name] = name + specifier
            elif name not in seen:
                seen.add(name)
                pending.append(name)
    return missing


def _missing_data(distribution: str) -> list[str]:
    """Names of NLTK's data that a distribution reads and that none of NLTK's folders has."""
    return [
        path.rpartition("/")[2]
        for path in NLTK_DATA.get(distribution, ())
        if not any((folder / f"{path}{end}").exists() for folder in _nltk_folders() for end in ZIP)
    ]


def _nltk_folders() -> Iterator[Path]:
    """Where NLTK looks for its data (``nltk.data.path``), without importing it for a second."""
    yield from (Path(name) for name in os.environ.get("NLTK_DATA", "").split(os.pathsep) if name)
    yield Path("~/nltk_data").expanduser()
    for parent in (Path(sys.prefix), Path("/usr"), Path("/usr/local")):
        yield from (parent / name / "nltk_data" for name in ("", "share", "lib"))


@functools.cache
def _needs(distribution: str) -> tuple[tuple[str, str], ...]:
    """Name and range of what an installed distribution always requires."""
    import importlib.metadata

    found = []
    for line in importlib.metadata.requires(distribution) or ():
        text, _, marker = line.partition(";")
        if not marker.strip():
            name, specifier = versions_.requirement(text)
            found.append((re.sub(r"[-_.]+", "-", name).lower(), specifier))
    return tuple(found)


def unmet_for(requirements: Iterable[str], method: str) -> str | None:
    """Why a method cannot run a model with these requirements here; None when it can."""
    if method != "openvino":
        return unmet(requirements)
    return unmet((*requirements, *OPENVINO))


def unmet_by_optimum_intel() -> str | None:
    """Why the installed optimum-intel cannot work with the other libraries; None when it can.

    It pins the transformers that it was written for, and breaks in other places with others.
    """
    for name, specifier, installed in conflicts("optimum-intel"):
        if name == "transformers":
            command = install_command([f"{name}{specifier}"])
            found = version("optimum-intel")
            return f"optimum-intel {found} needs {name} {specifier}, not {installed}: {command}"
    return None


def conflicts(distribution: str) -> tuple[tuple[str, str, str], ...]:
    """Requirements of an installed distribution that others installed here do not meet.

    Each as name, wanted range and installed version.
    """
    if version(distribution) is None:
        return ()
    pairs = ((name, specifier, version(name)) for name, specifier in _needs(distribution))
    return tuple(
        (name, specifier, found)
        for name, specifier, found in pairs
        if found is not None and not versions_.matches(found, specifier)
    )


def applies(ranges: Mapping[str, str]) -> bool:
    """Whether every named distribution is installed in the range given for it."""
    for name, specifier in ranges.items():
        found = version(name)
        if found is None or not versions_.matches(found, specifier):
            return False
    return True


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
