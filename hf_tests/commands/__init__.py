"""The command line, one module a command.

A command's module has ``arguments(parser)``, which adds its options, and ``run(options)``, which
does it and returns the exit status. A command takes ``--results-dir`` where it reads or writes
runs. ``run`` is what the command line does without a command's name.
"""

from __future__ import annotations

RUN = "run"

COMMANDS: dict[str, str] = {
    "cache": "Show or clear what is kept between runs: tiny checkpoints, converted models.",
    "compare": "Compare two runs: what broke, got slower, or is different.",
    "doctor": "Say whether the main job could run here, on what, and what to mend.",
    "history": "Show what the history has: its runs, or one model's figures over the nights.",
    "report": "Write a run's report anew: one HTML file that opens without a server.",
}
"""Name of each command and the line that says what it does; its module has the same name."""
