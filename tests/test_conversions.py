"""What is kept between runs: entries of the cache, and conversions to OpenVINO among them."""

from __future__ import annotations

import dataclasses
import json
import os
import time
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from hf_tests import cache, checkpoint_files, dependencies
from hf_tests.family import run_check
from hf_tests.job import Job
from hf_tests.outcome import CheckResult
from hf_tests.probe import checkpoints, conversions, errors
from tests import support


class TestEntries(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = support.temporary_folder(self)

    def put(self, name: str, size: int, used: float, kind: str = "openvino") -> Path:
        """An entry that was last used at that time."""
        target = self.folder / kind / name
        with cache.making(target) as temporary:
            (temporary / "deep").mkdir()
            (temporary / "deep" / "file").write_bytes(b"x" * size)
        os.utime(target, (used, used))
        return target

    def names(self) -> list[str]:
        return [entry.path.name for entry in cache.entries(self.folder, "openvino")]

    def test_the_least_recently_used_goes_first(self) -> None:
        for place, name in enumerate("abc"):
            self.put(name, 100, used=1e9 + place)
        cache.use(self.folder / "openvino" / "a")
        self.assertEqual(self.names(), ["b", "c", "a"])
        self.assertEqual(cache.trim(self.folder, "openvino", 300), [])
        (gone,) = cache.trim(self.folder, "openvino", 299)
        self.assertEqual((gone.path.name, gone.size), ("b", 100))
        self.assertEqual(self.names(), ["c", "a"])
        cache.trim(self.folder, "openvino", 50, keep=self.folder / "openvino" / "c")
        self.assertEqual(self.names(), ["c"], "what is in use stays though it is too large")

    def test_an_entry_is_whole_or_not_there(self) -> None:
        target = self.folder / "openvino" / "a"
        with self.assertRaises(ZeroDivisionError), cache.making(target) as temporary:
            (temporary / "file").write_text("half")
            1 / 0  # noqa: B018
        self.assertEqual(list((self.folder / "openvino").iterdir()), [])
        with cache.making(target) as slow:
            (slow / "file").write_text("slow")
            self.assertEqual(self.names(), [], "nobody sees it before it is whole")
            with cache.making(target) as fast:
                (fast / "file").write_text("fast")
        self.assertEqual((target / "file").read_text(), "fast")
        self.assertEqual(len(list((self.folder / "openvino").iterdir())), 1)

    def test_what_was_given_up_is_cleared_away(self) -> None:
        old, new = self.folder / "openvino" / ".making-a", self.folder / "openvino" / ".making-b"
        for path in (old, new):
            path.mkdir(parents=True)
        long_ago = time.time() - 2 * cache.ABANDONED_S
        os.utime(old, (long_ago, long_ago))
        cache.trim(self.folder, "openvino", 10**9)
        self.assertEqual((old.exists(), new.exists()), (False, True))

    def test_the_limit(self) -> None:
        self.assertEqual(cache.limit_gb({}), 20.0)
        self.assertEqual(cache.limit_gb({"HF_TESTS_CACHE_GB": "1.5"}), 1.5)
        for wrong in ("much", "-1", "nan"):
            with self.assertRaisesRegex(ValueError, "HF_TESTS_CACHE_GB is"):
                cache.limit_gb({"HF_TESTS_CACHE_GB": wrong})
        done = support.runner(
            "--model", "gpt2", "--dry-run", environment={"HF_TESTS_CACHE_GB": "much"}
        )
        self.assertEqual(done.returncode, 2)
        self.assertIn("HF_TESTS_CACHE_GB is 'much'", done.stderr)

    def test_the_command_shows_and_clears(self) -> None:
        self.put("a", 2_000_000, time.time() - 3 * 24 * 3600)
        tiny = self.put("b", 10, time.time(), kind="tiny")
        options = ("cache", "--cache-dir", str(self.folder))
        done = support.runner(*options)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"(?m)^tiny +1 +0.0 MB .*just now$")
        self.assertRegex(done.stdout, r"(?m)^openvino +1 +2.0 MB .*last used 3 days ago$")
        done = support.runner(*options, "--clear", "openvino", "--json")
        removed = json.loads(done.stdout)["kinds"]
        self.assertEqual((list(removed), removed["openvino"]["size"]), (["openvino"], 2_000_000))
        self.assertEqual((self.names(), tiny.is_dir()), ([], True))
        done = support.runner(*options, "--clear")
        self.assertRegex(done.stdout, r"removed\ntiny +1 .*\nopenvino +0 ")
        self.assertFalse(tiny.exists())
        self.assertRegex(
            support.runner(*options).stdout, r"(?m)^tiny +0 +0.0 MB  tiny checkpoints$"
        )
        done = support.runner("cache", "--cache-dir", str(self.folder / "nowhere"))
        self.assertEqual((done.returncode, "is not a folder" in done.stderr), (2, True))


