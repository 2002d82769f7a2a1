"""What a task is: its inputs, how a model is run on them, and what must hold of the answer."""

from __future__ import annotations

import abc
import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hf_tests.outcome import Accuracy, Example
from hf_tests.probe import classes
from hf_tests.probe.timing import Watch
from hf_tests.registry import Model

TOP_K = 5
SEED = 0
HALVES = ("bfloat16", "float16")
NEW_TOKENS = 12
TEXT_LIMIT = 400  # characters of a text kept in a result


@dataclass(frozen=True)
class Subject:
    """A loaded model: its registry entry, the network (torch or OpenVINO) and its processor.

    A generating task marks the ``watch``, where there is one, whenever it has chosen a token.
    """

    model: Model
    network: Any
    processor: Any
    watch: Watch | None = None

    @property
    def config(self) -> Any:
        """The network's transformers configuration."""
        return self.network.config


@dataclass(frozen=True)
class Work:
    """What one inference on the sample input does, in the task's own unit."""

    amount: float
    unit: str


Place = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Puts inputs, tensors on the CPU, where a network takes them."""


@dataclass(frozen=True)
class Verdict:
    """What a right answer said: readable predictions and one input with its output."""

    predictions: tuple[Any, ...]
    example: Example


class Task(abc.ABC):
    """One task of transformers, for all models that have it.

    ``name`` is the pipeline's; ``processor_class`` the auto-class that loads what prepares the
    inputs; ``openvino_class`` the class of optimum-intel. The judging methods raise WrongOutput.
    """

    name: str
    processor_class: str
    openvino_class: str
    unit: str
    """What one inference goes through one of, in the plural; only `work` asks for it."""

    sample_text: str = ""
    """A text or question of the sample input, where the registry gives a model no other."""

    openvino_alternatives: tuple[str, ...] = ()
    """Further classes of optimum-intel for the task, with model types of their own."""

    compared_outputs: tuple[str, ...] = ("logits",)
    """The network's outputs that are held against the reference."""

    continues_its_input: bool = False
    """Whether each new token is put behind ``input_ids``, the network's one growing argument."""

    pipeline_dependencies: tuple[str, ...] = ()
    """Distributions that the pipeline needs and the model itself does not."""

    pipeline_batches: bool = True
    """Whether the pipeline takes several inputs at once."""

    takes_one: str = ""
    """Why the network takes one input at a time; empty where it takes several."""

    graph_has_one_size: bool = False
    """Whether a graph of the network is for as many inputs as it was made with, and no others."""

    def pipeline_misfit(self, subject: Subject) -> str | None:
        """Why the pipeline cannot run such a model, whose network it has not; None where it can."""
        del subject
        return None

    @property
    def is_one_pass(self) -> bool:
        """Whether one inference is one call of the network, and not one for each new token."""
        return type(self).generated is Task.generated

    def openvino_class_for(self, class_name: str) -> str:
        """The class of optimum-intel for a transformers class of this task."""
        del class_name
        return self.openvino_class

    def lacks(self, dtype: str, model: Model) -> str | None:
        """Why a check of a model in a dtype has nothing to compare; None where it has."""
        if model.chooses_places and dtype in HALVES:
            return f"a model that chooses places chooses others in {dtype}"
        return None

    def load_processor(self, folder: str, **options: Any) -> Any:
        """What prepares the inputs, from the checkpoint in a folder.

        ``options`` are further arguments of ``from_pretrained``.
        """
        return classes.transformers_class(self.processor_class).from_pretrained(folder, **options)

    def text(self, model: Model) -> str:
        """The model's sample text."""
        return str(model.samples.get("text", self.sample_text))

    def work(self, model: Model) -> Work:
        """What one inference on the model's sample input does: by default one of the `unit`."""
        del model
        return Work(1, self.unit)

    @abc.abstractmethod
    def inputs(self, subject: Subject) -> dict[str, Any]:
        """The network's arguments for the sample input, as tensors on the CPU."""

    def one_pass(self, subject: Subject, inputs: dict[str, Any]) -> dict[str, Any]:
        """The arguments of one call of the network on inputs, before it has generated anything."""
        del subject
        return inputs

    def part(self, network: Any, processor: Any) -> Any:
        """What one pass calls of a torch network, with tensors alone: by default the whole."""
        del processor
        return network

    def run(self, subject: Subject, inputs: dict[str, Any]) -> Any:
        """One inference: what is timed."""
        return subject.network(**inputs)

    def batch(self, inputs: dict[str, Any], size: int) -> dict[str, Any]:
        """The sample input ``size`` times, so that outputs have as many times the rows.

        By default every tensor is repeated along its first dimension.
        """
        return {name: self.repeated(value, size) for name, value in inputs.items()}

    def repeated(self, value: Any, size: int) -> Any:
        """A tensor of one input as that of a batch has it: all its rows, ``size`` times over.

        An input may have several: the patches of an image of any size, the codebooks of a sound,
        the labels that an image is held against. They stay together. A list has something of each
        input; a number holds for all.
        """
        if isinstance(value, list):
            return value * size
        if not hasattr(value, "repeat"):
            return value
        return value.repeat(size, *[1] * (value.dim() - 1))

    def generated(self, outputs: Any) -> Any:
        """The ids that `run` has generated, shape (batch, NEW_TOKENS); None where it has none."""
        del outputs
        return None

    def compared(self, outputs: Any) -> dict[str, Any]:
        """The tensors by name, among the outputs of `run`, that are held against the reference."""
        return {name: outputs[name] for name in self.compared_outputs}

    def answer(self, outputs: Any) -> Any:
        """The tensor among a network's outputs that speaks for them: logits, or features."""
        return outputs[self.compared_outputs[0]]

    def forced(self, subject: Subject, inputs: dict[str, Any], tokens: Any) -> dict[str, Any]:
        """The same of a model that generates, from one pass over the reference's own ``tokens``.

        ``tokens`` are as `generated` gives them, one row for each of the inputs. After one other
        choice, two models that are both right would go on with different texts.
        """
        raise NotImplementedError(f"{self.name} generates no tokens")

    def pass_inputs(
        self, model: Model, load: Callable[[], Subject], inputs: dict[str, Any], tokens: Any
    ) -> dict[str, Any]:
        """What `forced` gives the network beside ``tokens``, for one that has no ``generate``.

        ``load`` gives the reference's own network, for what only that finds out.
        """
        del model, load, tokens
        return inputs

    @abc.abstractmethod
    def judge(self, subject: Subject, inputs: dict[str, Any], outputs: Any) -> Verdict:
        """Assert what must hold of the network's outputs."""

    @abc.abstractmethod
    def call(self, model: Model, pipe: Any) -> Any:
        """One call of the task's pipeline: what is timed."""

    @abc.abstractmethod
    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> Verdict:
        """Assert what must hold of the pipeline's answer."""

    def reply(self, subject: Subject, place: Place, question: str, expected: str) -> str:
        """What a model says to a question; of a generated text at least as much as is expected."""
        raise NotImplementedError(f"{self.name} has no questions and answers in words")

    def accuracy(self, subject: Subject, place: Place) -> Accuracy | None:
        """How well a model does on the task's labelled set; None where there is none for it."""
        del subject, place
        return None


