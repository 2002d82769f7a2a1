"""The command line, one module a command.

A command's module has ``arguments(parser)``, which adds its options, and ``run(options)``, which
does it and returns the exit status. A command takes ``--results-dir`` where it reads or writes
runs. ``run`` is what the command line does without a command's name.
"""

from __future__ import annotations

RUN = "run"

COMMANDS: dict[str, str] = {
    "add": "Add a model to the registry, once its tiny checkpoint has run.",
    "add-family": "Add a family like another one, with its first model.",
    "cache": "Show or clear what is kept: tiny checkpoints, converted models.",
    "compare": "Compare two runs: what broke, got slower, or is different.",
    "coverage": "Show how much of transformers has an entry, is built, passes.",
    "compatibility": "Show which models work on which device, and why not.",
    "doctor": "Say whether it could run here, on what, and what to mend.",
    "history": "Show the history: its runs, or one model's figures.",
    "report": "Write a run's report anew: one HTML file.",
}
"""Name of each command and the line that says what it does; its module has the same name, with
underscores."""