class TestTheDisk(unittest.TestCase):
    """What OpenVINO says of a file cut short names no cause: the disk is looked at."""

    def cut_short(self, folder: Path) -> dict[str, Any]:
        raise RuntimeError(f"basic_ios::clear: {conversions.STREAM_ERROR}")

    def test_with_room_it_is_no_full_disk(self) -> None:
        source = Path(checkpoints.folder_of(support.job("gpt2")))
        job = support.job("gpt2", "openvino", convert_anew=True)
        with self.assertRaisesRegex(RuntimeError, "iostream error") as caught:
            conversions.obtain(job, source, {}, self.cut_short)
        self.assertEqual(errors.classify(caught.exception, "conversion"), "conversion")


class TestDigests(unittest.TestCase):
    def test_of_weights(self) -> None:
        folder = support.temporary_folder(self)
        self.assertIsNone(checkpoint_files.weights_digest(folder))
        one = folder / "model.safetensors"
        one.write_bytes(b"weights")
        before = checkpoint_files.weights_digest(folder), checkpoint_files.digest(folder)
        self.assertEqual(before[0], checkpoint_files.file_digest(one))
        (folder / "config.json").write_text("{}")
        self.assertEqual(before[0], checkpoint_files.weights_digest(folder))
        self.assertNotEqual(before[1], checkpoint_files.digest(folder))
        one.write_bytes(b"weightS")
        self.assertNotEqual(before[0], checkpoint_files.weights_digest(folder))

    def test_names_that_lead_out_of_the_folder(self) -> None:
        folder = support.temporary_folder(self)
        inside = folder / "checkpoint"
        inside.mkdir()
        (folder / "secret.safetensors").write_bytes(b"not of this checkpoint")
        (inside / checkpoint_files.INDEX).write_text(
            json.dumps({"weight_map": {"a": "../secret.safetensors"}})
        )
        self.assertEqual(checkpoint_files.weight_files(inside), ())

    def test_in_one_file_and_in_parts(self) -> None:
        """What transformers loads is what is hashed."""
        folder = support.temporary_folder(self)
        index = folder / checkpoint_files.INDEX
        index.write_text(json.dumps({"weight_map": {"a": "part.safetensors"}}))
        for name in ("part.safetensors", "model.safetensors"):
            (folder / name).touch()
            self.assertEqual(checkpoint_files.weight_files(folder), (folder / name,))


INDICES = (
    "[" * 100_000,
    "[]",
    '{"weight_map": [1]}',
    '{"weight_map": {"a": null}}',
    json.dumps({"weight_map": {"a": "x" * 5000}}),
    '{"weight_map": {"a": "\\ud83d"}}',
    '{"weight_map": {"a": "\\u0000"}}',
)

TENSOR = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
TENSORS: tuple[dict[str, Any], ...] = (
    {"shape": [10**400]},
    {"shape": [[0], 10**12]},
    {"shape": "22"},
    {"shape": [-2, -2]},
    {"shape": [float("inf")]},
    {"shape": None},
    {"data_offsets": [0, 10**30]},
    {"data_offsets": [16, 0]},
    {"data_offsets": [0]},
    {"data_offsets": ["", "x"]},
)

FILES = (b"", b"\xff" * 8, b"\x02" + bytes(7) + b"[]", b"\x02" + bytes(7) + b"\xff\xff")


class TestHostileFiles(unittest.TestCase):
    """Read by the runner itself, which no checkpoint may end."""

    def setUp(self) -> None:
        self.folder = support.temporary_folder(self)

    def test_indices(self) -> None:
        for content in INDICES:
            with self.subTest(content[:60]):
                (self.folder / checkpoint_files.INDEX).write_text(content)
                self.assertEqual(checkpoint_files.weight_files(self.folder), ())

    def test_headers(self) -> None:
        self.assertEqual(self.stored({}), checkpoint_files.Stored(4, 16))
        for change in TENSORS:
            with self.subTest(str(change)[:60]):
                self.assertIsNone(self.stored(change))

    def stored(self, change: dict[str, Any]) -> checkpoint_files.Stored | None:
        header = json.dumps({"w": {**TENSOR, **change}}).encode()
        content = len(header).to_bytes(8, "little") + header + bytes(16)
        (self.folder / checkpoint_files.WEIGHTS).write_bytes(content)
        return checkpoint_files.stored(self.folder)

    def test_what_is_no_safetensors(self) -> None:
        for content in FILES:
            with self.subTest(content):
                (self.folder / checkpoint_files.WEIGHTS).write_bytes(content)
                self.assertIsNone(checkpoint_files.stored(self.folder))


