"""What of the main job could run on this machine as it is, and what stands in the way.

Works where nothing but Python is installed; no model library is imported.
"""

from __future__ import annotations

import dataclasses
import os
import platform
import shutil
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_tests import cache, dependencies, hardware, versions
from hf_tests import registry as registries
from hf_tests.hardware import Device
from hf_tests.nightly import select
from hf_tests.registry import Model, Registry

PYTHON = ">=3.10"
HUB = "https://huggingface.co"
HUB_TIMEOUT_S = 4.0
ENOUGH_DISK_MB = 512.0  # for the tiny checkpoints of a registry and the files of a run
MIB = 1024 * 1024


@dataclass(frozen=True)
class Package:
    """A distribution: installed or not, in which range it must be, and what is wrong with it.

    ``needed`` is whether this suite or a model of the registry names it.
    """

    name: str
    version: str | None
    wanted: str
    needed: bool
    problem: str | None = None


@dataclass(frozen=True)
class Hub:
    """Whether the Hub answers and knows this account; ``reason`` says why it does not answer."""

    address: str
    reachable: bool
    logged_in: bool
    reason: str | None = None


@dataclass(frozen=True)
class Folder:
    """A folder that runs use: room on its disk in MiB, and whether it can be written."""

    purpose: str
    path: str
    free_mb: float | None
    writable: bool


@dataclass(frozen=True)
class Runnable:
    """How many of the registry's models a kind of device could run here.

    ``lacking`` has the models that could not, by what would have to be mended; a model may have
    several. ``known`` has those that the registry expects to fail, by its reason.
    """

    device: str
    models: int
    of: int
    lacking: dict[str, tuple[str, ...]]
    known: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Health:
    """All that was found; ``problems`` are why the main job could not run, none if it could."""

    python: str
    interpreter: str
    packages: tuple[Package, ...]
    devices: tuple[Device, ...]
    notes: tuple[str, ...]
    hub: Hub
    folders: tuple[Folder, ...]
    runnable: tuple[Runnable, ...]
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {**dataclasses.asdict(self), "main_job": not self.problems}


def examine(registry_path: str | None, results: Path) -> Health:
    """Look at everything; never raises for what is missing."""
    problems = []
    python = platform.python_version()
    if not versions.matches(python, PYTHON):
        problems.append(f"Python {python} is too old: {PYTHON} is needed")
    registry: Registry | None = None
    try:
        registry = registries.load(registry_path or registries.DEFAULT_PATH, validate=False)
        if dependencies.version("fastjsonschema") is not None:
            select.registry(registry_path)
    except Exception as error:  # noqa: BLE001 - an unvalidated file may be wrong in any way
        problems.append(f"the registry is wrong: {error}")
    lacking = dependencies.unmet(["fastjsonschema"])
    if lacking is not None:
        problems.append(lacking)
    models = registry.models if registry is not None else ()
    machine = hardware.detect()
    runnable = tuple(
        _runnable(kind, models, machine.kinds()) for kind in ("cpu", "cuda", "mps", "openvino")
    )
    if models and not runnable[0].models:
        every = dict.fromkeys(text for model in models for text in model.dependencies)
        problems += [dependencies.unmet(every) or ", ".join(runnable[0].lacking)]
    folders = _folders(results)
    for folder in folders:
        if not folder.writable:
            problems.append(f"{folder.path} ({folder.purpose}) cannot be written")
        elif folder.free_mb is not None and folder.free_mb < ENOUGH_DISK_MB:
            problems.append(
                f"{folder.path} ({folder.purpose}) has {folder.free_mb:.0f} MiB left, and "
                f"{ENOUGH_DISK_MB:.0f} are needed"
            )
    return Health(
        python=python,
        interpreter=sys.executable,
        packages=_packages(models),
        devices=machine.devices,
        notes=_notes(machine.devices),
        hub=hub(),
        folders=folders,
        runnable=runnable,
        problems=tuple(problems),
    )


def _packages(models: Sequence[Model]) -> tuple[Package, ...]:
    # What the suite itself takes fits, though single models want newer ones: those say so below.
    wanted = {name: [specifier] for name, specifier in dependencies.RANGES.items()}
    for model in models:
        for text in model.dependencies:
            name, specifier = versions.requirement(text)
            if name not in dependencies.RANGES:
                wanted.setdefault(name, []).append(specifier)
    names = dict.fromkeys((*wanted, *dependencies.REPORTED))
    return tuple(_package(name, wanted.get(name)) for name in names)


def _package(name: str, wanted: Sequence[str] | None) -> Package:
    found = dependencies.version(name)
    specifier = ",".join(dict.fromkeys(filter(None, wanted or ())))
    problem = None
    if found is None:
        problem = "not installed" if wanted is not None else None
    elif (how := versions.misfit(found, specifier)) is not None:
        problem = how
    elif missing := dependencies.missing_below(name):
        problem = f"lacks {', '.join(missing)}"
    elif others := dependencies.conflicts(name):
        other, needs, version = others[0]
        problem = f"wants {other} {needs}, not {version}"
    return Package(name, found, specifier, wanted is not None, problem)


