"""registry.json as frozen dataclasses: Registry, Family, Model.

Reading is strict: a file that is no JSON, breaks the schema or contradicts itself raises
RegistryError with the place and what was expected. No model library is imported.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hf_tests import dependencies

CHECKOUT_PATH = Path(__file__).resolve().parent.parent / "registry.json"
INSTALLED_PATH = Path(sys.prefix) / "share" / "hf-tests" / "registry.json"
DEFAULT_PATH = CHECKOUT_PATH if CHECKOUT_PATH.is_file() else INSTALLED_PATH
"""The shipped registry: beside the package in a checkout, a data file where it is installed."""

SCHEMA_PATH = Path(__file__).resolve().parent / "schemas" / "registry.schema.json"

INHERITED = ("samples", "tokenizer", "processor", "generation", "shrink")
"""Objects that a model takes from its family, key by key, where it does not give them."""

FLAGS = ("scores", "chooses_places")
"""What else a model takes from its family where it does not say it."""


HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""An escape that may stand for half of a surrogate pair."""

PART = "#"
"""Behind a Hub id stands which part of its checkpoint a model is: ``facebook/sam3#vision``."""


class RegistryError(ValueError):
    """The registry is wrong; the message says where and what was expected."""


@dataclass(frozen=True)
class Expectation:
    """A check that is known not to pass: which one, under what versions, and why.

    ``error`` are words of the error that a failing one raises, or several such where it shows in
    several ways; any other error is no expected one. With a ``dtype`` only what is run in it fails.
    """

    method: str
    status: str
    reason: str
    error: str | Sequence[str] | None = None
    device: str | None = None
    dtype: str | None = None
    weights: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    def concerns(self, method: str, device: str, dtype: str, weights: str) -> bool:
        """Whether it is about a check of these, under the installed versions.

        An empty ``dtype`` stands for none in particular.
        """
        return (
            self.method == method
            and self.device in (None, device)
            and self.dtype in (None, dtype)
            and self.weights in (None, weights)
            and dependencies.applies(self.versions)
        )

    def explains(self, words: str) -> bool:
        """Whether an error of these words is the expected one."""
        known = [self.error] if isinstance(self.error, str) else self.error
        return known is None or any(part in words for part in known)


@dataclass(frozen=True)
class Without:
    """A property of its family that a model does not have: why, and under what versions."""

    property: str
    reason: str
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class KnownAnswer:
    """What the published checkpoint is known to answer to a question, and where that stands."""

    question: str
    answer: str
    source: str


@dataclass(frozen=True)
class ExportArguments:
    """Arguments that a conversion to OpenVINO needs under some versions, and why."""

    arguments: Mapping[str, bool]
    reason: str
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OnePass:
    """Why no graph of the model can be given a text of any length, and under what versions."""

    reason: str
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """One model with everything its tests need, its family's defaults merged in.

    ``id`` is a Hub id, that of a part of one's checkpoint, or the path of a folder; ``listed``
    whether it stands in the registry; ``akin`` whether its family has models of its type, so that
    what is special about them is asked of it too; ``config`` the published configuration where it
    differs from the config class's defaults; ``parameters`` counts tied weights once;
    ``download_mb`` is the size of the published weights in MiB. The other mappings are the
    registry's objects of the same names, described in its schema.
    """

    id: str
    family: str
    task: str
    class_name: str
    model_type: str
    description: str = ""
    vocab_size: int | None = None
    parameters: int | None = None
    download_mb: float | None = None
    dependency_note: str | None = None
    dependencies: tuple[str, ...] = ()
    dependencies_for: Mapping[str, Sequence[str]] = field(default_factory=dict)
    revision: str | None = None
    gated: bool = False
    own_code: bool = False
    timeout_s: float | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    listed: bool = True
    akin: bool = True
    scores: str = "exclusive"
    chooses_places: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)
    samples: Mapping[str, Any] = field(default_factory=dict)
    tokenizer: Mapping[str, Any] = field(default_factory=dict)
    processor: Mapping[str, Any] = field(default_factory=dict)
    generation: Mapping[str, Any] = field(default_factory=dict)
    shrink: Mapping[str, Any] = field(default_factory=dict)
    expected: tuple[Expectation, ...] = ()
    export: tuple[ExportArguments, ...] = ()
    one_pass: tuple[OnePass, ...] = ()
    without: tuple[Without, ...] = ()
    answers: tuple[KnownAnswer, ...] = ()

    @property
    def repository(self) -> str:
        """The Hub's repository that holds its checkpoint: its id without the name of a part."""
        return self.id.partition(PART)[0] if self.listed else self.id

    def needs(self, weights: str, method: str) -> tuple[str, ...]:
        """The distributions that a method cannot run it without, with such weights."""
        only = (self.dependencies_for.get(name, ()) for name in (weights, method))
        return tuple(dict.fromkeys((*self.dependencies, *itertools.chain(*only))))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Model:
        """Rebuild a model from the JSON form of `dataclasses.asdict`."""
        values = dict(data)
        values["dependencies"] = tuple(values["dependencies"])
        values["expected"] = tuple(Expectation(**item) for item in values["expected"])
        values["export"] = tuple(ExportArguments(**item) for item in values["export"])
        values["one_pass"] = tuple(OnePass(**item) for item in values["one_pass"])
        values["without"] = tuple(Without(**item) for item in values["without"])
        values["answers"] = tuple(KnownAnswer(**item) for item in values["answers"])
        return cls(**values)


