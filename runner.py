#!/usr/bin/env python3
"""Test Hugging Face models on this machine's hardware, each model/device in a process of its own.

Exit status: 0 all well; 1 a check failed; 2 wrong usage or a wrong registry; 3 nothing was
tested; 4 the framework itself failed; 130 interrupted.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import sys
import traceback
from collections.abc import Sequence

from hf_tests import commands

# A listing must answer at once, so what only a run needs is imported where it is used.
USAGE, FRAMEWORK, INTERRUPTED = 2, 4, 130

EXAMPLES = """examples:
  python runner.py --all
  python runner.py --family bert t5 --device cpu
  python runner.py --model ./my-checkpoint
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    from hf_tests.nightly.usage import UsageError, check_text

    words = list(sys.argv[1:] if arguments is None else arguments)
    name = words.pop(0) if words and words[0] in commands.COMMANDS else commands.RUN
    command = importlib.import_module(f"hf_tests.commands.{name.replace('-', '_')}")
    parser = _parser(name)
    command.arguments(parser)
    options = parser.parse_args(words)
    try:
        for word in words:
            check_text(word)
        status = command.run(options)
        assert isinstance(status, int)
        return status
    except UsageError as error:
        print(f"runner.py: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("runner.py: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has gone; the interpreter's last flush must not fail too.
        sys.stdout = None
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - our own faults have an exit status too
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            folder = getattr(options, "results_dir", "this machine")
            print(
                f"runner.py: the disk of {folder} is full. What was written is whole; "
                "once there is room, --resume finishes the run.",
                file=sys.stderr,
            )
            return FRAMEWORK
        traceback.print_exc()
        print("runner.py: this is a fault of the test suite, not of a model.", file=sys.stderr)
        return FRAMEWORK


def _parser(name: str) -> argparse.ArgumentParser:
    if name != commands.RUN:
        return argparse.ArgumentParser(
            prog=f"runner.py {name}", description=commands.COMMANDS[name]
        )
    lines = [f"  {name:14} {says}" for name, says in commands.COMMANDS.items()]
    others = "\n".join(["other commands (each has its own --help):", *lines, "", ""])
    return argparse.ArgumentParser(
        description="Test Hugging Face models on this machine's hardware, each model/device in a\n"
        "process of its own.",
        epilog=(others if lines else "") + EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


if __name__ == "__main__":
    sys.exit(main())
