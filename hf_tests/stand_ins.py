"""Libraries that may be missing: ``from hf_tests.stand_ins import timm`` always works.

Where the library can be imported it is the library. Where it cannot, it is a stand-in whose parts
can be named, annotated with and subclassed, and say what is missing as soon as they are called or
looked into; a check in which that happens is skipped with those words. So a family's module may use
an optional library at its top, and what does not need it is tested all the same.
"""

from __future__ import annotations

import importlib
import types
from typing import Any, NoReturn

from hf_tests import dependencies

DISTRIBUTIONS = {
    "PIL": "pillow", "cv2": "opencv-python", "optimum": "optimum-intel", "sklearn": "scikit-learn"
}  # fmt: skip
"""Where a library is installed under another name than it is imported by, but for underscores."""


class MissingLibrary(ModuleNotFoundError):
    """Part of a library was used that cannot be imported here; the message says how to mend it."""


class _Part(type):
    """The type of a stand-in's parts: each is a class, and what it has is a part again."""

    _why: str
    _path: str

    def __getattr__(cls, name: str) -> _Part:
        if name.startswith("__"):
            raise AttributeError(name)
        return _part(cls._why, f"{cls._path}.{name}")

    def __repr__(cls) -> str:
        return f"<stand-in for {cls._path}>"

    def _used(cls, *arguments: Any, **options: Any) -> NoReturn:
        del arguments, options
        raise MissingLibrary(f"{cls._path} is used, and {cls._why}", name=cls._path)

    __call__ = __iter__ = __len__ = __getitem__ = __contains__ = __enter__ = _used

    def __exit__(cls, *arguments: Any) -> None:
        """Never reached: entering says what is missing."""


class StandIn(types.ModuleType):
    """What stands in for a library that cannot be imported; ``why`` is the end of a sentence."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name, f"Stands in for {name}: {why}")
        self._why = why

    def __getattr__(self, name: str) -> _Part:
        if name.startswith("__"):
            raise AttributeError(name)
        return _part(self._why, f"{self.__name__}.{name}")


def library(name: str) -> types.ModuleType:
    """The library that is imported by this name, or a stand-in for it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        why = f"{name} cannot be imported: {error}"
        if getattr(error, "name", None) == name:
            distribution = DISTRIBUTIONS.get(name, name.replace("_", "-"))
            why = dependencies.unmet([distribution]) or why
        return StandIn(name, why)


def _part(why: str, path: str) -> _Part:
    name = path.rpartition(".")[2]
    return _Part(name, (), {"_why": why, "_path": path, "__module__": path.rpartition(".")[0]})


def __getattr__(name: str) -> types.ModuleType:
    if name.startswith("__"):
        raise AttributeError(name)
    return library(name)
