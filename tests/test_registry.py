"""registry.json, and what a wrong one is told."""

from __future__ import annotations

import copy
import json
import unittest
from pathlib import Path
from typing import Any

from hf_tests import dependencies, registry, versions
from tests import support

FAMILIES = ("bert", "gpt", "t5", "llama", "vit", "clip", "whisper", "sam", "llava", "wav2vec2")
"""Those of the specification, and the one that was added first."""


class TestShippedRegistry(unittest.TestCase):
    def test_families_and_models(self) -> None:
        found = {family.name for family in support.shipped().families}
        self.assertEqual(set(FAMILIES) - found, set())
        types = [model.model_type for model in support.shipped().models]
        self.assertGreaterEqual(len(set(types)), 170)

    def test_every_class_exists_or_names_the_transformers_that_has_it(self) -> None:
        """A library that is not installed here excuses no class that does not exist."""
        known = dependencies.transformers_classes()
        assert known is not None
        version = str(dependencies.version("transformers"))
        for model in support.shipped().models:
            if model.class_name not in known:
                asked = dict(versions.requirement(text) for text in model.dependencies)
                with self.subTest(model=model.id, wanted=asked["transformers"]):
                    self.assertFalse(versions.matches(version, asked["transformers"]))

    def test_published_sizes_are_those_of_the_configurations(self) -> None:
        """The model of the entry's config, built without memory, has the published parameters.

        A wrong width, depth or vocabulary in ``config`` shows here.
        """
        import torch
        import transformers

        for model in support.shipped().models:
            if model.parameters is None:
                continue
            with self.subTest(model=model.id), torch.device("meta"):
                config = transformers.AutoConfig.for_model(model.model_type, **model.config)
                network = getattr(transformers, model.class_name)(config)
                network.tie_weights()
                count = sum({id(item): item.numel() for item in network.parameters()}.values())
                # transformers 4.57 keeps what 5 made a parameter as a buffer, in several modules.
                kept = {
                    name.rpartition(".")[2]: item.numel()
                    for name, item in network.named_buffers()
                    if name.endswith(".positional_embedding")
                }
                count += sum(kept.values())
                if model.config.get("tie_word_embeddings") is False and config.tie_word_embeddings:
                    # transformers 5 ties T5's output layer whatever the configuration says.
                    count += config.vocab_size * config.d_model
                self.assertEqual(count, model.parameters)
                if model.vocab_size is not None:
                    self.assertEqual(config.get_text_config().vocab_size, model.vocab_size)

    def test_model_types_are_those_of_the_classes(self) -> None:
        import transformers

        for model in support.shipped().models:
            if dependencies.unmet(model.dependencies) is not None:
                continue
            with self.subTest(model=model.id):
                cls = getattr(transformers, model.class_name)
                values = copy.deepcopy(dict(model.config))
                named = type(transformers.AutoConfig.for_model(model.model_type, **values))
                declared = cls.config_class
                if declared.model_type == named.model_type:
                    continue
                # Some parts declare the whole that they are of: its own, or what it finds itself.
                self.assertTrue(declared.sub_configs, f"{declared} is not {model.model_type}")
                parts = [getattr(part, "model_type", "") for part in declared.sub_configs.values()]
                self.assertTrue(
                    named.model_type in parts
                    or transformers.AutoConfig in declared.sub_configs.values(),
                    f"{model.model_type} is no part of {declared.model_type}",
                )

    def test_families_defaults_are_merged_into_models(self) -> None:
        llava = support.model("llava-hf/llava-v1.6-mistral-7b-hf")
        self.assertEqual(
            set(llava.shrink["set"]),
            {"image_grid_pinpoints", "image_seq_length", "vision_config.initializer_range"},
        )
        self.assertEqual(llava.tokenizer["class"], "LlamaTokenizer")

    def test_model_survives_its_json_form(self) -> None:
        import dataclasses

        for model in support.shipped().models:
            data = json.loads(json.dumps(dataclasses.asdict(model)))
            self.assertEqual(registry.Model.from_json(data), model)


