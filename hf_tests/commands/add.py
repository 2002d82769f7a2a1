"""Add a model to the registry: its entry is made from its config, tried, and then written."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable
from pathlib import Path

from hf_tests.nightly.usage import UsageError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "model", metavar="ID_OR_PATH", help="a model of the Hub, cached or not, or a folder"
    )
    parser.add_argument(
        "--family", metavar="NAME", help="the family (default: by model type, class and task)"
    )
    options(parser)


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command that writes into the registry."""
    parser.add_argument("--description", metavar="TEXT", help="its line in the registry")
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would be changed; run and write nothing"
    )
    parser.add_argument("--registry", metavar="FILE", help="in place of the shipped registry.json")
    parser.add_argument(
        "--results-dir", metavar="DIR", help="keep the files of its run there (default: nowhere)"
    )
    parser.add_argument(
        "--cache-dir", metavar="DIR", default="", help="where tiny checkpoints are kept"
    )


def run(options: argparse.Namespace) -> int:
    """Write the entry once it has run; returns the exit status."""
    from hf_tests import registry as registries
    from hf_tests import registry_text
    from hf_tests.nightly import new_entry, recognise, select

    registry = select.registry(options.registry)
    path = Path(options.registry or registries.DEFAULT_PATH).resolve()
    cache_dir = new_entry.cache_folder(options.cache_dir)
    family = select.family(registry, options.family) if options.family else None
    checkpoint = new_entry.find(registry, options.model)
    if family is not None:
        class_name = recognise.class_of(checkpoint.config, cache_dir)
    else:
        try:
            found = recognise.recognise(registry, checkpoint.config, cache_dir)
        except UsageError as error:
            raise UsageError(
                f"{error} --family NAME takes one all the same; README.md says how to add one."
            ) from None
        family, class_name = found.family, found.class_name
        print(f"family {family.name}, {found.why}", flush=True)
    entry = new_entry.entry(checkpoint, family, class_name, options.description)
    key, name = checkpoint.key(path), family.name

    def changed(text: str) -> str:
        return registry_text.with_model(text, name, key, entry)

    before = path.read_text(encoding="utf-8")
    model = new_entry.parsed(changed(before), path, checkpoint.id)
    if options.dry_run:
        print(difference(path, before, changed(before)), end="")
        return 0
    passed = new_entry.tried(model, options.results_dir, str(cache_dir))
    write(path, changed)
    print(f"{key} is now under {name} in {path}. It passed {passed}.")
    return 0


def difference(path: Path, before: str, after: str) -> str:
    """Two texts of one file as a unified diff."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), str(path), str(path)
    )
    return "".join(lines)


def write(path: Path, changed: Callable[[str], str]) -> None:
    """Change the registry's text as it is now: others may have written meanwhile.

    Raises UsageError where that cannot be.
    """
    from hf_tests.nightly.store import write_bytes

    try:
        write_bytes(path, changed(path.read_bytes().decode("utf-8")).encode())
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None
    except (KeyError, ValueError) as error:
        raise UsageError(f"{path} was changed meanwhile: {error}") from None
