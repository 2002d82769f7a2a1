"""What other programs of this machine say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def output(
    command: Sequence[str], timeout_s: float, environment: Mapping[str, str] | None = None
) -> str | None:
    """What a program prints; None where it is not there, fails or takes longer.

    It has this process's environment where no other is given.
    """
    import subprocess  # late, as a listing starts no process

    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout_s,
            env=environment,
            text=True,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