@dataclass(frozen=True)
class Family:
    """Models that share an architecture, a task and one module of tests."""

    name: str
    description: str
    task: str
    class_name: str
    default_model: str
    dependencies: tuple[str, ...]
    models: tuple[Model, ...]
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @property
    def module(self) -> str:
        """The module that holds the family's TestCase."""
        return f"hf_tests.test_{self.name}"

    def model(self, model_id: str) -> Model:
        """The family's model of that id; KeyError when there is none."""
        for model in self.models:
            if model.id == model_id:
                return model
        raise KeyError(model_id)

    def unlisted(
        self, model_id: str, class_name: str, model_type: str, why: str, *, akin: bool = True
    ) -> Model:
        """A model that the registry does not list, with this family's task and defaults.

        ``why`` is the reason for taking this family: the end of a sentence.
        """
        return Model(
            id=model_id,
            family=self.name,
            task=self.task,
            class_name=class_name,
            model_type=model_type,
            description=f"not in the registry; tested as {self.name}, {why}",
            dependencies=self.dependencies,
            listed=False,
            akin=akin,
            **self.defaults,
        )


@dataclass(frozen=True)
class Registry:
    """All families, in the file's order."""

    path: str
    families: tuple[Family, ...]

    @property
    def models(self) -> tuple[Model, ...]:
        """All models of all families."""
        return tuple(model for family in self.families for model in family.models)

    def family(self, name: str) -> Family:
        """The family of that name; KeyError when there is none."""
        for family in self.families:
            if family.name == name:
                return family
        raise KeyError(name)


