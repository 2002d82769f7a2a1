"""Classes of transformers by name."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from hf_tests import dependencies, own_code
from hf_tests.job import Job


def transformers_class(name: str) -> Any:
    """The class of that name; NotImplementedError where this transformers has none."""
    import transformers

    try:
        return getattr(transformers, name)
    except AttributeError:
        version = dependencies.version("transformers")
        raise NotImplementedError(f"transformers {version} has no class {name!r}") from None


def parameters_of(name: str) -> dict[str, inspect.Parameter]:
    """What the networks of the class of that name take by name."""
    found = list(inspect.signature(transformers_class(name).forward).parameters.values())[1:]
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {item.name: item for item in found if item.kind in named}


def model_class(job: Job, folder: str) -> Any:
    """The class of the job's model: of transformers, or of the checkpoint's own trusted code.

    Raises NotImplementedError where neither has it, and UnaskedCode where the code is not trusted.
    """
    import transformers

    name = job.model.class_name
    reference = own_code.class_reference(Path(folder), name)
    if reference is None or (hasattr(transformers, name) and not trusts(job)):
        return transformers_class(name)
    if not trusts(job):
        raise own_code.UnaskedCode(f"{name} is code of the checkpoint's own: {reference}")
    from transformers.dynamic_module_utils import get_class_from_dynamic_module

    return get_class_from_dynamic_module(reference, folder)


def trust(job: Job) -> dict[str, bool]:
    """The argument by which a library may run the checkpoint's own code; none where it may not."""
    return {"trust_remote_code": True} if trusts(job) else {}


def trusts(job: Job) -> bool:
    """Whether the checkpoint's own code may be run: where its entry and the run both say so."""
    return job.model.own_code and job.trusted
