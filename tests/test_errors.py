"""What exceptions are taken for, the hints, and what is shown of logs."""

from __future__ import annotations

import errno
import os
import socket
import unittest
from collections.abc import Callable
from unittest import mock

from hf_tests import hints, outcome, plain
from hf_tests.probe import errors
from hf_tests.probe.integrity import CorruptCheckpoint
from tests import support
from tests.hub import Hub


def raised(act: Callable[[], object]) -> BaseException:
    """The exception that a function raises."""
    try:
        act()
    except BaseException as error:  # noqa: BLE001 - any is wanted
        return error
    raise AssertionError("nothing was raised")


def from_cause() -> None:
    try:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        raise RuntimeError("could not be saved") from error


def in_handling(first: Exception, then: Exception) -> Callable[[], None]:
    def act() -> None:
        try:
            raise first
        except Exception:  # noqa: BLE001
            raise then  # noqa: B904 - the implicit context is what is tested

    return act


CUDA = "CUDA error: {}\nCUDA kernel errors might be asynchronously reported"

UNTYPED = (
    ("CUDA out of memory. Tried to allocate 20 GiB", "out_of_memory", "cuda"),
    (CUDA.format("out of memory"), "out_of_memory", "cuda"),
    ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling x", "out_of_memory", "cuda"),
    (CUDA.format("device-side assert triggered"), "cuda_error", "device_assert"),
    (CUDA.format("an illegal memory access was encountered"), "cuda_error", "illegal_access"),
    (CUDA.format("invalid device ordinal"), "cuda_error", "no_device"),
    (CUDA.format("no kernel image is available for execution"), "cuda_error", "no_kernel"),
    ("Found no NVIDIA driver on your system.", "cuda_error", "no_driver"),
)  # fmt: skip
"""Texts of RuntimeError as the libraries raise it, and what they mean."""


class TestClassification(unittest.TestCase):
    def assert_found(self, error: BaseException, kind: str, case: str = "") -> None:
        self.assertEqual(errors.diagnose(error), errors.Diagnosis(kind, case), repr(error))

    def test_messages_of_untyped_errors(self) -> None:
        for text, kind, case in UNTYPED:
            with self.subTest(text[:60]):
                self.assert_found(RuntimeError(text), kind, case)

    def test_dtype(self) -> None:
        """Operators that lack one, and models whose code makes float32 of something narrower."""
        for text in (
            "mixed dtype (CPU): expect parameter to have scalar type of Float",
            "expected scalar type Float but found BFloat16",
            "expected m1 and m2 to have the same dtype, but got: float != c10::BFloat16",
        ):
            with self.subTest(text):
                self.assert_found(RuntimeError(text), "unsupported", "dtype")
        self.assert_found(NotImplementedError("Unsupported dtype BFloat16"), "unsupported", "dtype")
        self.assert_found(NotImplementedError("no such thing"), "unsupported")

    def test_typed_error_of_torch(self) -> None:
        import torch

        for text, kind, case in UNTYPED[1:2] + UNTYPED[3:7] + UNTYPED[8:9]:
            self.assert_found(torch.AcceleratorError(text), kind, case)
        self.assert_found(torch.OutOfMemoryError("any"), "out_of_memory", "cuda")

    def test_real_ones(self) -> None:
        import numpy as np
        import torch
        from huggingface_hub import try_to_load_from_cache
        from safetensors.torch import load

        for act, kind, case in (
            (lambda: load(b"\xff" * 99), "corrupt_checkpoint", ""),
            (lambda: torch.empty(1 << 50), "out_of_memory", ""),
            (lambda: np.empty(1 << 50), "out_of_memory", ""),
            (lambda: try_to_load_from_cache("a/b/c", "x"), "model_not_found", ""),
            (lambda: __import__("no_such_library"), "missing_dependency", ""),
            (lambda: torch.ones(3)[[9]], "other", ""),
        ):
            error = raised(act)
            with self.subTest(repr(error)[:80]):
                self.assert_found(error, kind, case)

    def test_full_disk_in_an_error_of_its_own(self) -> None:
        from safetensors import SafetensorError

        full = SafetensorError("Error while serializing: I/O error: No space left on device")
        self.assert_found(full, "disk_full")

    def test_chain(self) -> None:
        self.assert_found(raised(from_cause), "disk_full")
        disk = OSError(errno.ENOSPC, "full")
        self.assert_found(raised(in_handling(disk, RuntimeError("no"))), "disk_full")
        inner = CorruptCheckpoint("broken")
        self.assert_found(raised(in_handling(disk, inner)), "corrupt_checkpoint")

    def test_what_was_tried_before_is_no_cause(self) -> None:
        for excuse in (ImportError("no fast one"), NotImplementedError("no fast one")):
            error = raised(in_handling(excuse, RuntimeError("boom")))
            self.assert_found(error, "other")

    def test_a_hub_that_refuses_was_reached(self) -> None:
        """The real client raises the same type for a refusal as for a lost connection."""
        from huggingface_hub import constants, hf_hub_download

        hub = Hub()
        self.addCleanup(hub.close)
        folder = support.temporary_folder(self)

        def ask() -> BaseException:
            place = {"endpoint": hub.url, "cache_dir": folder}
            return raised(lambda: hf_hub_download("someone/tuned", "config.json", **place))

        for status in (401, 403, 404, 501):
            with self.subTest(status=status):
                hub.behave()
                hub.misbehave("someone/tuned", status=status)
                self.assertFalse(errors.is_unreachable(ask()))
        with self.subTest("offline"), mock.patch.object(constants, "HF_HUB_OFFLINE", True):
            self.assertFalse(errors.is_unreachable(ask()))
        with self.subTest("other errors"):
            self.assertFalse(errors.is_unreachable(raised(from_cause)))
        refused = raised(lambda: socket.create_connection(("127.0.0.1", 9), timeout=1))
        self.assertTrue(errors.is_unreachable(refused), repr(refused))

    def test_stage_decides_where_nothing_else_does(self) -> None:
        for stage, kind in (("conversion", "conversion"), ("compile", "conversion")):
            self.assertEqual(errors.classify(RuntimeError("boom"), stage), kind)
        self.assertEqual(errors.classify(MemoryError(), "conversion"), "out_of_memory")
        broken = raised(lambda: __import__("json").loads("{"))
        self.assertEqual(errors.classify(broken, "tokenizer"), "corrupt_checkpoint")
        self.assertEqual(errors.classify(broken, "inference"), "other")


