"""The families' modules as plain unittest, as files and as modules."""

from __future__ import annotations

import ast
import json
import re
import unittest
from pathlib import Path

from tests import support

PACKAGE = support.ROOT / "hf_tests"
MODULE_LINES, MEAN_LINES = 60, 40


class TestUnittest(unittest.TestCase):
    def test_narrowed_by_the_environment(self) -> None:
        environment = {
            "HF_TESTS_MODELS": "albert-base-v2, gpt2",
            "HF_TESTS_DEVICES": "cpu",
            "HF_TESTS_WEIGHTS": "tiny",
        }
        arguments = (
            "-m",
            "unittest",
            "-v",
            "hf_tests.test_bert",
            "hf_tests.test_gpt",
            "-k",
            "pretrained",
        )
        done = support.run(*arguments, environment=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Ran 2 tests", done.stderr)
        self.assertNotIn("FamilyTestCase", done.stderr, "the base class is no test of its own")

    def test_failure_and_skip_of_a_sub_test(self) -> None:
        """A folder without weights fails its subTest, the other model's passes."""
        own = support.temporary_folder(self)
        (own / "config.json").write_text(
            '{"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}'
        )
        environment = {"HF_TESTS_MODELS": f"gpt2 {own}", "HF_TESTS_DEVICES": "cpu cuda:9"}
        done = support.run(
            "-m",
            "unittest",
            "hf_tests.test_gpt.TestGpt.test_from_pretrained",
            environment=environment,
        )
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("errors=1, skipped=2", done.stderr)
        self.assertIn(f"(model='{own}', device='cpu', weights='local')", done.stderr)

    def test_wrong_environment(self) -> None:
        done = support.run(
            "-m", "unittest", "hf_tests.test_gpt", environment={"HF_TESTS_WEIGHTS": "no"}
        )
        self.assertEqual(done.returncode, 1)
        self.assertIn("unknown value of HF_TESTS_WEIGHTS 'no'", done.stderr)


class TestCommandLine(unittest.TestCase):
    def test_list_models_as_file_and_as_module(self) -> None:
        for command in (["hf_tests/test_bert.py"], ["-m", "hf_tests.test_bert"]):
            done = support.run(*command, "--list-models")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("microsoft/mpnet-base", done.stdout)

    def test_from_another_folder(self) -> None:
        folder = support.temporary_folder(self)
        done = support.run(str(PACKAGE / "test_vit.py"), "--list-models", cwd=folder)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_save(self) -> None:
        output = support.temporary_folder(self) / "out"
        done = support.run(
            "hf_tests/test_gpt.py",
            *("--model", "gpt2", "--cpu-only", "--weights", "tiny", "--output-dir", str(output)),
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        run = json.loads((output / "latest" / "run.json").read_text())
        support.validate("run", run)
        self.assertEqual([row["status"] for row in run["checks"]], ["passed", "passed"])
        self.assertIn("skipped 'no chosen model and device has the method openvino'", done.stdout)
        model = json.loads((output / "latest" / run["checks"][0]["file"]).read_text())
        support.validate("model", model)

    def test_registry_without_the_family(self) -> None:
        data = json.loads((support.ROOT / "registry.json").read_text())
        del data["families"]["gpt"]
        path = support.temporary_folder(self) / "registry.json"
        path.write_text(json.dumps(data))
        done = support.run("hf_tests/test_gpt.py", "--list-models", "--registry", str(path))
        self.assertEqual(done.returncode, 2)
        self.assertIn("unknown family 'gpt'", done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_failure_is_the_exit_status(self) -> None:
        own = support.temporary_folder(self)
        (own / "config.json").write_text(
            '{"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}'
        )
        done = support.run("hf_tests/test_gpt.py", "--model", str(own), "--cpu-only")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)

    def test_bad_input(self) -> None:
        for arguments, says in (
            (("--model", "gpt"), "unknown model 'gpt'; did you mean gpt2"),
            (("--model", "t5-small"), "t5-small is a t5 model: see hf_tests/test_t5.py"),
            (("--device", "tpu"), "unknown device 'tpu'"),
            (("--model", "gpt2", "--all-models"), "not allowed with argument"),
        ):
            done = support.run("hf_tests/test_gpt.py", *arguments)
            self.assertEqual(done.returncode, 2)
            self.assertIn(says, done.stderr)
            self.assertNotIn("Traceback", done.stderr)


class TestHouse(unittest.TestCase):
    """The shape that the architecture promises."""

    def test_modules_are_short(self) -> None:
        modules = sorted(PACKAGE.glob("test_*.py"))
        self.assertEqual(len(modules), len(support.shipped().families))
        lines = {path.name: len(path.read_text().splitlines()) for path in modules}
        self.assertLessEqual(sum(lines.values()) / len(lines), MEAN_LINES)
        for name, count in lines.items():
            self.assertLessEqual(count, MODULE_LINES, name)

    def test_architecture_names_every_family_once(self) -> None:
        text = (support.ROOT / "docs" / "architecture.md").read_text()
        named = re.findall(r"`(\w+)`:", text.partition("\n## Families\n")[2].partition("\n## ")[0])
        self.assertEqual(sorted(named), sorted(item.name for item in support.shipped().families))

    def test_shared_code_names_no_family(self) -> None:
        names = {family.name for family in support.shipped().families}
        for model in support.shipped().models:
            names |= {model.id, model.model_type, model.class_name}
        names -= {"git"}  # a program is called so too
        for path in self.shared_code():
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    self.assertNotIn(node.value, names, f"{path}:{node.lineno}")

    def test_what_is_above_never_imports_model_libraries(self) -> None:
        heavy = {"torch", "transformers", "openvino", "optimum", "numpy"}
        for path in self.shared_code():
            if "probe" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                names: list[str] = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.module:
                    names = [node.module]
                roots = {name.partition(".")[0] for name in names}
                self.assertEqual(roots & heavy, set(), f"{path}")

    def shared_code(self) -> list[Path]:
        """Everything but the families' modules."""
        found = [support.ROOT / "runner.py", *PACKAGE.rglob("*.py")]
        return [path for path in found if not path.name.startswith("test_")]
