"""The shrinking of configurations, as dicts."""

from __future__ import annotations

import unittest
from typing import Any

from hf_tests.probe.tiny import derived
from hf_tests.probe.tiny.shrink import assign, blocks, image_size, shrink


class TestShrink(unittest.TestCase):
    def test_grouped_query_attention_stays_grouped(self) -> None:
        values = shrink({"num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 64}, {})
        self.assertEqual(
            values, {"num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 8}
        )
        same = shrink({"num_attention_heads": 32, "num_key_value_heads": 32}, {})
        self.assertEqual(same["num_key_value_heads"], same["num_attention_heads"])

    def test_heads_of_keys_that_are_listed_by_layers_stay_grouped(self) -> None:
        block = {"num_hidden_layers": 3, "num_attention_heads": 16}
        values = shrink({**block, "num_key_value_heads_per_layer": [16, 8, 8]}, {})
        self.assertEqual(values["num_key_value_heads_per_layer"], [4, 2])

    def test_a_number_of_layers_that_is_one_of_stages_stays(self) -> None:
        staged = {"num_hidden_layers": 4, "depths": [3, 3, 9, 3]}
        self.assertEqual(shrink(staged, {}), {"num_hidden_layers": 4, "depths": [2, 2, 2, 2]})
        other = {"num_hidden_layers": 12, "depths": [3, 3, 9, 3]}
        self.assertEqual(shrink(other, {})["num_hidden_layers"], 2)

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
            },
            {},
        )
        self.assertEqual(values["layer_types"], ["a", "b"])
        self.assertEqual(values["global_attn_indexes"], [1])

    def test_as_many_layers_as_others_read(self) -> None:
        block = {"num_hidden_layers": 12, "out_indices": [3, 6, 9, 12], "stage_names": ["stem"]}
        values = shrink({**block, "out_features": ["stage3"]}, {})
        self.assertEqual(values, {"num_hidden_layers": 4, "out_indices": [1, 2, 3, 4]})
        staged = {"depths": [2, 18, 2], "out_indices": [1, 3], "stage_names": ["stem"]}
        self.assertEqual(shrink(staged, {}), {**staged, "depths": [2, 2, 2]})

    def test_one_layer_of_each_kind_is_left(self) -> None:
        kinds = [*["linear"] * 3, "full"] * 3
        values = shrink(
            {
                "num_hidden_layers": 12,
                "layer_types": kinds,
                "first_k_dense_replace": 3,
                "attn_layer_period": 8,
                "attn_layer_offset": 4,
            },
            {},
        )
        self.assertEqual(values["layer_types"], ["linear", "full"])
        self.assertEqual(values["first_k_dense_replace"], 1, "the second one has experts")
        self.assertEqual((values["attn_layer_period"], values["attn_layer_offset"]), (2, 1))

    def test_experts_stay_in_groups(self) -> None:
        values = shrink(
            {"n_routed_experts": 256, "num_experts_per_tok": 8, "n_group": 8, "topk_group": 4}, {}
        )
        self.assertEqual(
            values,
            {"n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 2, "topk_group": 1},
        )

    def test_stages_widen_with_their_heads(self) -> None:
        values = shrink(
            {
                "depths": [3, 4, 6, 3],
                "num_heads": [1, 2, 5, 8],
                "hidden_sizes": [64, 128, 320, 512],
            },
            {},
        )
        self.assertEqual(values["hidden_sizes"], [4, 8, 20, 32])

    def test_heads_of_every_kind_stay_as_wide_as_one_another(self) -> None:
        values = shrink(
            {
                "hidden_size": 4096,
                "num_attention_heads": 32,
                "head_dim": None,
                "qk_rope_head_dim": 64,
                "rotary_dim": 64,
            },
            {},
        )
        self.assertEqual(
            (values["head_dim"], values["qk_rope_head_dim"], values["rotary_dim"]), (8, 8, 8)
        )

    def test_rotary_sections_share_the_narrower_head(self) -> None:
        rope = {"rope_type": "default", "mrope_section": [16, 24, 24]}
        block = {"hidden_size": 8192, "num_attention_heads": 64, "rope_parameters": rope}
        self.assertEqual(shrink(block, {})["rope_parameters"]["mrope_section"], [1, 1, 2])
        half = {**rope, "mrope_section": [8, 12, 12]}
        values = shrink({"head_dim": 128, "num_attention_heads": 96, "rope_scaling": half}, {})
        self.assertEqual(values["rope_scaling"]["mrope_section"], [0, 1, 1])

    def test_embeddings_stay_narrower_or_as_wide(self) -> None:
        narrow = shrink({"hidden_size": 256, "embedding_size": 128}, {})
        self.assertEqual(narrow, {"hidden_size": 32, "embedding_size": 16})
        equal = shrink({"hidden_size": 768, "embedding_size": 768}, {})
        self.assertEqual(equal, {"hidden_size": 32, "embedding_size": 32})

    def test_images_keep_whole_patches_and_windows(self) -> None:
        def side(**block: Any) -> int:
            return int(shrink({"image_size": 224, **block}, {})["image_size"])

        self.assertEqual(side(patch_size=16), 64)
        self.assertEqual(side(patch_size=14), 56)
        self.assertEqual(side(patch_size=4, depths=[2, 2, 6, 2], window_size=7), 128)
        self.assertEqual(side(patch_size=2, output_stride=32), 64)
        tall = shrink({"image_size": [256, 192], "patch_size": [16, 16]}, {})["image_size"]
        self.assertEqual(tall, [96, 64], "taller than wide, in whole patches")
        self.assertEqual(
            image_size({"a": 1, "vision": {"model_type": "v", "image_size": [5, 7]}}), (5, 7)
        )

    def test_stages_that_are_said_one_by_one(self) -> None:
        stages = {
            "model_type": "trunk",
            "image_size": [1024, 1024],
            "patch_stride": [4, 4],
            "hidden_size": 112,
            "num_attention_heads": 2,
            "num_attention_heads_per_stage": [2, 4, 8, 16],
            "embed_dim_per_stage": [112, 224, 448, 896],
            "blocks_per_stage": [2, 3, 16, 3],
            "window_size_per_stage": [8, 4, 14, 7],
            "global_attention_blocks": [12, 16, 20],
        }
        pyramid = {
            "model_type": "tower",
            "trunk": stages,
            "backbone_channel_list": [896, 448, 224, 112],
            "backbone_feature_sizes": [[256, 256], [128, 128], [64, 64]],
        }
        tower = shrink(pyramid, {})
        self.assertEqual(
            tower["trunk"],
            {
                **stages,
                "image_size": [128, 128],
                "hidden_size": 8,
                "embed_dim_per_stage": [8, 16, 32, 64],
                "blocks_per_stage": [2, 2, 2, 2],
                "window_size_per_stage": [4, 4, 4, 4],
                "global_attention_blocks": [5],  # the last of the third stage, as the others were
            },
        )
        self.assertEqual(tower["backbone_channel_list"], [64, 32, 16, 8])
        self.assertEqual(tower["backbone_feature_sizes"], [[32, 32], [16, 16], [8, 8]])

    def test_multipliers_narrow_all_that_they_multiply(self) -> None:
        values = shrink(
            {"width_coefficient": 2.0, "depth_coefficient": 3.1, "hidden_dim": 2560}, {}
        )
        self.assertEqual(
            values, {"width_coefficient": 0.25, "depth_coefficient": 1.0, "hidden_dim": 320}
        )

    def test_layers_of_a_tower_that_are_read_together(self) -> None:
        for name in ("vision_feature_layers", "vision_feature_layer"):
            tower = {"model_type": "tower", "num_hidden_layers": 24, "hidden_size": 1024}
            small = shrink({name: [-2, -11, 6, 20], "vision_config": tower}, {})
            depth = small["vision_config"]["num_hidden_layers"]
            self.assertEqual(small[name], [-2, -depth - 1, min(6, depth), depth])
            self.assertEqual(shrink({name: -2, "vision_config": tower}, {})[name], -2)

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

    def test_a_recurrence_is_computed_in_several_chunks(self) -> None:
        values = {"chunk_size": 256, "mamba_chunk_size": 4, "chunk_size_feed_forward": 0}
        self.assertEqual(shrink(values, {}), {**values, "chunk_size": 8})

    def test_no_backbone_is_fetched_and_none_is_both_named_and_configured(self) -> None:
        asked = {"use_pretrained_backbone": True, "backbone_kwargs": {"in_chans": 3}}
        named = shrink({**asked, "backbone": "resnet50"}, {})
        self.assertEqual(named["backbone_kwargs"], {"in_chans": 3})
        self.assertIs(named["use_pretrained_backbone"], False)
        configured = shrink(asked, {"set": {"backbone_config": {"model_type": "resnet"}}})
        self.assertIs(configured["use_pretrained_backbone"], False)
        self.assertIsNone(configured["backbone_kwargs"])

    def test_labels_are_cut_alike(self) -> None:
        labels = [f"LABEL_{index}" for index in range(1000)]
        numbered = dict(enumerate(labels))
        small = shrink({"id2label": numbered, "label2id": {v: k for k, v in numbered.items()}}, {})
        self.assertEqual(small["id2label"], dict(enumerate(labels[:10])))
        self.assertEqual(list(small["label2id"]), labels[:10])

    def test_assign_to_a_name_that_is_not_there(self) -> None:
        with self.assertRaises(KeyError):
            assign({}, "a.b", 1)


class TestDerived(unittest.TestCase):
    """What a configuration's class finds itself is forgotten."""

    def test_a_size_that_is_open_by_default(self) -> None:
        block = {"model_type": "llama", "head_dim": 128, "hidden_size": 4096}
        left = dict(block)
        derived.drop(left, {})
        self.assertEqual(left, {"model_type": "llama", "hidden_size": 4096})
        derived.drop(block, {"head_dim": 64})
        self.assertEqual(block["head_dim"], 128)

    def test_what_layers_have_of_their_own(self) -> None:
        values = {"model_type": "llama", "per_layer_config": {5: {"head_dim": 512}}, "a": {1: 2}}
        derived.drop(values, {})
        self.assertEqual(values, {"model_type": "llama", "a": {1: 2}})

    def test_a_list_stays_unless_there_is_no_such_argument(self) -> None:
        kinds = ["mamba", "hybrid"]
        zamba = {"model_type": "zamba", "layers_block_type": kinds, "num_hidden_layers": 2}
        derived.drop(zamba, {})
        self.assertNotIn("layers_block_type", zamba)
        granite = {"model_type": "granitemoehybrid", "layer_types": kinds}
        derived.drop(granite, {})
        self.assertEqual(granite["layer_types"], kinds)

    def test_a_part_that_has_the_model_type_of_the_whole(self) -> None:
        part = {"model_type": "qwen2_vl", "depth": 32, "num_heads": 16, "vocab_size": 7}
        values = {"model_type": "qwen2_vl", "vision_config": part, "image_token_id": 5}
        derived.drop(values, {})
        self.assertEqual(part, {"model_type": "qwen2_vl", "depth": 32, "num_heads": 16})

    def test_what_every_configuration_has_is_no_part_of_a_block_without_a_class(self) -> None:
        inner = {"model_type": "", "_name_or_path": "", "output_attentions": False, "clip_qkv": 8}
        values = {"model_type": "dbrx", "attn_config": inner, "output_attentions": True}
        derived.drop(values, {})
        self.assertEqual(inner, {"model_type": "", "clip_qkv": 8})
        self.assertTrue(values["output_attentions"])