def _runnable(kind: str, models: Sequence[Model], kinds: Sequence[str]) -> Runnable:
    lacking: dict[str, list[str]] = defaultdict(list)
    known: dict[str, list[str]] = defaultdict(list)
    count = 0
    for model in models:
        reasons = _lacks(kind, model, kinds)
        expected = None if reasons else _expected(kind, model)
        count += not reasons and expected is None
        for reason in reasons:
            lacking[reason].append(model.id)
        if expected is not None:
            known[expected].append(model.id)
    by_reason = ({why: tuple(ids) for why, ids in found.items()} for found in (lacking, known))
    return Runnable(kind, count, len(models), *by_reason)


def _lacks(kind: str, model: Model, kinds: Sequence[str]) -> list[str]:
    """Why none of a model's checks can be tried on a kind of device here; empty where one can."""
    needs = (*model.dependencies, *(dependencies.OPENVINO if kind == "openvino" else ()))
    reasons = [reason for text in needs if (reason := dependencies.unmet([text])) is not None]
    if kind == "openvino" and not reasons:
        reasons = list(filter(None, [dependencies.unmet_by_optimum_intel()]))
    if kind not in kinds and (kind != "openvino" or not reasons):
        return ["there is no such device here"]
    if reasons:
        return reasons
    known = dependencies.transformers_classes(model.model_type)
    if known is not None and model.class_name not in known:
        every = dependencies.transformers_classes() or frozenset()
        if model.class_name not in every:
            return [f"transformers {dependencies.version('transformers')} has no such class"]
    return []


def _expected(kind: str, model: Model) -> str | None:
    """Why none of a model's checks on a kind of device can pass, if the registry knows that."""
    methods = select.methods(kind)
    known = [
        item
        for item in model.expected
        if any(item.concerns(method, kind, "", "tiny") for method in methods)
    ]
    is_all = {item.method for item in known} == set(methods)
    return known[0].reason if is_all else None


def _notes(devices: Sequence[Device]) -> tuple[str, ...]:
    """What is odd about devices and the libraries that are to use them."""
    notes = []
    cuda = [device for device in devices if device.kind == "cuda"]
    if cuda and dependencies.version("torch") and "cuda" not in dependencies.torch_build():
        notes.append("there is a GPU, and the installed torch is built without CUDA")
    if not cuda:
        notes.append("no NVIDIA GPU: nvidia-smi is not there or finds none")
    if not any(device.kind == "openvino" for device in devices):
        reason = dependencies.unmet(dependencies.OPENVINO) or "it finds no device"
        notes.append(f"OpenVINO is not usable: {reason}")
    return tuple(notes)


def hub(timeout_s: float = HUB_TIMEOUT_S) -> Hub:
    """Ask the Hub's address for a sign of life, for a few seconds at most."""
    address = os.environ.get("HF_ENDPOINT") or HUB
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return Hub(address, False, _logged_in(), "HF_HUB_OFFLINE is set")
    reason = _unreachable(address, timeout_s)
    return Hub(address, reason is None, _logged_in(), reason)


def _unreachable(address: str, timeout_s: float) -> str | None:
    import threading
    import urllib.error
    import urllib.request

    found = [f"no answer within {timeout_s:.0f} s"]

    def ask() -> None:
        request = urllib.request.Request(f"{address}/api/models?limit=1", method="HEAD")
        try:
            urllib.request.urlopen(request, timeout=timeout_s).close()
        except urllib.error.HTTPError as error:
            # It answers, if not to this question; a server's own trouble is another matter.
            found[0] = f"it answers {error.code} {error.reason}" if error.code >= 500 else ""
        except (OSError, ValueError) as error:
            found[0] = str(getattr(error, "reason", None) or error)
        else:
            found[0] = ""

    # Looking up a name takes what time it wants; nobody waits for a daemon.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout_s + 1)
    return found[0] or None


def _logged_in() -> bool:
    """Whether the Hub's client has a token; nothing of it is kept."""
    try:
        from huggingface_hub import get_token
    except ImportError:
        return False
    return get_token() is not None


def _folders(results: Path) -> tuple[Folder, ...]:
    try:
        from huggingface_hub.constants import HF_HUB_CACHE

        hub_cache = Path(HF_HUB_CACHE)
    except ImportError:
        base = os.environ.get("HF_HOME") or "~/.cache/huggingface"
        hub_cache = Path(os.environ.get("HF_HUB_CACHE") or f"{base}/hub").expanduser()
    return (
        _folder("results", results.resolve()),
        _folder("tiny checkpoints", Path(cache.default_folder())),
        _folder("the Hub's cache", hub_cache),
    )


def _folder(purpose: str, path: Path) -> Folder:
    there = next((item for item in (path, *path.parents) if item.exists()), path)
    try:
        free = shutil.disk_usage(there).free / MIB
    except OSError:
        free = None
    return Folder(purpose, str(path), free, there.is_dir() and os.access(there, os.W_OK | os.X_OK))
