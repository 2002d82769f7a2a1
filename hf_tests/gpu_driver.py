"""What NVIDIA's driver says about its GPUs, asked of the driver's own tool."""

from __future__ import annotations

import shutil
import subprocess

QUERY_TIMEOUT_S = 60.0  # the first question after a start makes the driver wake every GPU


def ask(fields: tuple[str, ...], device: str | None = None) -> list[list[str]]:
    """The driver's words for the fields: a list for each GPU, or for ``cuda``, ``cuda:N`` alone.

    Empty without a driver or such a device. The fields' names are those of
    ``nvidia-smi --help-query-gpu``.
    """
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    chosen = [] if device is None else [f"--id={device.partition(':')[2] or '0'}"]
    try:
        done = subprocess.run(
            [command, *chosen, f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=QUERY_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[field.strip() for field in line.split(",")] for line in done.stdout.splitlines()]
    return [row for row in rows if len(row) == len(fields)]