class TestHints(unittest.TestCase):
    def test_each_type_names_the_model_and_a_command(self) -> None:
        for weights in outcome.WEIGHTS:
            job = support.job("gpt2", "cuda", weights=weights)
            for name in hints.HINTS:
                kind, _, case = name.split(" ")[0].partition(":")
                with self.subTest(name, weights=weights):
                    if case == "unmet":
                        continue  # it names what to install
                    text = hints.hint(kind, job, "pipeline", case)
                    self.assertIn("gpt2", text)
                    self.assertIn("python runner.py", text)
        for kind in set(outcome.ERROR_TYPES) - {"none"}:
            self.assertIn(kind, hints.HINTS)

    def test_every_case_that_is_found_has_one(self) -> None:
        found = [*errors.TYPES.values(), *errors.ERRNOS.values(), *errors.HTTP.values()]
        found += [one for one, _ in (*errors.CUDA_CASES, *errors.MESSAGES)]
        for one in found:
            name = f"{one.kind}:{one.case}" if one.case else one.kind
            self.assertIn(name, hints.HINTS)

    def test_tiny_checkpoint_has_another_than_one_of_the_hub(self) -> None:
        tiny, hub = (support.job("gpt2", weights=weights) for weights in ("tiny", "hub"))
        for kind in ("corrupt_checkpoint", "wrong_output"):
            self.assertNotEqual(hints.hint(kind, tiny), hints.hint(kind, hub))


class TestPlain(unittest.TestCase):
    def tail(self, text: str) -> str | None:
        log = support.temporary_folder(self) / "log"
        log.write_bytes(text.encode())
        return plain.log_tail(log)

    def test_log_tail_is_bounded_in_lines_and_bytes(self) -> None:
        lines = [f"line {number}" for number in range(200)]
        self.assertEqual(self.tail("\n".join(lines) + "\n"), "\n".join(lines[-50:]))
        self.assertEqual(self.tail("x" * 99 + "\n" + "y" * plain.TAIL_BYTES), "y" * 16384)
        self.assertEqual(len(self.tail("z" * 10**6) or ""), plain.TAIL_BYTES)
        self.assertIsNone(self.tail("\n\n"))
        self.assertIsNone(plain.log_tail(support.temporary_folder(self) / "none"))

    def test_log_tail_steers_no_terminal(self) -> None:
        text = "\x1b[1mbold\x1b[0m \x1b]0;title\x07end\n 10%\r 20%\r100%\r\nbell\x07\x9b2J\n"
        self.assertEqual(self.tail(text), "bold end\n100%\nbell??2J")

    def test_stack_is_what_the_interpreter_left(self) -> None:
        tail = "before\nFatal Python error: Aborted\n\nThread 0x1:\n  File x"
        self.assertEqual(plain.stack(tail), tail.removeprefix("before\n"))
        self.assertIsNone(plain.stack("before"))

    def test_message_is_one_bounded_line(self) -> None:
        self.assertEqual(plain.message("a\ud83db"), "a?b")
        self.assertEqual(plain.message("a\n  b\x1b[31m c"), "a b c")
        self.assertEqual(len(plain.message("x" * 9999)), plain.MESSAGE_CHARACTERS)


if __name__ == "__main__":
    unittest.main()
