"""The model types that the installed transformers has a model class for.

``python -m hf_tests.probe.model_types`` prints them as JSON: model type to the classes that its
auto-classes load for it.
"""

from __future__ import annotations

import json
import sys

PREFIX, SUFFIX = "MODEL", "MAPPING_NAMES"  # of the auto-classes' tables


def found() -> dict[str, list[str]]:
    """Classes by model type, both in alphabetical order."""
    from transformers.models.auto import modeling_auto
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    classes: dict[str, set[str]] = {}
    for name, table in vars(modeling_auto).items():
        if name.startswith(PREFIX) and name.endswith(SUFFIX):
            for model_type, names in table.items():
                if model_type in CONFIG_MAPPING_NAMES:
                    several = names if isinstance(names, (list, tuple)) else (names,)
                    classes.setdefault(model_type, set()).update(filter(None, several))
    return {model_type: sorted(classes[model_type]) for model_type in sorted(classes)}


if __name__ == "__main__":
    json.dump(found(), sys.stdout)
