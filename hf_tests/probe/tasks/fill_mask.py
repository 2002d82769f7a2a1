"""fill-mask: the tokens most likely behind a mask."""

from __future__ import annotations

from typing import Any

from hf_tests.outcome import Accuracy, Example
from hf_tests.probe import judge, labelled
from hf_tests.probe.tasks import base
from hf_tests.registry import Model

TEXT = "Paris is the {mask} of France."


def text_for(model: Model, tokenizer: Any) -> str:
    """The sample sentence with the tokenizer's own mask token."""
    return str(model.samples.get("text", TEXT)).replace("{mask}", tokenizer.mask_token)


class FillMask(base.Task):
    """Masked language models."""

    name = "fill-mask"
    processor_class = "AutoTokenizer"
    openvino_class = "OVModelForMaskedLM"
    unit = "sequences"

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        text = text_for(subject.model, subject.processor)
        return dict(subject.processor(text, return_tensors="pt"))

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        tokenizer, ids = subject.processor, inputs["input_ids"]
        logits = outputs.logits.float().cpu()
        judge.shape(logits, (1, ids.shape[1], base.vocabulary_size(subject.config)), "logits")
        judge.finite(logits, "logits")
        judge.varied(logits, "logits")
        places = (ids[0] == tokenizer.mask_token_id).nonzero().flatten().tolist()
        judge.require(len(places) == 1, f"{len(places)} mask tokens in the encoded text")
        best = logits[0, places[0]].softmax(-1).topk(base.TOP_K)
        predictions = tuple(
            {"token": tokenizer.decode([int(token)]), "token_id": int(token), "score": float(score)}
            for score, token in zip(best.values, best.indices, strict=True)
        )
        judge.scores([item["score"] for item in predictions], "predictions")
        filled = ids[0].clone()
        filled[places[0]] = best.indices[0]
        text = tokenizer.decode(filled, skip_special_tokens=True)
        return base.Verdict(predictions, Example(text_for(subject.model, tokenizer), text))

    def call(self, model: Model, pipe: Any) -> Any:
        return pipe(text_for(model, pipe.tokenizer), top_k=base.TOP_K)

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        judge.require(isinstance(answer, list) and len(answer) == base.TOP_K, f"answer {answer!r}")
        for item in answer:
            judge.keys(item, ("score", "token", "token_str", "sequence"), "answer")
            judge.require(
                pipe.tokenizer.mask_token not in item["sequence"],
                f"the mask is still in {item['sequence']!r}",
            )
        values = [item["score"] for item in answer]
        judge.scores(values, "answer")
        judge.descending(values, "answer")
        predictions = tuple(
            {"token": item["token_str"], "token_id": item["token"], "score": item["score"]}
            for item in answer
        )
        return base.Verdict(
            predictions, Example(text_for(model, pipe.tokenizer), answer[0]["sequence"])
        )

    def reply(self, subject: base.Subject, place: base.Place, question: str, expected: str) -> str:
        del expected
        tokenizer = subject.processor
        text = question.replace("{mask}", tokenizer.mask_token)
        encoded = tokenizer(text, return_tensors="pt")
        places = (encoded["input_ids"][0] == tokenizer.mask_token_id).nonzero().flatten()
        judge.require(len(places) == 1, f"{len(places)} mask tokens in {text!r}")
        logits = subject.network(**place(encoded)).logits[0, int(places[0])]
        return str(tokenizer.decode([int(logits.argmax())])).strip()

    def accuracy(self, subject: base.Subject, place: base.Place) -> Accuracy | None:
        """The share of masked facts that it completes, among those it has a token for."""
        asked = [fact for fact in labelled.FACTS if _is_token(subject.processor, fact[1])]
        if not asked:
            return None
        right = sum(
            self.reply(subject, place, text, word).casefold() == word for text, word in asked
        )
        return Accuracy("masked facts", right / len(asked), len(asked), "share right")


def _is_token(tokenizer: Any, word: str) -> bool:
    """Whether a word is one token, in small letters or not, with a space before it or not."""
    forms = (word, word.capitalize(), f" {word}", f" {word.capitalize()}")
    return any(len(tokenizer.encode(form, add_special_tokens=False)) == 1 for form in forms)
