"""The model types that the installed transformers gives a model class for.

``python -m hf_tests.probe.model_types`` prints them as JSON: model type to the classes that its
auto-classes load for it, and each class to the tables of the auto-classes that it stands in.
"""

from __future__ import annotations

import json
import sys

PREFIX, SUFFIX = "MODEL", "MAPPING_NAMES"  # of the auto-classes' tables


def found() -> dict[str, dict[str, list[str]]]:
    """Tables by class by model type, all in alphabetical order.

    A table may name a class that no module gives away: a part of another model, and neither the
    auto-classes nor anybody else can load it.
    """
    import transformers
    from transformers.models.auto import modeling_auto
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    given = set(dir(transformers))  # without importing them
    tables: dict[str, dict[str, set[str]]] = {}
    for table, entries in vars(modeling_auto).items():
        if table.startswith(PREFIX) and table.endswith(SUFFIX):
            for model_type, names in entries.items():
                if model_type in CONFIG_MAPPING_NAMES:
                    several = names if isinstance(names, (list, tuple)) else (names,)
                    for name in given.intersection(several):
                        tables.setdefault(model_type, {}).setdefault(name, set()).add(table)
    return {
        model_type: {name: sorted(classes[name]) for name in sorted(classes)}
        for model_type, classes in sorted(tables.items())
    }


if __name__ == "__main__":
    json.dump(found(), sys.stdout)
