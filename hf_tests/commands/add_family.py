"""Add a family: a block in the registry and a module, made after another family's."""

from __future__ import annotations

import argparse
import contextlib
import json
import keyword
import re
from pathlib import Path
from typing import Any

from hf_tests.commands import add
from hf_tests.nightly.usage import UsageError

NAME = re.compile(r"[a-z][a-z0-9_]*")
NOT_SHARED = ("description", "class", "default_model", "models")
"""Keys of a family's block that a family like it does not take over."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("family", metavar="NAME", help="the new family's: small letters, digits, _")
    parser.add_argument(
        "--like", metavar="OTHER", required=True, help="the family whose task and checks it has"
    )
    parser.add_argument(
        "--model",
        metavar="ID_OR_PATH",
        required=True,
        help="its first and default model: of the Hub, cached or not, or a folder",
    )
    add.options(parser)


def run(options: argparse.Namespace) -> int:
    """Write block and module once the model has run; returns the exit status."""
    from hf_tests import registry as registries
    from hf_tests import registry_text
    from hf_tests.nightly import new_entry, recognise, select

    registry = select.registry(options.registry)
    path = Path(options.registry or registries.DEFAULT_PATH).resolve()
    name, like = options.family, select.family(registry, options.like)
    module = select.TESTS / f"test_{name}.py"
    _check(name, [family.name for family in registry.families], module)
    cache_dir = new_entry.cache_folder(options.cache_dir)
    checkpoint = new_entry.find(registry, options.model)
    class_name = recognise.class_of(checkpoint.config, cache_dir)
    entry = new_entry.entry(checkpoint, like, class_name)
    key = checkpoint.key(path)
    description = " ".join((options.description or f"{class_name} and its like").split())
    source = (select.TESTS / f"test_{like.name}.py").read_text(encoding="utf-8")
    code = _renamed(source, like.name, name, description)
    before = path.read_text(encoding="utf-8")
    pattern = json.loads(before)["families"][like.name]
    block: dict[str, Any] = {"description": description, "task": like.task, "class": class_name}
    block |= {"default_model": key}
    block |= {item: value for item, value in pattern.items() if item not in (*NOT_SHARED, "task")}
    block["models"] = {key: entry}

    def changed(text: str) -> str:
        return registry_text.with_family(text, name, block)

    new_entry.parsed(changed(before), path, checkpoint.id)
    if options.dry_run:
        print(add.difference(path, before, changed(before)), end="")
        print(add.difference(module, "", code), end="")
        return 0
    # Under the family that it is like, whose module its own is a copy of: it has none yet.
    trial = registry_text.with_model(before, like.name, key, entry)
    passed = new_entry.tried(
        new_entry.parsed(trial, path, checkpoint.id), options.results_dir, str(cache_dir)
    )
    _write(module, code)
    try:
        add.write(path, changed)
    except BaseException:
        with contextlib.suppress(OSError):
            module.unlink()
        raise
    print(
        f"{name} is now a family of {path}, and {module} its module; {key} passed {passed}. "
        "What is special about it is for you to say, in methods property_*."
    )
    return 0


def _check(name: str, families: list[str], module: Path) -> None:
    """Raise UsageError where a family cannot have the name."""
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(
            f"{name!r} is no name of a family: a small letter first, then small letters, digits "
            "and underscores, and no word of Python's."
        )
    if name in families:
        raise UsageError(f"there is a family {name} already.")
    if module.exists():
        raise UsageError(f"{module} is there already.")


def _renamed(source: str, other: str, name: str, description: str) -> str:
    """A family's module as another family's: its file, TestCase, name and first line."""
    title = "Test" + "".join(part.capitalize() for part in name.split("_"))
    said = description.replace("\\", " ").replace('"', "'").rstrip(".")
    code = re.sub(r'\A""".*?"""', lambda _: f'"""{said}."""', source, count=1, flags=re.DOTALL)
    case = re.search(r"^class (Test\w+)\(", code, re.MULTILINE)
    if case is None:
        raise UsageError(f"hf_tests/test_{other}.py has no TestCase to be like.")
    code = re.sub(rf"\b{case[1]}\b", title, code)
    code = re.sub(rf"\btest_{other}\b", f"test_{name}", code)
    code = code.replace(f'family = "{other}"', f'family = "{name}"')
    return code.replace(f"The {other} family", f"The {name} family")


def _write(module: Path, code: str) -> None:
    from hf_tests.nightly.store import write_bytes

    try:
        write_bytes(module, code.encode())
    except OSError as error:
        raise UsageError(f"{module} cannot be written: {error.strerror or error}") from None
