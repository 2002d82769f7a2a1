"""Classes of transformers by name."""

from __future__ import annotations

from typing import Any

from hf_tests import dependencies


def transformers_class(name: str) -> Any:
    """The class of that name; NotImplementedError where this transformers has none."""
    import transformers

    try:
        return getattr(transformers, name)
    except AttributeError:
        version = dependencies.version("transformers")
        raise NotImplementedError(f"transformers {version} has no class {name!r}") from None
