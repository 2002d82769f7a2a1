"""Published checkpoints fetched before their jobs run, so that the jobs need no network.

The Hub's own client downloads, with its cache, tokens and resuming; here is what a night of jobs
needs besides: patience with a busy Hub, a look at the disk, and a check of what came.
"""

from __future__ import annotations

import hashlib
import random
import re
import shlex
import shutil
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from hf_tests import checkpoint_files, own_code
from hf_tests.family import describe
from hf_tests.job import Job
from hf_tests.nightly import room
from hf_tests.registry import Model

ATTEMPTS = 5
FIRST_WAIT_S = 1.0  # doubled each time
LONGEST_WAIT_S = 300.0  # what a Hub that asks for more patience is given
RESERVE_MB = 500.0  # of the disk, beside what is downloaded
MIB = 1024 * 1024

WEIGHTS = re.compile(r"model(-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json")
ALLOWED_PICKLES = re.compile(r"pytorch_model(-\d+-of-\d+)?\.bin|pytorch_model\.bin\.index\.json")
ALONE = (checkpoint_files.WEIGHTS, checkpoint_files.PICKLE)
PICKLES = re.compile(r".*\.(bin|pt|pth|ckpt|pkl)")
SNAPSHOT = re.compile(r"[0-9a-f]{40}")

Say = Callable[[str], None]


class CorruptCheckpoint(Exception):
    """A file came that is not the one that the Hub promised."""


class NotTried(Exception):
    """A download that would be pointless; ``kind`` is its error type."""

    def __init__(self, reason: str, kind: str) -> None:
        super().__init__(reason)
        self.kind = kind


@dataclass(frozen=True)
class File:
    """A file of a repository: its size in bytes, and the SHA-256 where the Hub gives it."""

    name: str
    size: int
    sha256: str | None


def prepare(
    jobs: Sequence[Job],
    say: Say,
    force: bool = False,
    to_run: bool = True,
    pickles: Collection[str] = (),
    trusted: Collection[str] = (),
) -> tuple[Job, ...]:
    """The same jobs with their checkpoints on this machine, and with what is known of those.

    A job that has no checkpoint, or no room for it on its device where it is ``to_run``, says why
    in ``barred``. With ``force`` nobody looks for room, on the disk or on the device. ``pickles``
    are the ids of the models whose weights may be taken out of a pickle, ``trusted`` those whose
    own code may be run.
    """
    fetched: dict[str, Mapping[str, Any]] = {}
    digests: dict[str, str | None] = {}
    prepared = []
    for job in jobs:
        name = job.model.id
        if name in pickles:
            job = job.replace(unpickle=True)
        if name in trusted:
            job = job.replace(trusted=True)
        if name not in fetched:
            fetched[name] = _fetched(job, say, force)
        job = job.replace(**fetched[name])
        if to_run and not force and not job.barred:
            reason = room.too_large(job)
            if reason is not None:
                kind = {"error_type": "out_of_memory", "stage": "move"}
                job = job.replace(barred={"reason": reason, **kind})
        if job.checkpoint is not None and not job.barred:
            if name not in digests:
                digests[name] = _digest(Path(job.checkpoint))
            job = job.replace(weights_sha256=digests[name])
        prepared.append(job)
    return tuple(prepared)


def _digest(folder: Path) -> str | None:
    found = checkpoint_files.weights_digest(folder)
    if found is None and checkpoint_files.pickle_files(folder):
        return checkpoint_files.pickles_digest(folder)
    return found


def _fetched(job: Job, say: Say, force: bool) -> Mapping[str, Any]:
    """The fields of a model's jobs that tell where its checkpoint is."""
    folder = job.checkpoint
    why = own_code.barred(job)
    if why is not None:
        return {"barred": why}
    lacks_code = job.trusted and folder is not None and not list(Path(folder).glob(own_code.FILES))
    if job.weights == "hub" and (folder is None or lacks_code):
        try:
            folder = str(fetch(job.model, say, force, job.unpickle, job.trusted))
        except NotTried as error:
            say(f"{job.model.id}: {error}")
            return {"barred": {"reason": str(error), "error_type": error.kind}}
        except Exception as error:  # noqa: BLE001 - whatever the client raises is a result
            found = describe(error, job, "download", job.methods[0])
            say(f"{job.model.id}: {found['error'].splitlines()[0]}")
            return {"barred": found}
    if folder is None:
        return {"barred": {}}
    pickles = checkpoint_files.pickle_files(Path(folder))
    if pickles and not job.unpickle:
        reason = _pickle_only(job.model, pickles[0].name)
        return {"barred": {"reason": reason, "error_type": "unsupported", "stage": "model"}}
    name = Path(folder).name
    of_hub = job.weights == "hub" and SNAPSHOT.fullmatch(name)
    return {"checkpoint": folder, "barred": {}, "commit": name if of_hub else None}


