"""zero-shot-object-detection: where in an image the things are that texts speak of."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from hf_tests.probe import judge, samples
from hf_tests.probe.tasks import base, found_boxes
from hf_tests.probe.tasks.candidate_labels import CandidateLabels
from hf_tests.registry import Model

LABELS = ("a red circle", "a blue square", "a yellow sun")
"""Without a full stop, which parts them where they are made one text; in small letters."""

LOGITS, BOXES = ("logits", "decoder_class_logits"), ("pred_boxes", "decoder_coord_logits")
"""Names that networks have for what a box shows, and for where it is."""

STOP = "."

SCORE = 0.01
"""How far half precision may move a score, of which bfloat16 keeps about two digits."""


class ZeroShotObjectDetection(CandidateLabels):
    """Detectors that read what they look for: some boxes an image, each with logits of the labels.

    The boxes are (centre x, centre y, width, height), each in parts of the image's, or of the
    square's to which it was padded. Where the labels are read as one text, there are logits of its
    tokens.
    """

    name = "zero-shot-object-detection"
    processor_class = "AutoProcessor"
    openvino_class = "OVModelForZeroShotObjectDetection"
    unit = "images"
    candidates = LABELS

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        return encoded(subject.processor, self.labels(subject.model), samples.image())

    def compared(self, outputs: Any) -> dict[str, Any]:
        return {"logits": logits_of(outputs), "pred_boxes": boxes_of(outputs)}

    def answer(self, outputs: Any) -> Any:
        return logits_of(outputs)

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        labels, processor = self.labels(subject.model), subject.processor
        logits, boxes = logits_of(outputs).float().cpu(), boxes_of(outputs).float().cpu()
        judge.shape(logits, (1, None, None), "logits")
        judge.shape(boxes, (1, logits.shape[1], 4), "boxes")
        for label, places in zip(labels, columns(processor, inputs, logits, labels), strict=True):
            judge.require(bool(places), f"no logits of the label {label!r}")
            judge.finite(logits[..., places], f"logits of {label!r}")
            judge.varied(logits[..., places], f"logits of {label!r}")
        judge.varied(boxes, "boxes")
        judge.require(bool(((boxes >= 0) & (boxes <= 1)).all()), "boxes outside the image")
        found = detections(processor, inputs, outputs, labels, samples.IMAGE_SIZE[::-1])
        one_text = is_of_tokens(logits, labels)
        whole = _squeezed(processor.tokenizer.decode(inputs["input_ids"][0])) if one_text else ""
        for label in found["text_labels"]:
            judge.require(
                _is_within(_squeezed(label), whole) if one_text else label in labels,
                f"found is {label!r}, which was not looked for",
            )
        answer = found_boxes.detections(found["scores"], found["text_labels"], found["boxes"])
        squared = is_squared(processor.image_processor, inputs)
        edges = corners(boxes, samples.IMAGE_SIZE, squared=squared)
        probable = logits[0].sigmoid()
        scores: dict[str, list[float]] = dict(zip(labels, probable.T.tolist(), strict=False))
        if one_text:  # what is found is named by words of all labels
            scores = dict.fromkeys(found["text_labels"], probable.amax(-1).tolist())
        seen = {label: list(zip(values, edges, strict=True)) for label, values in scores.items()}
        return self.verdict(labels, _judged(answer, seen))

    def call(self, model: Model, pipe: Any) -> Any:
        # Named in one dictionary, so that several of them are several inputs.
        given = {"image": samples.image(), "candidate_labels": self.labels(model)}
        return pipe(given, threshold=found_boxes.THRESHOLD)

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        import torch

        labels = self.labels(model)
        image = pipe.image_processor(images=samples.image(), return_tensors="pt")
        squared = is_squared(pipe.image_processor, image)
        image = image.to(pipe.model.device, pipe.model.dtype)
        seen = {}
        for label in labels:  # the pipeline looks for one after the other
            text = pipe.tokenizer(label, return_tensors="pt").to(pipe.model.device)
            with torch.inference_mode():
                outputs = pipe.model(**image, **text)
            places = corners(boxes_of(outputs).float().cpu(), samples.IMAGE_SIZE, squared=squared)
            scores = logits_of(outputs).float().sigmoid().amax(-1)[0].tolist()
            seen[label] = list(zip(scores, places, strict=True))
        predictions = _judged(answer, seen)
        self.judge_labels(labels, answer)
        return self.verdict(labels, predictions)

    def best(self, subject: base.Subject, place: base.Place, labels: list[str], image: Any) -> int:
        inputs = encoded(subject.processor, labels, image)
        logits = logits_of(subject.network(**place(inputs)))[0].float().cpu()
        found = [
            float(logits[:, places].max())
            for places in columns(subject.processor, inputs, logits[None], labels)
        ]
        return found.index(max(found))


def encoded(processor: Any, labels: Sequence[str], image: Any) -> dict[str, Any]:
    """A network's arguments for an image and what to look for in it."""
    return dict(processor(images=image, text=[list(labels)], return_tensors="pt"))


