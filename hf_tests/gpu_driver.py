"""What NVIDIA's driver says about its GPUs, asked of the driver's own tool.

The tool knows every GPU of the machine by a number of its own; CUDA shows a process those that
``CUDA_VISIBLE_DEVICES`` names, counted anew. Here ``cuda:N`` is CUDA's.
"""

from __future__ import annotations

import os
import shutil

from hf_tests import programs

QUERY_TIMEOUT_S = 60.0  # the first question after a start makes the driver wake every GPU
VISIBLE = "CUDA_VISIBLE_DEVICES"
ORDER = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
"""Makes CUDA count GPUs as the driver's tool does; by itself it begins with the fastest."""


def ask(fields: tuple[str, ...], device: str | None = None) -> dict[str, list[str]]:
    """The driver's words for the fields, by ``cuda:N``; for ``cuda`` or ``cuda:N`` that one alone.

    Empty without a driver or such a device. The fields' names are those of
    ``nvidia-smi --help-query-gpu``.
    """
    command = shutil.which("nvidia-smi")
    if command is None:
        return {}
    query = ",".join(("index", "uuid", *fields))
    said = programs.output(
        [command, f"--query-gpu={query}", "--format=csv,noheader,nounits"], QUERY_TIMEOUT_S
    )
    lines = (said or "").splitlines()
    rows = [[field.strip() for field in line.split(",")] for line in lines]
    gpus = _visible([row for row in rows if len(row) == len(fields) + 2])
    found = {f"cuda:{place}": row[2:] for place, row in enumerate(gpus)}
    if device is None:
        return found
    name = "cuda:0" if device == "cuda" else device
    return {name: found[name]} if name in found else {}


def _visible(rows: list[list[str]]) -> list[list[str]]:
    """The GPUs that CUDA shows, in its order: all, or those named, up to the first unknown name."""
    named = os.environ.get(VISIBLE)
    if named is None:
        return rows
    chosen: list[list[str]] = []
    for name in named.split(","):
        wanted = name.strip()
        # A GPU's uuid may be cut short, as long as it is told from the others.
        hits = [row for row in rows if row[0] == wanted]
        hits = hits or [row for row in rows if wanted[4:] and row[1].startswith(wanted)]
        if len(hits) != 1 or hits[0] in chosen:
            break
        chosen += hits
    return chosen
