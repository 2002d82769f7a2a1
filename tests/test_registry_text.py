"""New entries in the registry's text: laid out as the others, which stay as they were."""

from __future__ import annotations

import json
import unittest

from hf_tests import registry, registry_text


class TestRegistryText(unittest.TestCase):
    def setUp(self) -> None:
        self.text = registry.CHECKOUT_PATH.read_text(encoding="utf-8")
        self.families = json.loads(self.text)["families"]

    def without(self, *path: str) -> str:
        """The text without the last member of the object at the path."""
        *parents, last = path
        block = json.loads(self.text)
        for name in parents:
            block = block[name]
        value = block[last]
        space = " " * (2 * len(path))
        start = self.text.index(f",\n{space}{json.dumps(last)}: {{")
        end = self.text.index(f"\n{space}}}", start) + len(space) + 2
        self.assertEqual(json.loads(self.text[start:end].split(": ", 1)[1]), value)
        return self.text[:start] + self.text[end:]

    def test_a_model_is_written_as_it_stood_there(self) -> None:
        for family in ("bert", "llama", "bart"):
            name, entry = list(self.families[family]["models"].items())[-1]
            less = self.without("families", family, "models", name)
            self.assertEqual(registry_text.with_model(less, family, name, entry), self.text)

    def test_a_family_is_written_as_it_stood_there(self) -> None:
        name, block = list(self.families.items())[-1]
        less = self.without("families", name)
        self.assertEqual(registry_text.with_family(less, name, block), self.text)

    def test_what_does_not_fit_a_line_fills_lines(self) -> None:
        entry = {"class": "A", "config": {f"a_rather_long_name_{n}": n for n in range(5)}}
        text = registry_text.with_model(self.text, "gpt", "some/model", entry)
        self.assertIn(
            """          "config": {
            "a_rather_long_name_0": 0, "a_rather_long_name_1": 1, "a_rather_long_name_2": 2,
            "a_rather_long_name_3": 3, "a_rather_long_name_4": 4
          }
""",
            text,
        )
        self.assertEqual(json.loads(text)["families"]["gpt"]["models"]["some/model"], entry)

    def test_what_is_there_already(self) -> None:
        with self.assertRaisesRegex(ValueError, "'gpt2' is there already"):
            registry_text.with_model(self.text, "gpt", "gpt2", {})
        with self.assertRaises(KeyError):
            registry_text.with_model(self.text, "gtp", "x", {})