class TestWrongRegistry(unittest.TestCase):
    def setUp(self) -> None:
        self.path = support.temporary_folder(self) / "registry.json"
        self.data: Any = json.loads(Path(registry.DEFAULT_PATH).read_text())

    def message(self, text: str | None = None) -> str:
        """What loading the changed data says."""
        self.path.write_text(json.dumps(self.data) if text is None else text)
        with self.assertRaises(registry.RegistryError) as caught:
            registry.load(self.path)
        return str(caught.exception)

    def test_no_json_gives_line_and_column(self) -> None:
        self.assertIn("line 2, column 12: not JSON", self.message('{\n "version" 1}'))

    def test_missing_file(self) -> None:
        with self.assertRaisesRegex(registry.RegistryError, "No such file"):
            registry.load(self.path)

    def test_no_text(self) -> None:
        self.path.write_bytes(b"\xff\xfe\x00")
        with self.assertRaisesRegex(registry.RegistryError, "not UTF-8"):
            registry.load(self.path)

    def test_wrong_type_gives_a_json_pointer(self) -> None:
        self.data["families"]["bert"]["models"]["google/electra-small-generator"]["vocab_size"] = (
            "x"
        )
        message = self.message()
        self.assertIn("/families/bert/models/google~1electra-small-generator/vocab_size", message)
        self.assertIn("must be integer or null", message)

    def test_missing_and_unknown_keys(self) -> None:
        del self.data["families"]["gpt"]["task"]
        self.assertIn("/families/gpt: must contain ['task'] properties", self.message())
        self.data["families"]["gpt"]["task"] = "text-generation"
        self.data["families"]["gpt"]["colour"] = "red"
        self.assertIn("/families/gpt: must not contain {'colour'}", self.message())

    def test_names_that_could_leave_their_folder_are_refused(self) -> None:
        self.data["families"]["../x"] = self.data["families"].pop("sam")
        self.assertIn("/families", self.message())

    def test_key_twice(self) -> None:
        self.assertIn("'a' stands twice", self.message('{"a": 1, "a": 2}'))

    def test_what_is_no_json_elsewhere(self) -> None:
        self.assertIn("Infinity is no number", self.message('{"a": -Infinity}'))
        self.assertIn("\\ud83d is half of a surrogate pair", self.message('{"a\\ud83d": 1}'))
        self.assertIn("/: must contain", self.message('{"a\\ud83d\\ude00": 1}'))

    def test_default_model_that_is_not_there(self) -> None:
        self.data["families"]["t5"]["default_model"] = "t6"
        self.assertIn("/families/t5/default_model: 't6' is not one of", self.message())

    def test_model_in_two_families(self) -> None:
        self.data["families"]["gpt"]["models"]["t5-small"] = self.data["families"]["t5"]["models"][
            "t5-small"
        ]
        self.assertIn("'t5-small' stands in two families, gpt and t5", self.message())

    def test_expected_failure_that_does_not_say_which(self) -> None:
        entry = self.data["families"]["moe"]["models"]["zai-org/GLM-5"]["expected"][1]
        del entry["error"]
        self.assertIn('/families/moe: the expected failure "openvino', self.message())
        self.assertIn("needs the error's words, under 'error'", self.message())

    def test_skip_of_one_dtype(self) -> None:
        item = {"method": "pipeline", "status": "skipped", "reason": "slow", "dtype": "float16"}
        self.data["families"]["gpt"]["models"]["distilgpt2"]["expected"] = [item]
        self.assertIn("/families/gpt: what is skipped is skipped in every dtype", self.message())

    def test_version_of_the_future(self) -> None:
        self.data["version"] = 2
        self.assertIn("/version: must be one of [1]", self.message())


class TestNearest(unittest.TestCase):
    def test_typing_errors_and_parts(self) -> None:
        known = [model.id for model in support.shipped().models]
        self.assertEqual(registry.nearest("bert-base-uncase", known)[0], "bert-base-uncased")
        self.assertEqual(registry.nearest("llama-2-7b", known)[0], "meta-llama/Llama-2-7b-hf")
        self.assertEqual(registry.nearest("Wisper-tiny", known)[0], "openai/whisper-tiny")
        self.assertEqual(registry.nearest("zzzzzz", known), ())
