"""What a checkpoint with real weights knows: known answers, and accuracy on sets of our own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hf_tests.job import Job
from hf_tests.outcome import MEASURED, NOT_APPLICABLE, Answer, Quality
from hf_tests.probe import devices, inference, tasks
from hf_tests.probe.judge import require
from hf_tests.probe.record import Record

TINY = "its weights are random"


def measure(job: Job, record: Record, subject: tasks.Subject) -> None:
    """Ask the registry's questions and try the task's labelled set; keep what came.

    Tiny checkpoints are not asked. Raises WrongOutput where an answer is not the known one.
    """
    import torch

    if job.weights == "tiny":
        record.quality = Quality(NOT_APPLICABLE, reason=TINY)
        return
    task = tasks.get(job.model.task)

    def place(inputs: Mapping[str, Any]) -> dict[str, Any]:
        if devices.is_openvino(job.device):
            return dict(inputs)
        return inference.on_device(subject.network, inputs)

    answers = []
    with record.timed("judgement"), torch.inference_mode():
        for known in job.model.answers:
            found = task.reply(subject, place, known.question, known.answer)
            right = is_answer(found, known.answer)
            answers.append(Answer(known.question, known.answer, found, known.source, right))
        accuracy = task.accuracy(subject, place)
    reason = None if accuracy else f"there is no labelled set that fits this {job.model.task} model"
    status = MEASURED if answers or accuracy else NOT_APPLICABLE
    record.quality = Quality(status, tuple(answers), accuracy, reason)
    for answer in answers:
        require(
            answer.is_right,
            f"it answers {answer.found!r}, not {answer.expected!r}, to {answer.question!r} "
            f"({answer.source})",
        )


def is_answer(found: str, expected: str) -> bool:
    """Whether a text is the expected one, or begins with it and goes on with another word.

    Case and the kind of white space make no difference.
    """
    found, expected = (" ".join(text.split()).casefold() for text in (found, expected))
    return found.startswith(expected) and not found[len(expected) : len(expected) + 1].isalnum()
