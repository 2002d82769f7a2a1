"""Stand-ins for libraries that are missing, in processes that really lack them."""

from __future__ import annotations

import json
import types
import unittest
from collections.abc import Callable
from typing import Any

from hf_tests import dependencies, stand_ins
from hf_tests.family import run_check
from hf_tests.probe import errors
from hf_tests.probe.properties.base import Loaded
from hf_tests.stand_ins import no_such_library
from tests import environments, support

LIBRARIES = ("torch", "transformers", "optimum", "openvino", "psutil", "tqdm")

MODULE = """
import json
from hf_tests import stand_ins
from hf_tests.stand_ins import {names}

class Network(torch.nn.Module):  # subclassed
    def forward(self, given: torch.Tensor | None) -> list[torch.Tensor]:
        return given

says = {{}}
for found in ({names}):
    assert type(found) is stand_ins.StandIn, found
    part = found.some.part  # named
    assert part.__name__ == "part" and part.__module__ == found.__name__ + ".some", part
    assert not isinstance(1, part)
    try:
        part(1, two=3)  # used
    except ImportError as error:
        says[found.__name__] = str(error)
try:
    Network()
except stand_ins.MissingLibrary as error:
    says["Network"] = str(error)
print(json.dumps(says))
"""


class TestMissing(unittest.TestCase):
    def test_each_in_an_environment_that_lacks_it(self) -> None:
        python = environments.bare(support.temporary_folder(self) / "venv", "fastjsonschema")
        done = support.run("-c", MODULE.format(names=", ".join(LIBRARIES)), python=python)
        self.assertEqual(done.returncode, 0, done.stderr)
        says = json.loads(done.stdout)
        self.assertEqual(set(says), {*LIBRARIES, "Network"})
        for name in LIBRARIES:
            distribution = stand_ins.DISTRIBUTIONS.get(name, name)
            wanted = distribution + dependencies.RANGES.get(distribution, "")
            missing = f"{distribution} is not installed: {dependencies.install_command([wanted])}"
            self.assertEqual(says[name], f"{name}.some.part is used, and {missing}")
        self.assertIn("torch.nn.Module is used, and torch is not installed", says["Network"])

    def test_every_use_says_so_and_is_a_missing_dependency(self) -> None:
        part: Any = no_such_library.part
        uses: dict[str, Callable[[], object]] = {
            "called": lambda: part(),
            "iterated over": lambda: list(part),
            "indexed": lambda: part["a"],
            "measured": lambda: len(part),
            "searched": lambda: 1 in part,
            "entered": lambda: part.__enter__(),
            "a decorator": lambda: part.of(dim=1)(print),
        }
        for what, use in uses.items():
            with self.subTest(what), self.assertRaises(ImportError) as caught:
                use()
            self.assertEqual(errors.classify(caught.exception), "missing_dependency")
            self.assertIn("no-such-library is not installed: python -m", str(caught.exception))

    def test_a_check_that_needs_it_is_skipped(self) -> None:
        def property_of_it(loaded: Loaded) -> None:
            """It is as the library says."""
            no_such_library.compare(loaded.outputs)

        job = support.job("gpt2", trials=1)
        result, _ = run_check(job, "from_pretrained", [property_of_it])
        self.assertEqual((result.status, result.error_type), ("skipped", "missing_dependency"))
        self.assertIn("no-such-library is not installed: python -m pip", result.reason or "")

    def test_what_asks_whether_it_has_something_special(self) -> None:
        self.assertFalse(hasattr(no_such_library, "__path__"))
        self.assertFalse(hasattr(no_such_library.part, "__wrapped__"))
        self.assertEqual(repr(no_such_library.a.b), "<stand-in for no_such_library.a.b>")


class TestThere(unittest.TestCase):
    def test_it_is_the_library_itself(self) -> None:
        import numpy

        self.assertIs(stand_ins.library("numpy"), numpy)
        self.assertIs(stand_ins.numpy, numpy)
        self.assertIsInstance(stand_ins.numpy, types.ModuleType)

    def test_one_that_is_there_and_broken(self) -> None:
        folder = support.temporary_folder(self)
        (folder / "halfway.py").write_text("import no_such_library")
        code = "from hf_tests.stand_ins import halfway; halfway.part()"
        done = support.run("-c", code, environment={"PYTHONPATH": f"{folder}:{support.ROOT}"})
        self.assertIn("MissingLibrary: halfway.part is used, and halfway cannot be ", done.stderr)


if __name__ == "__main__":
    unittest.main()
