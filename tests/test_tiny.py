"""Tiny checkpoints: of every entry, the same bytes each time, cached and shared safely."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import unittest
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import EfficientNetModel
from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES

from hf_tests import dependencies
from hf_tests.probe import checkpoints, integrity
from hf_tests.probe.tiny import tokenizers
from hf_tests.probe.tiny.build import build
from hf_tests.registry import Model
from tests import support

LIMIT_MB = 5.0
LARGE = {
    # Their configurations do not say all of their channels, so these stay as published.
    "microsoft/focalnet-tiny": 10.0,
    "MBZUAI/swiftformer-xs": 10.0,
    # Predicts the weights of convolutions; its width is that of a spectrogram's 512 bands.
    "dg845/univnet-dev": 6.0,
    "sweetcocoa/pop2piano": 6.0,
    # A neck and a projector of fixed widths; 1024 channels of convolutions before a sound's layers.
    "PaddlePaddle/PP-Chart2Table_safetensors": 9.0,
    "microsoft/Phi-4-multimodal-instruct": 26.0,
    # Its neck and its cells are as wide as its code says.
    "PaddlePaddle/SLANeXt_wired_safetensors": 8.0,
    # Its memory is 64 wide whatever it is configured to be, and its pointers are split into such.
    "facebook/sam2.1-hiera-tiny": 8.0,
    "facebook/sam3#video.tracker": 10.0,
    "facebook/sam3": 24.0,
    # Its architecture is timm's, with as few channels as that allows.
    "google/gemma-3n-E2B-it#vision": 7.0,
}
SEVERAL = (
    "bert-base-uncased",
    "albert-base-v2",
    "gpt2",
    "t5-small",
    "openai/clip-vit-base-patch32",
    "openai/whisper-tiny",
    "llava-hf/llava-1.5-7b-hf",
    "facebook/wav2vec2-base-960h",
    "facebook/xglm-564M",
)


def digests(folder: Path) -> dict[str, str]:
    """A digest of every file."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }


class TestTiny(unittest.TestCase):
    root: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.root = support.class_folder(cls)

    def models(self) -> list[Model]:
        """All that can be built here."""
        return [
            model
            for model in support.shipped().models
            if dependencies.unmet(model.dependencies) is None
        ]

    def test_every_model_keeps_its_classes_and_is_small(self) -> None:
        root = self.root
        for model in self.models():
            with self.subTest(model=model.id):
                folder = checkpoints.tiny_folder(model, root)
                config = json.loads((folder / "config.json").read_text())
                integrity.check_config(folder, model.model_type)
                self.assertEqual(config["architectures"], [model.class_name])
                size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
                self.assertLess(size, LARGE.get(model.id, LIMIT_MB))
                self.assertFalse(list(folder.glob("*.bin")), "only safetensors")
                manifest = json.loads((folder / "tiny.json").read_text())
                self.assertEqual(manifest["model"], model.id)

    def test_the_same_entry_gives_the_same_bytes(self) -> None:
        root = support.temporary_folder(self)
        for model_id in SEVERAL:
            with self.subTest(model=model_id):
                folders = [root / f"{index}-{len(model_id)}-{model_id[-3:]}" for index in range(3)]
                for index, folder in enumerate(folders):
                    folder.mkdir()
                    build(support.model(model_id), folder, seed=index // 2)
                self.assertEqual(digests(folders[0]), digests(folders[1]))
                weights = "model.safetensors"
                self.assertNotEqual(digests(folders[0])[weights], digests(folders[2])[weights])

    def test_the_same_bytes_in_any_number_of_threads(self) -> None:
        """Sums over images and over what was drawn, rounded as one thread rounds them."""
        self.addCleanup(torch.set_num_threads, torch.get_num_threads())
        for model_id in ("microsoft/resnet-50", "facebook/encodec_24khz"):
            found = []
            for count in (1, 2):
                torch.set_num_threads(count)
                folder = support.temporary_folder(self)
                build(support.model(model_id), folder)
                self.assertEqual(torch.get_num_threads(), count)
                found.append(digests(folder))
            self.assertEqual(found[0], found[1], model_id)

    def test_no_tokenizer_of_another_librarys_file(self) -> None:
        """transformers pairs some types with such a one, where that library is installed."""
        if dependencies.unmet(["mistral-common"]) is None:
            self.assertIn("MistralCommon", str(TOKENIZER_MAPPING_NAMES["ministral"]))
        self.assertEqual(tokenizers.default_class("ministral"), tokenizers.GENERIC[1])
        self.assertEqual(tokenizers.default_class("bert"), "BertTokenizer")

    def test_a_deep_network_still_sees_its_image(self) -> None:
        folder = support.temporary_folder(self)
        build(support.model("google/efficientnet-b7"), folder)
        network = EfficientNetModel.from_pretrained(folder).eval()
        with torch.no_grad():
            pair = network(torch.randn(2, 3, 32, 32)).pooler_output
        self.assertGreater(float((pair[0] - pair[1]).abs().mean()), 1e-3)

    def test_a_tower_of_images_beside_a_text_has_statistics(self) -> None:
        folder = support.temporary_folder(self)
        build(support.model("kakaobrain/align-base"), folder)
        weights = load_file(folder / "model.safetensors")
        means = [value for name, value in weights.items() if name.endswith("running_mean")]
        self.assertTrue(means)
        self.assertTrue(all(bool(value.any()) for value in means))

    def test_the_same_bytes_in_another_process(self) -> None:
        root = support.temporary_folder(self)
        model = support.model("t5-small")
        here = checkpoints.tiny_folder(model, root / "here")
        code = (
            "import sys; from pathlib import Path; from tests import support;"
            "from hf_tests.probe import checkpoints;"
            "print(checkpoints.tiny_folder(support.model('t5-small'), Path(sys.argv[1])))"
        )
        done = support.run("-c", code, str(root / "there"))
        self.assertEqual(done.returncode, 0, done.stderr)
        there = Path(done.stdout.strip().splitlines()[-1])
        self.assertEqual(here.name, there.name)
        self.assertEqual(digests(here), digests(there))

    def test_the_processes_own_random_state_is_left_alone(self) -> None:
        import torch

        torch.manual_seed(7)
        expected = torch.rand(3)
        torch.manual_seed(7)
        build(support.model("gpt2"), support.temporary_folder(self))
        self.assertTrue(torch.equal(torch.rand(3), expected))

    def test_several_processes_may_want_the_same_one(self) -> None:
        root = support.temporary_folder(self)
        code = (
            "import sys; from pathlib import Path; from tests import support;"
            "from hf_tests.probe import checkpoints;"
            "checkpoints.tiny_folder(support.model('gpt2'), Path(sys.argv[1]))"
        )
        processes = [
            subprocess.Popen([sys.executable, "-c", code, str(root)], cwd=support.ROOT)
            for _ in "12"
        ]
        self.assertEqual([process.wait(support.TIMEOUT_S) for process in processes], [0, 0])
        self.assertEqual(len(list((root / "tiny").iterdir())), 1, "no half-built folder is left")

    def test_a_build_that_fails_leaves_nothing(self) -> None:
        import dataclasses

        root = support.temporary_folder(self)
        model = dataclasses.replace(support.model("gpt2"), class_name="NoSuchModel")
        with self.assertRaises(NotImplementedError):
            checkpoints.tiny_folder(model, root)
        self.assertEqual(list((root / "tiny").iterdir()), [])

    def test_special_tokens_mean_the_same_as_published(self) -> None:
        """Ids of the configuration are the tokenizer's of the same role, all in the vocabulary."""
        import transformers

        root = self.root
        for model in self.models():
            if not model.tokenizer:
                continue
            with self.subTest(model=model.id):
                folder = str(checkpoints.tiny_folder(model, root))
                tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
                config = transformers.AutoConfig.from_pretrained(folder).get_text_config()
                count = max(tokenizer.get_vocab().values()) + 1
                if hasattr(config, "text_vocab_size"):  # beside a vocabulary of codes
                    self.assertLessEqual(count, config.text_vocab_size)
                else:
                    self.assertEqual(count, config.vocab_size)
                for token, place in model.tokenizer.get("places", {}).items():
                    self.assertEqual(tokenizer.convert_tokens_to_ids(token), place % count, token)
                for role in ("bos", "eos", "pad"):
                    own = getattr(config, f"{role}_token_id", None)
                    if own is not None:
                        self.assertEqual(own, getattr(tokenizer, f"{role}_token_id"), role)