def load(path: str | Path = DEFAULT_PATH, *, validate: bool = True) -> Registry:
    """Read, validate and resolve a registry file.

    Without ``validate``, which needs no library, a wrong one may raise anything.

    Raises RegistryError when it cannot be read, is no JSON (with line and column), breaks the
    schema (with a JSON pointer) or contradicts itself.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise RegistryError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise RegistryError(f"{path}: is not UTF-8 text: {error.reason}") from error
    return parse(text, path, validate=validate)


def parse(text: str, path: Path, *, validate: bool = True) -> Registry:
    """Validate and resolve the text of a registry whose place is ``path``; raises as `load`."""
    try:
        data = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_no_constant)
        if HALF.search(text):
            json.dumps(data, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise RegistryError(
            f"{path}: line {error.lineno}, column {error.colno}: not JSON: {error.msg}"
        ) from error
    except _DuplicateKeyError as error:
        raise RegistryError(
            f"{path}: the key {error.args[0]!r} stands twice in one object"
        ) from error
    except _ConstantError as error:
        raise RegistryError(f"{path}: not JSON: {error.args[0]} is no number") from error
    except UnicodeEncodeError as error:
        raise RegistryError(
            f"{path}: \\u{ord(error.object[error.start]):04x} is half of a surrogate pair, and no "
            "character"
        ) from error
    if validate:
        _validate(data, path)
    families = tuple(_family(name, block, path) for name, block in data["families"].items())
    _check_unique_ids(families, path)
    return Registry(str(path), families)


def nearest(name: str, known: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """The known names most like a wrong one, best first; empty when none is near.

    Case is ignored; a name that contains the wrong one comes before one that only looks like it,
    and the part after an owner's slash counts as well as the whole.
    """
    import difflib

    wanted = name.lower()
    candidates: dict[str, str] = {}
    for item in known:
        candidates.setdefault(item.lower(), item)
        candidates.setdefault(item.lower().rpartition("/")[2], item)
    found = [item for item in candidates if len(wanted) > 2 and item.startswith(wanted)]
    found += [item for item in candidates if len(wanted) > 2 and wanted in item]
    for text in dict.fromkeys((wanted, wanted.rpartition("/")[2])):
        found += difflib.get_close_matches(text, candidates, n=count, cutoff=0.6)
    return tuple(dict.fromkeys(candidates[item] for item in found))[:count]


class _DuplicateKeyError(ValueError):
    pass


class _ConstantError(ValueError):
    pass


def _no_constant(name: str) -> Any:
    raise _ConstantError(name)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise _DuplicateKeyError(key)
        result[key] = value
    return result


def _validate(data: Any, path: Path) -> None:
    # Imported late: a listing that needs no registry should not pay for the validator.
    try:
        import fastjsonschema
    except ImportError:
        from hf_tests import dependencies

        lacking = dependencies.unmet(["fastjsonschema"])
        raise RegistryError(f"{path}: cannot be validated: {lacking}") from None

    schema = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    try:
        # Checks that cannot say where they failed are compiled in a third of the time.
        fastjsonschema.compile(schema, detailed_exceptions=False)(data)
    except fastjsonschema.JsonSchemaException:
        try:
            fastjsonschema.compile(schema)(data)
        except fastjsonschema.JsonSchemaException as error:
            raise RegistryError(f"{path}: {describe_violation(error)}") from error
        raise


def describe_violation(error: Any) -> str:
    """A schema violation as 'JSON pointer: what was expected'.

    ``error`` is a fastjsonschema.JsonSchemaException, whose path starts with the word "data".
    """
    steps = [str(step).replace("~", "~0").replace("/", "~1") for step in error.path[1:]]
    message = error.message.removeprefix(error.name or "").strip()
    return f"/{'/'.join(steps)}: {message}"


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` on top of ``base``, object by object; lists are replaced whole."""
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = _merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def _family(name: str, block: Mapping[str, Any], path: Path) -> Family:
    inherited = (*INHERITED, *FLAGS)
    defaults: dict[str, Any] = {key: block[key] for key in inherited if key in block}
    dependencies = tuple(block["dependencies"])
    models = []
    for model_id, entry in block["models"].items():
        merged = _merge(defaults, {key: entry[key] for key in inherited if key in entry})
        model = Model(
            id=_resolve_path(model_id, path),
            family=name,
            task=entry.get("task", block["task"]),
            class_name=entry["class"],
            model_type=entry["model_type"],
            description=entry["description"],
            vocab_size=entry["vocab_size"],
            parameters=entry.get("parameters"),
            download_mb=entry.get("download_mb"),
            dependency_note=entry["dependency_note"],
            dependencies=tuple(dict.fromkeys((*dependencies, *entry.get("dependencies", ())))),
            dependencies_for=entry.get("dependencies_for", {}),
            revision=entry.get("revision"),
            gated=entry.get("gated", False),
            own_code=entry.get("own_code", False),
            timeout_s=entry.get("timeout"),
            thresholds=entry.get("thresholds", {}),
            config=entry.get("config", {}),
            expected=tuple(
                _expectation(item, f"{path}: /families/{name}")
                for item in (*entry.get("expected", ()), *block.get("expected", ()))
            ),
            export=tuple(
                ExportArguments(**item)
                for item in (*block.get("export", ()), *entry.get("export", ()))
            ),
            one_pass=tuple(OnePass(**item) for item in entry.get("one_pass", ())),
            without=tuple(Without(**item) for item in entry.get("without", ())),
            answers=tuple(KnownAnswer(**item) for item in entry.get("answers", ())),
            **merged,
        )
        models.append(model)
    if block["default_model"] not in block["models"]:
        raise RegistryError(
            f"{path}: /families/{name}/default_model: {block['default_model']!r} is not one of "
            "the family's models"
        )
    return Family(
        name=name,
        description=block["description"],
        task=block["task"],
        class_name=block["class"],
        default_model=_resolve_path(block["default_model"], path),
        dependencies=dependencies,
        models=tuple(models),
        defaults=defaults,
    )


def _expectation(item: Mapping[str, Any], where: str) -> Expectation:
    found = Expectation(**item)
    if found.status == "expected_failure" and found.error is None:
        raise RegistryError(
            f"{where}: the expected failure {found.reason!r} needs the error's words, under 'error'"
        )
    if found.status == "skipped" and found.dtype is not None:
        raise RegistryError(f"{where}: what is skipped is skipped in every dtype: {found.reason!r}")
    return found


def _resolve_path(model_id: str, registry: Path) -> str:
    """A model named by a relative path is relative to its registry, not to where one stands."""
    if model_id.startswith(("./", "../")):
        return str((registry.parent / model_id).resolve())
    return model_id


def _check_unique_ids(families: tuple[Family, ...], path: Path) -> None:
    seen: dict[str, str] = {}
    for family in families:
        for model in family.models:
            if model.id in seen:
                raise RegistryError(
                    f"{path}: the model {model.id!r} stands in two families, "
                    f"{seen[model.id]} and {family.name}"
                )
            seen[model.id] = family.name