@unittest.skipIf(dependencies.unmet(dependencies.OPENVINO), "openvino is not installed")
class TestConversions(unittest.TestCase):
    """Real conversions, in this process."""

    def setUp(self) -> None:
        self.folder = support.temporary_folder(self)

    def job(self, model_id: str = "bert-base-uncased", **changes: object) -> Job:
        tiny = checkpoints.folder_of(support.job(model_id))
        changes = {"cache_dir": str(self.folder), "checkpoint": str(tiny), **changes}
        return support.job(model_id, "openvino", **changes)

    def passed(self, job: Job) -> CheckResult:
        result, error = run_check(job, "openvino")
        self.assertIsNone(error)
        self.assertEqual(result.status, "passed", result)
        self.assertIsNotNone(result.parity)
        return result

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file()
        }

    def test_converted_once(self) -> None:
        first = self.passed(self.job()).measurement
        self.assertEqual(first.conversion_cached, False)
        parts = (first.tokenizer_load_time, first.model_load_time, first.compile_time)
        self.assertTrue(all(part and part > 0 for part in parts), parts)
        self.assertAlmostEqual(first.load_time or 0.0, sum(part or 0.0 for part in parts))
        kept = self.files()
        self.assertTrue(any(name.endswith(".xml") for name in kept))
        second = self.passed(self.job()).measurement
        self.assertEqual(second.conversion_cached, True)
        self.assertEqual(second.conversion_time, first.conversion_time)
        self.assertEqual(second.conversion_path, first.conversion_path)
        self.assertEqual(second.model_size_mb, first.model_size_mb)
        self.assertEqual(self.files(), kept)
        anew = self.passed(self.job(convert_anew=True)).measurement
        self.assertEqual(anew.conversion_cached, False)
        self.assertEqual(self.files(), kept, "what is converted anew is not kept")

    def test_of_another_checkpoint_or_version_is_not_taken(self) -> None:
        from hf_tests.probe import conversions

        job, folder = self.job(), Path(self.job().checkpoint or "")
        places = {
            conversions.place(job, folder, {"path": "a"}),
            conversions.place(job, folder, {"path": "b"}),
            conversions.place(job.replace(weights="local"), folder, {"path": "a"}),
            conversions.place(job, folder.with_name("other"), {"path": "a"}),
        }
        self.assertEqual(len(places), 4)

    def test_an_entry_that_is_broken_is_made_again(self) -> None:
        self.passed(self.job())
        (binary,) = self.folder.rglob("*.bin")
        (graph,) = self.folder.rglob("*.xml")
        (facts,) = self.folder.rglob("conversion.json")
        whole = binary.read_bytes()

        def flip() -> None:
            binary.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))

        for breaking in (flip, graph.unlink, lambda: facts.write_text("[]")):
            breaking()
            found = self.passed(self.job()).measurement
            self.assertEqual(found.conversion_cached, False)
            self.assertEqual(binary.read_bytes(), whole)
        self.assertEqual(self.passed(self.job()).measurement.conversion_cached, True)

    def test_kept_within_the_limit(self) -> None:
        self.passed(self.job(cache_limit_gb=1e-9))
        self.passed(self.job("distilbert-base-uncased", cache_limit_gb=1e-9))
        (kept,) = cache.entries(self.folder, "openvino")
        self.assertIn("distilbert", kept.path.name)

    @unittest.skipUnless(dependencies.applies({"optimum-intel": ">=2"}), "others export it")
    def test_a_text_is_continued_without_an_exporter(self) -> None:
        """transformers' own loop around a graph that reads texts and batches of any length."""
        model = support.model("openai-community/openai-gpt")
        tiny = checkpoints.tiny_folder(model, self.folder)
        job = self.job(checkpoint=str(tiny), batch_sizes=(3,)).replace(model=model)
        for cached in (False, True):
            result = self.passed(job)
            found = result.measurement
            self.assertEqual(found.conversion_path, "openvino.convert_model of torch.export")
            self.assertEqual(found.conversion_cached, cached)
        assert result.parity is not None
        self.assertEqual(result.parity.equal_tokens, 1.0)
        self.assertEqual(len(result.predictions[0]["token_ids"]), 12)
        self.assertEqual([row.batch_size for row in result.rows], [3])

    def test_what_optimum_intel_has_no_exporter_for(self) -> None:
        """A model type that only openvino.convert_model converts; a broken one is caught."""
        # optimum-intel 1.27 still exports MegatronBERT; transformers 5.5 cannot trace ERNIE.
        old = dependencies.applies({"optimum-intel": "<2"})
        model = dataclasses.replace(
            support.model("bert-base-uncased"),
            id="someone/other",
            class_name="ErnieForMaskedLM" if old else "MegatronBertForMaskedLM",
            model_type="ernie" if old else "megatron-bert",
        )
        tiny = checkpoints.tiny_folder(model, self.folder)
        job = self.job(checkpoint=str(tiny)).replace(model=model)
        for cached in (False, True):
            found = self.passed(job).measurement
            self.assertEqual(found.conversion_path, "openvino.convert_model of torch.jit.trace")
            self.assertEqual(found.conversion_cached, cached)
        self.assertGreater(found.model_size_mb or 0.0, 0.01)

    @unittest.skipUnless(dependencies.applies({"optimum-intel": ">=2"}), "others export it")
    def test_one_pass_of_what_no_graph_generates_with(self) -> None:
        """The reference's own tokens in one pass; a graph that lost a layer or its input fails."""
        from hf_tests.probe import exporters, graphs

        model = support.model("uclanlp/plbart-base")
        tiny = checkpoints.tiny_folder(model, self.folder)
        job = self.job(checkpoint=str(tiny)).replace(model=model)
        for cached in (False, True):
            result = self.passed(job)
            found = result.measurement
            self.assertRegex(
                found.conversion_path or "",
                "^openvino.convert_model of .*, one pass over the reference's tokens$",
            )
            self.assertEqual((found.conversion_cached, found.work_unit), (cached, "passes"))
            assert result.parity is not None
            self.assertEqual((result.parity.output, result.parity.equal_tokens), ("logits", None))

        def dropped(network: Any) -> None:
            network.model.decoder.layers[-1].fc2.weight.data.zero_()

        def kept(module: Any, values: tuple[Any, ...], **how: Any) -> Any:
            class Kept(torch.nn.Module):  # type: ignore[misc]
                def forward(self, *given: Any) -> Any:
                    pairs = zip(values, given, strict=True)
                    return module(*(value + 0 * other for value, other in pairs))

            return convert(Kept(), values, **how)

        convert = graphs.convert
        plants = (
            mock.patch.object(exporters, "_spell_out_experts", dropped),
            mock.patch.object(graphs, "convert", kept),
        )
        for plant in plants:
            with self.subTest(plant.attribute), plant:
                broken, _ = run_check(job.replace(convert_anew=True), "openvino")
                self.assertEqual((broken.status, broken.error_type), ("failed", "wrong_output"))
                self.assertIn("differs from the float32 reference", broken.error or "")

    def test_what_nothing_converts_is_told_by_its_path(self) -> None:
        model = dataclasses.replace(
            support.model("ibm-granite/granite-timeseries-patchtst"), expected=()
        )
        result, _ = run_check(support.job(model.id, "openvino", model=model), "openvino")
        self.assertEqual((result.status, result.error_type), ("error", "conversion"), result.error)
        self.assertEqual(result.measurement.conversion_path, "openvino.convert_model")
        self.assertIn("openvino.convert_model cannot convert it", result.hint or "")

    def test_a_program_of_fixed_sizes(self) -> None:
        """What cannot do with sizes that are open is exported for those of the sample."""
        import openvino

        from hf_tests.probe import graphs

        class Counting(torch.nn.Module):  # type: ignore[misc]
            def forward(self, *given: Any) -> Any:
                return given[0] * {6: 2.0}[given[0].shape[1]]

        values = (torch.arange(12.0).reshape(2, 6),)
        with torch.no_grad():
            with self.assertRaisesRegex(Exception, "unhashable type"):
                graphs._exported(Counting(), values)
            program = graphs._exported(Counting(), values, is_fixed=True)
        graph, kept = graphs._of_program(program)
        self.assertEqual(kept, [0])
        found = openvino.compile_model(graph, "CPU")([values[0].numpy()])
        self.assertTrue(torch.equal(torch.from_numpy(found[0]), values[0] * 2))

    def test_operations_that_were_recorded(self) -> None:
        """What reads a number out of a tensor to go on with is a graph of these sizes."""
        import openvino

        from hf_tests.probe import graphs

        class Choosing(torch.nn.Module):  # type: ignore[misc]
            def forward(self, *given: Any) -> Any:
                values, lengths = given
                return values.cumsum(1) if int(lengths.max()) > 3 else values

        values = (torch.arange(12.0).reshape(2, 6), torch.tensor([2, 4]))
        with torch.no_grad():
            with self.assertRaisesRegex(Exception, "data-dependent expression"):
                graphs._exported(Choosing(), values, is_fixed=True)
            graph, kept = graphs._of_program(graphs._recorded(Choosing(), values))
        self.assertEqual(kept, [0, 1])
        found = openvino.compile_model(graph, "CPU")([values[0].numpy() + 1, values[1].numpy()])
        wanted = Choosing()(values[0] + 1, values[1])
        self.assertTrue(torch.allclose(torch.from_numpy(found[0]), wanted))
