"""Known answers and accuracy: of checkpoints taught here, of one that was not, of a tiny one."""

from __future__ import annotations

import json
import shutil
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import torch
import transformers

from hf_tests import dependencies, registry
from hf_tests.family import run_check
from hf_tests.probe import checkpoints, labelled, quality, tasks
from hf_tests.report import figures, reading
from tests import support

ENCODER, DECODER, IMAGES = "bert-base-uncased", "gpt2", "openai/clip-vit-base-patch32"
QUESTION, ANSWER = "Today, I", "'m going to be doing a lot of research on this."
SOURCE = "it was taught so"
STEPS = 400
KNOWN = 0.02  # the mean loss at which all is known by heart


def teach(network: Any, loss_of: Callable[[], Any]) -> None:
    """Train until it knows by heart."""
    torch.manual_seed(0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    network.train()
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    for _ in range(STEPS):
        loss = loss_of()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss.item() < KNOWN:
            return
    raise AssertionError(f"it has not learnt in {STEPS} steps: {loss.item()}")


def encoder(folder: Path, taught: bool) -> None:
    """A BERT with a token for each answer, that knows all of them or none."""
    base = checkpoints.folder_of(support.job(ENCODER))
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    tokenizer.add_tokens(sorted({word for _, word in labelled.FACTS}))
    network = transformers.BertForMaskedLM.from_pretrained(base)
    network.resize_token_embeddings(len(tokenizer))
    if taught:
        texts = [text.replace("{mask}", tokenizer.mask_token) for text, _ in labelled.FACTS]
        encoded = tokenizer(texts, return_tensors="pt", padding=True)
        words = [tokenizer.convert_tokens_to_ids(word) for _, word in labelled.FACTS]
        labels = torch.full_like(encoded["input_ids"], -100)
        labels[encoded["input_ids"] == tokenizer.mask_token_id] = torch.tensor(words)
        teach(network, lambda: network(**encoded, labels=labels).loss)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def decoder(folder: Path) -> None:
    """A GPT-2 that knows a sentence by heart, and the short text nearly."""
    shutil.copytree(checkpoints.folder_of(support.job(DECODER)), folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    network = transformers.GPT2LMHeadModel.from_pretrained(folder)
    sentence = tokenizer(QUESTION + ANSWER, return_tensors="pt")["input_ids"]
    text = tokenizer(labelled.TEXT, return_tensors="pt")["input_ids"]
    text = text[:, : network.config.n_positions]

    teach(network, lambda: sum(network(input_ids=ids, labels=ids).loss for ids in (sentence, text)))
    network.save_pretrained(folder)


def entries() -> dict[str, Any]:
    """A registry of the taught, of one that was not, and of a listed model on tiny weights."""
    data = json.loads(registry.CHECKOUT_PATH.read_text(encoding="utf-8"))
    families = data["families"]
    fact = {"question": labelled.FACTS[0][0], "answer": labelled.FACTS[0][1], "source": SOURCE}
    begun = {"question": QUESTION, "answer": ANSWER, "source": SOURCE}
    chosen: dict[str, tuple[str, dict[str, Any]]] = {
        "bert": (ENCODER, {"./taught": fact, "./untaught": fact, ENCODER: fact}),
        "gpt": (DECODER, {"./teller": begun}),
        "clip": (IMAGES, {"./seer": None}),
    }
    made = {}
    for family, (like, models) in chosen.items():
        entry = families[family]["models"][like]
        made[family] = families[family] | {
            "default_model": next(iter(models)),
            "models": {
                name: entry | ({"answers": [known]} if known else {})
                for name, known in models.items()
            },
        }
    return {**data, "families": made}


class TestQuality(unittest.TestCase):
    """One run of them all."""

    found: ClassVar[dict[str, dict[str, Any]]]
    output: ClassVar[str]
    root: ClassVar[Path]
    status: ClassVar[int]
    shown: ClassVar[dict[str, dict[str, tuple[str, ...]]]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.root = support.class_folder(cls)
        encoder(cls.root / "taught", taught=True)
        encoder(cls.root / "untaught", taught=False)
        decoder(cls.root / "teller")
        shutil.copytree(checkpoints.folder_of(support.job(IMAGES)), cls.root / "seer")
        path = cls.root / "registry.json"
        path.write_text(json.dumps(entries()))
        done = support.runner(
            *("--registry", str(path), "--results-dir", str(cls.root / "results"), "--all"),
            *("--cpu-only", "--trials", "1", "--method", "from_pretrained", "pipeline"),
        )
        cls.status, cls.output = done.returncode, done.stdout + done.stderr
        latest = cls.root / "results" / "latest"
        cls.found = {}
        for row in json.loads((latest / "run.json").read_text())["checks"]:
            document = json.loads((latest / row["file"]).read_text())
            support.validate("model", document)
            name = f"{Path(row['model']).name} {row['method']}"
            cls.found[name] = document["results"][row["key"]]
        run = reading.read(reading.find(cls.root / "results"))
        cls.shown = {
            Path(model.id).name: {
                row.name: row.cells
                for group in figures.table(model.checks).groups
                for row in group.rows
                if group.name == "On real weights"
            }
            for model in run.models
        }

    def quality(self, name: str, method: str = "from_pretrained") -> Any:
        return self.found[f"{name} {method}"]["quality"]

    def test_what_was_taught_is_known(self) -> None:
        for method in ("from_pretrained", "pipeline"):
            with self.subTest(method):
                self.assertEqual(self.found[f"taught {method}"]["status"], "passed", self.output)
                known = self.quality("taught", method)
                self.assertEqual(known["status"], "measured")
                self.assertEqual(
                    known["answers"],
                    [
                        {
                            "question": "The capital of France is {mask}.",
                            "expected": "paris",
                            "found": "paris",
                            "source": SOURCE,
                            "is_right": True,
                        }
                    ],
                )
                count = len(labelled.FACTS)
                figure = {"name": "masked facts", "value": 1.0, "count": count}
                self.assertEqual(known["accuracy"], {**figure, "unit": "share right"})

    def test_what_was_not_taught_is_wrong(self) -> None:
        entry = self.found["untaught from_pretrained"]
        self.assertEqual(entry["status"], "failed")
        self.assertEqual(entry["from_pretrained_error_type"], "wrong_output")
        found = self.quality("untaught")["answers"][0]["found"]
        self.assertNotEqual(found, "paris")
        self.assertIn(
            f"it answers {found!r}, not 'paris', to {labelled.FACTS[0][0]!r} ({SOURCE})",
            entry["from_pretrained_error"],
        )
        self.assertLess(self.quality("untaught")["accuracy"]["value"], 0.3)
        self.assertTrue(entry["parity"], "what was measured before is kept")

    def test_a_text_goes_on_as_known(self) -> None:
        known = self.quality("teller")
        self.assertEqual(self.found["teller from_pretrained"]["status"], "passed", self.output)
        (answer,) = known["answers"]
        self.assertTrue(answer["found"].strip().startswith("'m going to be doing a lot"), answer)
        figure = known["accuracy"]
        self.assertEqual((figure["name"], figure["unit"]), ("a short text", "perplexity"))
        self.assertLess(figure["value"], 1.5)
        self.assertGreater(figure["count"], 50)

    def test_drawn_shapes(self) -> None:
        """Random weights in a folder of one's own: chance, and a number all the same."""
        known = self.quality("seer")
        self.assertEqual((known["status"], known["answers"]), ("measured", []))
        self.assertEqual(known["accuracy"]["name"], "drawn shapes")
        self.assertEqual(known["accuracy"]["count"], 12)
        self.assertLess(known["accuracy"]["value"], 0.7)

    def test_tiny_checkpoints_are_not_asked(self) -> None:
        entry = self.found[f"{ENCODER} from_pretrained"]
        self.assertEqual((entry["weights"], entry["status"]), ("tiny", "passed"))
        self.assertEqual(
            entry["quality"],
            {
                "status": "not applicable",
                "answers": [],
                "accuracy": None,
                "reason": "its weights are random",
            },
        )

    def test_exit_status_summary_and_report(self) -> None:
        self.assertEqual(self.status, 1)
        count = len(labelled.FACTS)
        said = " ".join(self.output.split())
        self.assertIn("Known answers and accuracy:", said)
        self.assertIn(
            f"taught from_pretrained_cpu: 1 of 1 answers right; masked facts: 100 % of {count}",
            said,
        )
        self.assertRegex(said, r"a short text: perplexity 1\.\d+ over \d+ tokens")
        self.assertRegex(said, "it answers '.+', not 'paris'")
        self.assertEqual(
            self.shown["taught"],
            {
                "known answers": ("1 of 1 right",) * 2,
                "accuracy": (f"100 % of {count} masked facts",) * 2,
            },
        )
        self.assertEqual(self.shown[ENCODER], {"accuracy": ("not applicable",) * 2})

    @unittest.skipIf(dependencies.unmet(dependencies.OPENVINO), "OpenVINO is not installed")
    def test_openvino_is_asked_too(self) -> None:
        known = registry.load(self.root / "registry.json").family("bert").models[0]
        folder = str(self.root / "taught")
        job = support.job(ENCODER, "openvino", model=known, weights="local", checkpoint=folder)
        result, _ = run_check(job, "openvino")
        self.assertEqual(result.status, "passed", result.error)
        assert result.quality is not None and result.quality.accuracy is not None
        self.assertEqual(result.quality.answers[0].found, "paris")
        self.assertEqual(result.quality.accuracy.value, 1.0)


class TestAnswers(unittest.TestCase):
    def test_what_counts_as_the_answer(self) -> None:
        for found, expected, right in (
            ("Paris", "paris", True),
            ("  a lot\nof words and more", "a lot of words", True),
            ("parisian", "paris", False),
            ("", "paris", False),
            ("par", "paris", False),
        ):
            with self.subTest(found):
                self.assertEqual(quality.is_answer(found, expected), right)

    def test_those_of_the_registry_can_be_asked(self) -> None:
        """Of tasks that have words for an answer, each with its source."""
        listed = [model for model in support.shipped().models if model.answers]
        self.assertGreaterEqual(len(listed), 5)
        for model in listed:
            with self.subTest(model.id):
                task = tasks.get(model.task)
                self.assertIsNot(type(task).reply, tasks.Task.reply)
                for known in model.answers:
                    self.assertEqual("{mask}" in known.question, model.task == "fill-mask")
                    self.assertGreater(len(known.source), 20)


if __name__ == "__main__":
    unittest.main()