def fetch(
    model: Model, say: Say, force: bool = False, unpickle: bool = False, trusted: bool = False
) -> Path:
    """The folder of a model's snapshot in the Hub's cache, downloaded into it.

    With ``unpickle`` its pickles come where it has no safetensors; ``trusted``, its code comes too.
    A busy or broken Hub is asked again, as late as it says. Raises NotTried, CorruptCheckpoint,
    and what huggingface_hub raises.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _fetch(model, say, force, unpickle, trusted)
        except NotTried:
            raise
        except Exception as error:
            wait = _patience(error, attempt)
            if wait is None or attempt == ATTEMPTS:
                raise
            what = f"{type(error).__name__}: {error}".split("\n", 1)[0]
            say(f"{model.id}: {what}; again in {wait:.0f} s ({attempt}/{ATTEMPTS - 1})")
            time.sleep(wait)
    raise AssertionError("unreachable")


def _fetch(model: Model, say: Say, force: bool, unpickle: bool, trusted: bool) -> Path:
    import huggingface_hub

    info = huggingface_hub.HfApi().model_info(
        model.repository, revision=model.revision, files_metadata=True
    )
    settings = (*checkpoint_files.SETTINGS, *([own_code.FILES] if trusted else []))
    files = wanted(info.siblings or (), WEIGHTS, settings)
    if unpickle and not any(file.name.endswith(".safetensors") for file in files):
        files = wanted(info.siblings or (), ALLOWED_PICKLES, settings)
    if not any(file.name.endswith((".safetensors", ".bin")) for file in files):
        raise NotTried(_without_safetensors(model, info.siblings or ()), "unsupported")
    missing = [file for file in files if not _cached(model, info.sha, file)]
    size = sum(file.size for file in missing) / MIB
    if missing:
        free = _free_mb()
        if not force and free is not None and size + RESERVE_MB > free:
            raise NotTried(
                f"its download of {size:.0f} MiB and a reserve of {RESERVE_MB:.0f} do not fit into "
                f"the free {free:.0f} MiB of the disk; --force tries all the same",
                "disk_full",
            )
        say(f"{model.id}: downloading {size:.1f} MiB")
    folder = Path(
        huggingface_hub.snapshot_download(
            model.repository,
            revision=model.revision,
            allow_patterns=[_literally(file.name) for file in files],
        )
    )
    for file in missing:
        _check(folder / file.name, file)
    return folder


def wanted(
    siblings: Sequence[Any],
    weights: re.Pattern[str] = WEIGHTS,
    patterns: Sequence[str] = checkpoint_files.SETTINGS,
) -> tuple[File, ...]:
    """What is needed of a repository's files: weights of those names, and what fits the patterns.

    Names that lead out of the repository's folder, or into another, are none. Of weights that are
    there both in one file and in parts, as transformers does, the one file is taken.
    """
    found = []
    names = {item.rfilename for item in siblings}
    alone = {name for name in ALONE if weights.fullmatch(name)} & names
    for item in siblings:
        name = str(item.rfilename)
        path = PurePosixPath(name)
        if path.name != name or "\\" in name or name.startswith("."):
            continue
        settings = any(path.match(pattern) for pattern in patterns)
        is_taken = weights.fullmatch(name) and (name in alone or not alone)
        if is_taken or (settings and not name.endswith(".index.json")):
            large = item.lfs.sha256 if item.lfs is not None else None
            found.append(File(name, item.size or 0, large))
    return tuple(found)


def _without_safetensors(model: Model, siblings: Sequence[Any]) -> str:
    pickles = [item.rfilename for item in siblings if PICKLES.fullmatch(item.rfilename)]
    if not pickles:
        return f"{model.id} has no model.safetensors on the Hub"
    usual = [name for name in pickles if ALLOWED_PICKLES.fullmatch(name)]
    return _pickle_only(model, (usual or pickles)[0])


def _pickle_only(model: Model, name: str) -> str:
    says = (
        f"{model.id} has its weights as a pickle only ({name}), which could run code when it is "
        "loaded; it needs a model.safetensors"
    )
    if not ALLOWED_PICKLES.fullmatch(name):
        return says
    allow = f"--allow-pickle {shlex.quote(model.id)}"
    return f"{says}. {allow} takes the tensors out of it, and nothing else"


def _cached(model: Model, commit: str | None, file: File) -> bool:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(model.repository, file.name, revision=commit)
    return isinstance(found, str)


def _free_mb() -> float | None:
    from huggingface_hub.constants import HF_HUB_CACHE

    path = Path(HF_HUB_CACHE)
    there = next((item for item in (path, *path.parents) if item.exists()), None)
    return None if there is None else shutil.disk_usage(there).free / MIB


def _literally(name: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", name)


def _check(path: Path, file: File) -> None:
    """Raise CorruptCheckpoint where a file that came is another one, and remove it."""
    if file.sha256 is None:
        return
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(checkpoint_files.BLOCK):
            found.update(block)
    if found.hexdigest() != file.sha256:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise CorruptCheckpoint(
            f"{file.name} came with the SHA-256 {found.hexdigest()}, and the Hub promised "
            f"{file.sha256}"
        )


def _patience(error: Exception, attempt: int) -> float | None:
    """Seconds to wait before another attempt; None where that would be of no use."""
    usual = FIRST_WAIT_S * 2.0 ** (attempt - 1)
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        if status != 429 and status < 500:
            return None
        asked = str(error.response.headers.get("Retry-After", ""))  # type: ignore[attr-defined]
        if asked.isdecimal():
            return float(asked) if float(asked) <= LONGEST_WAIT_S else None
        return usual + random.random()  # so that many machines do not come back at once
    names = {cls.__name__ for cls in type(error).__mro__}
    broken = {"TransportError", "RequestException", "CorruptCheckpoint"}
    if "Consistency check failed" in str(error):
        return usual
    if names & broken and not names & {"ConnectError", "ConnectionError", "UnsupportedProtocol"}:
        return usual
    return None