def tokenizer_of(processor: Any) -> Any:
    """The tokenizer inside a processor; a tokenizer itself is its own."""
    return getattr(processor, "tokenizer", processor)


def short(text: str) -> str:
    """The text as it may stand in a result."""
    return text if len(text) <= TEXT_LIMIT else text[:TEXT_LIMIT] + "..."


def vocabulary_size(config: Any) -> int:
    """Rows of the output layer that the configuration promises."""
    return int(config.get_text_config().vocab_size)


def is_floating(value: Any) -> bool:
    """Whether an input is a tensor of floating point: some are plain numbers, or lists of them."""
    return hasattr(value, "is_floating_point") and bool(value.is_floating_point())


def run_alike(network: Any, inputs: Mapping[str, Any]) -> Any:
    """The outputs of a network that draws something at random, as keys to attend to: drawn alike.

    One that would compute the loss of its training too is told not to.
    """
    taken = inspect.signature(getattr(network, "forward", network)).parameters
    settings = {"return_loss": False} if "return_loss" in taken else {}
    with drawing_alike():
        return network(**inputs, **settings)


DRAWING = ("bernoulli", "multinomial", "normal", "rand", "rand_like", "randint", "randint_like",
           "randn", "randn_like", "randperm")  # fmt: skip
"""torch's functions that draw at random."""


@contextlib.contextmanager
def drawing_alike() -> Iterator[None]:
    """What is drawn at random inside is the same each time, and on every device.

    An accelerator draws other numbers for the same seed, so the processor does it in its place.
    """
    import torch

    def by_processor(draw: Callable[..., Any]) -> Callable[..., Any]:
        def drawn(*arguments: Any, **options: Any) -> Any:
            given = [item for item in arguments if isinstance(item, torch.Tensor)]
            device = options.get("device") or (given[0].device if given else "cpu")
            if torch.device(device).type == "cpu":
                return draw(*arguments, **options)
            options.pop("device", None)
            own = [item.cpu() if isinstance(item, torch.Tensor) else item for item in arguments]
            return draw(*own, **options).to(device)

        return drawn

    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices), contextlib.ExitStack() as stack:
        for name in DRAWING:
            draw = getattr(torch, name)
            stack.callback(setattr, torch, name, draw)
            setattr(torch, name, by_processor(draw))
        torch.manual_seed(SEED)
        yield


def text_vocabulary_size(config: Any) -> int | None:
    """Rows of what reads a text: of several parts with texts, of the encoder; None without one."""
    own = getattr(config, "text_vocab_size", None)  # beside a vocabulary of codes
    if own is not None:
        return int(own)
    try:
        part = config.get_text_config()
    except ValueError:  # one part reads texts, and another writes codes
        part = config.get_text_config(encoder=True)
    size = getattr(part, "vocab_size", None)
    return None if size is None else int(size)


def in_float32(outputs: Any) -> Any:
    """The tensors among a network's outputs in float32 on the CPU, in the form that they had."""
    named = {name: value for name, value in outputs.items() if hasattr(value, "cpu")}
    return type(outputs)(**{name: value.float().cpu() for name, value in named.items()})
