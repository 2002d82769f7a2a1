"""The shrinking of configurations, as dicts."""

from __future__ import annotations

import unittest
from typing import Any

from hf_tests.probe.tiny.shrink import assign, blocks, image_size, shrink


class TestShrink(unittest.TestCase):
    def test_grouped_query_attention_stays_grouped(self) -> None:
        values = shrink({"num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 64}, {})
        self.assertEqual(
            values, {"num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 8}
        )
        same = shrink({"num_attention_heads": 32, "num_key_value_heads": 32}, {})
        self.assertEqual(same["num_key_value_heads"], same["num_attention_heads"])

    def test_small_values_are_never_raised(self) -> None:
        values = {
            "hidden_size": 8,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 16,
        }
        self.assertEqual(shrink(values, {}), values)

    def test_lists_of_layers_are_cut_and_indices_stay_in_range(self) -> None:
        values = shrink(
            {
                "num_hidden_layers": 12,
                "layer_types": ["a", "b"] * 6,
                "global_attn_indexes": [2, 5, 8, 11],
                "out_indices": [0, 1, 9],
            },
            {},
        )
        self.assertEqual(values["layer_types"], ["a", "b"])
        self.assertEqual(values["global_attn_indexes"], [1])
        self.assertEqual(values["out_indices"], [0, 1])

    def test_images_keep_whole_patches_and_windows(self) -> None:
        def side(**block: Any) -> int:
            return int(shrink({"image_size": 224, **block}, {})["image_size"])

        self.assertEqual(side(patch_size=16), 64)
        self.assertEqual(side(patch_size=14), 56)
        self.assertEqual(side(patch_size=4, depths=[2, 2, 6, 2], window_size=7), 128)
        self.assertEqual(
            image_size({"a": 1, "vision": {"model_type": "v", "image_size": [5, 5]}}), 5
        )

    def test_nested_configurations_and_overrides(self) -> None:
        values: dict[str, Any] = {
            "model_type": "pair",
            "text": {"model_type": "t", "hidden_size": 768, "vocab_size": 9},
            "vision": {"model_type": "v", "hidden_size": 768, "depth": 12},
            "rope": {"hidden_size": 768},
        }
        overrides = {"keep": ["vision.hidden_size"], "set": {"vision.depth": 3}}
        small = shrink(values, overrides)
        self.assertEqual(small["text"]["hidden_size"], 32)
        self.assertEqual(small["vision"]["hidden_size"], 768)
        self.assertEqual(small["vision"]["depth"], 3)
        self.assertEqual(small["rope"]["hidden_size"], 768)  # no configuration: not ours to judge
        self.assertEqual(values["vision"]["depth"], 12, "the published values must stay")
        self.assertEqual(len(list(blocks(small))), 3)

    def test_labels_are_cut_alike(self) -> None:
        labels = [f"LABEL_{index}" for index in range(1000)]
        numbered = dict(enumerate(labels))
        small = shrink({"id2label": numbered, "label2id": {v: k for k, v in numbered.items()}}, {})
        self.assertEqual(small["id2label"], dict(enumerate(labels[:10])))
        self.assertEqual(list(small["label2id"]), labels[:10])

    def test_assign_to_a_name_that_is_not_there(self) -> None:
        with self.assertRaises(KeyError):
            assign({}, "a.b", 1)
