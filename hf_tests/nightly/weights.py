"""Which checkpoint a model is tested on: its own folder, the Hub's cache, or a tiny one.

The Hub client alone is imported, which loads no model library, and only where a run is planned.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hf_tests import checkpoint_files, hardware
from hf_tests.nightly.usage import UsageError
from hf_tests.registry import Model

CHOICES = ("auto", "tiny", "hub")


@dataclass(frozen=True)
class Source:
    """Where a model's weights come from.

    ``kind`` is one of `hf_tests.outcome.WEIGHTS`; ``folder`` is None where it is yet to be built
    (tiny) or fetched (hub); ``note`` says why ``auto`` did not take the real ones.
    """

    kind: str
    folder: str | None
    size_mb: float | None = None
    note: str | None = None


def source_of(model: Model, choice: str) -> Source:
    """Resolve ``--weights`` for one model. Raises UsageError where it cannot be.

    ``auto`` takes a folder, else a complete checkpoint of the Hub's cache that fits into the free
    memory, else a tiny one; it never downloads.
    """
    if Path(model.id).is_absolute():
        if choice != "auto":
            raise UsageError(f"{model.id} is a folder, so --weights {choice} does not go with it.")
        return Source("local", model.id, checkpoint_files.weights_mb(Path(model.id)))
    if choice == "tiny":
        return _tiny(model)
    folder = cached_checkpoint(model)
    size = checkpoint_files.weights_mb(folder) if folder is not None else None
    if choice == "hub":
        return Source("hub", str(folder) if folder is not None else None, size or model.download_mb)
    if folder is None:
        return _tiny(model)
    free = hardware.free_memory_mb()
    if size is not None and free is not None and size > free:
        note = f"its cached checkpoint of {size:.0f} MiB does not fit into the free {free:.0f} MiB"
        return Source("tiny", None, note=note)
    return Source("hub", str(folder), size)


def _tiny(model: Model) -> Source:
    if not model.listed:
        raise UsageError(
            f"{model.id} is not in the registry, so no tiny checkpoint can be built of it; "
            "its own is not whole in the Hub's cache."
        )
    return Source("tiny", None)


def cached_file(model_id: str, name: str, revision: str | None = None) -> Path | None:
    """A file of a repository in the Hub's cache; None where it is not there."""
    try:
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError
    except ImportError:
        return None
    try:
        found = try_to_load_from_cache(model_id, name, revision=revision)
    except HFValidationError:
        return None
    return Path(found) if isinstance(found, str) else None


def fetched_file(model_id: str, name: str) -> Path:
    """A file of a repository, downloaded where it is not cached. Raises UsageError.

    The Hub's own client downloads it, with its tokens and retries.
    """
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise UsageError(f"{model_id} cannot be fetched: {error}") from None
    try:
        return Path(hf_hub_download(model_id, name))
    except Exception as error:  # noqa: BLE001 - the client raises its transport's own errors too
        from hf_tests.probe import errors

        if errors.is_unreachable(error):
            raise UsageError(
                f"{model_id} is not in the registry, and the Hub could not be reached for its "
                f"{name}. python runner.py doctor shows the connection; what is in the registry, "
                "a folder or the Hub's cache is tested without it."
            ) from None
        text = " ".join(str(error).split())
        raise UsageError(
            f"{model_id} is not in the registry, and the Hub does not give its {name}: "
            f"{type(error).__name__}: {text}"
        ) from None


def cached_checkpoint(model: Model) -> Path | None:
    """The model's snapshot in the Hub's cache, where its weights are all there as safetensors."""
    config = cached_file(model.repository, "config.json", model.revision)
    if config is None or not checkpoint_files.weight_files(config.parent):
        return None
    return config.parent


def summary(sources: Iterable[tuple[Model, Source]], choice: str) -> str:
    """The first line of a run: how many models run on which weights, and how to change it."""
    pairs = list(sources)
    kinds = [source.kind for _, source in pairs]
    parts = []
    for kind, words in (("hub", "from the Hub"), ("local", "local"), ("tiny", "tiny")):
        if kind in kinds:
            parts.append(f"{kinds.count(kind)} {words}")
    line = f"{len(pairs)} model{'s' if len(pairs) != 1 else ''}: " + ", ".join(parts)
    tiny = [model for model, source in pairs if source.kind == "tiny"]
    if tiny:
        line += " (random weights)"
    missing = [m for m, source in pairs if source.kind != "local" and cached_checkpoint(m) is None]
    size = sum(model.download_mb or 0.0 for model in missing)
    least = "at least " if any(model.download_mb is None for model in missing) else ""
    if choice == "hub":
        return f"{line}; {least}{_size(size)} to download" if missing else line
    return f"{line}; --weights hub would download {least}{_size(size)}" if missing else line


def _size(mib: float) -> str:
    gib = mib / 1024
    return f"{gib:.0f} GB" if gib >= 10 else f"{gib:.1f} GB"