def logits_of(outputs: Any) -> Any:
    """What the boxes show: (images, boxes, labels), or (images, boxes, tokens of their text)."""
    return outputs[next(name for name in LOGITS if name in outputs)]


def boxes_of(outputs: Any) -> Any:
    """Where the boxes are: (images, boxes, 4)."""
    return outputs[next(name for name in BOXES if name in outputs)]


def is_of_tokens(logits: Any, labels: Sequence[str]) -> bool:
    """Whether there are logits of tokens, and not one of each label."""
    return int(logits.shape[-1]) != len(labels)


def columns(
    processor: Any, inputs: Mapping[str, Any], logits: Any, labels: Sequence[str]
) -> list[list[int]]:
    """The last index of each label's logits: its own, or those of its tokens in the one text."""
    if not is_of_tokens(logits, labels):
        return [[place] for place in range(len(labels))]
    ids = inputs["input_ids"][0].tolist()
    stop = processor.tokenizer.convert_tokens_to_ids(STOP)
    stops = [place for place, item in enumerate(ids) if item == stop]
    judge.require(len(stops) == len(labels), f"{len(stops)} labels in the text, not {len(labels)}")
    starts = [1, *(place + 1 for place in stops)]  # behind the token that opens the text
    return [list(range(start, stop)) for start, stop in zip(starts, stops, strict=False)]


def detections(
    processor: Any,
    inputs: Mapping[str, Any],
    outputs: Any,
    labels: Sequence[str],
    size: tuple[int, int],
    threshold: float = found_boxes.THRESHOLD,
) -> dict[str, Any]:
    """What the processor finds in outputs for an image of that height and width in pixels.

    ``scores``, ``boxes`` (their edges in pixels) and ``text_labels``.
    """
    find = processor.post_process_grounded_object_detection
    # Where the labels are one text its tokens are asked for.
    taken = {"input_ids": inputs["input_ids"]} if _takes(find, "input_ids") else {}
    (found,) = find(
        outputs=found_boxes.on_cpu(outputs),
        threshold=threshold,
        target_sizes=[size],
        text_labels=[list(labels)],
        **{name: value.cpu() for name, value in taken.items()},
    )
    return {name: found[name] for name in ("scores", "boxes", "text_labels")}


def is_squared(image_processor: Any, inputs: Mapping[str, Any]) -> bool:
    """Whether images are padded to squares, of which boxes are in parts then.

    An image that is padded to the size of others has a mask beside it.
    """
    return bool(getattr(image_processor, "do_pad", False)) and "pixel_mask" not in inputs


def corners(boxes: Any, size: tuple[int, int], *, squared: bool) -> list[list[float]]:
    """One image's boxes, shape (1, boxes, 4), as their edges in one of that width and height.

    The edges are left, top, right, bottom, in pixels; ``squared`` as `is_squared` has it.
    """
    return found_boxes.in_pixels(boxes[0], (max(size), max(size)) if squared else size)


def _takes(method: Any, name: str) -> bool:
    return name in inspect.signature(method).parameters


def _judged(
    answer: Any, seen: Mapping[str, Sequence[tuple[float, Sequence[float]]]]
) -> tuple[Any, ...]:
    """The best of a list of detections, judged: each is one that the network has ``seen``.

    Those are its scores and edges by label.
    """
    found_boxes.judge_found(answer, seen.keys())
    for item in answer:
        edges = found_boxes.edges_of(item)
        judge.require(
            any(
                abs(score - item["score"]) <= SCORE
                and (found_boxes.near(edges, box) or found_boxes.near(edges, _cut(box)))
                for score, box in seen[item["label"]]
            ),
            f"{item['label']!r} with the score {item['score']} at {edges} is none of the network's",
        )
    return found_boxes.best(answer)


def _cut(box: Sequence[float]) -> list[float]:
    """The part of a box that is inside the sample image."""
    limits = samples.IMAGE_SIZE * 2
    return [min(max(edge, 0.0), limit) for edge, limit in zip(box, limits, strict=True)]


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _is_within(part: str, whole: str) -> bool:
    """Whether the characters of a part stand in the whole in their order."""
    rest = iter(whole)
    return all(character in rest for character in part)
