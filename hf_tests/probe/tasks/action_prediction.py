"""action-prediction: what a robot does next, given what it has seen and been told."""

from __future__ import annotations

from typing import Any

from hf_tests.outcome import Example
from hf_tests.probe import classes, judge, samples
from hf_tests.probe.tasks import base
from hf_tests.registry import Model

TEXT = "Put the red circle beside the blue square."
PRESENT = (0.1, -0.2, 0.9, 2.5, -0.4, 0.3, 0.02, -0.03)  # of a robot with eight joints
STEPS = 6  # of a past
RETURN = 3.0  # what is still to be reached, in the past's first step
PREDICTED = ("action_preds", "logits")
"""Names that actions have among a network's outputs: next ones, or where noise has to move."""

BESIDE = ("state_preds", "return_preds")
"""What some foresee beside them."""

WIDTHS = ("act_dim", "max_action_dim")
SHOWN = 5  # numbers of an action that a result shows


class Robot:
    """What prepares a policy's inputs: its configuration, and a processor if it sees anything."""

    def __init__(self, config: Any, processor: Any) -> None:
        self.config = config
        self.processor = processor
        self.tokenizer = getattr(processor, "tokenizer", None)


class ActionPrediction(base.Task):
    """Policies: of states and rewards alone, or of images and a text.

    Those that make actions out of noise are given drawn noise, and take their first step from it.
    """

    name = "action-prediction"
    processor_class = "AutoConfig"
    openvino_class = "OVModelForActionPrediction"
    unit = "steps"

    def load_processor(self, folder: str, **options: Any) -> Robot:
        config = super().load_processor(folder, **options)
        sees = any(hasattr(config, name) for name in ("vlm_config", "vision_config"))
        loader = classes.transformers_class("AutoProcessor") if sees else None
        return Robot(config, loader and loader.from_pretrained(folder, **options))

    def inputs(self, subject: base.Subject) -> dict[str, Any]:
        robot = subject.processor
        return _past(robot.config) if robot.processor is None else _seen(robot)

    def compared(self, outputs: Any) -> dict[str, Any]:
        names = (*PREDICTED, *BESIDE)
        return {name: outputs[name] for name in names if outputs.get(name) is not None}

    def answer(self, outputs: Any) -> Any:
        name = next((name for name in PREDICTED if outputs.get(name) is not None), None)
        judge.require(name is not None, f"no actions among {', '.join(outputs)}")
        return outputs[name]

    def judge(self, subject: base.Subject, inputs: dict[str, Any], outputs: Any) -> base.Verdict:
        config = subject.config
        width = next(getattr(config, name) for name in WIDTHS if hasattr(config, name))
        steps = inputs["noise" if "noise" in inputs else "states"].shape[1]
        actions = self.answer(outputs).float().cpu()
        judge.shape(actions, (1, steps, width), "actions")
        judge.finite(actions, "actions")
        judge.varied(actions, "actions")
        last = actions[0, -1]
        prediction = {
            "steps": steps,
            "width": width,
            "last": [round(float(value), 6) for value in last[:SHOWN]],
            "norm": float(last.norm()),
        }
        said = TEXT if "input_ids" in inputs else f"{steps} drawn steps"
        return base.Verdict((prediction,), Example(said, prediction))

    def call(self, model: Model, pipe: Any) -> Any:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")

    def judge_answer(self, model: Model, pipe: Any, answer: Any) -> base.Verdict:
        raise NotImplementedError(f"transformers has no {self.name} pipeline")


def _past(config: Any) -> dict[str, Any]:
    """States, actions and what is still to be reached, step by step, drawn once."""
    import torch

    drawn = torch.Generator().manual_seed(base.SEED)
    shape = (1, STEPS)
    return {
        "states": torch.randn(*shape, config.state_dim, generator=drawn),
        "actions": torch.randn(*shape, config.act_dim, generator=drawn),
        "rewards": torch.rand(*shape, 1, generator=drawn),
        "returns_to_go": RETURN - torch.arange(STEPS, dtype=torch.float32)[None, :, None] / STEPS,
        "timesteps": torch.arange(STEPS)[None],
        "attention_mask": torch.ones(shape, dtype=torch.long),
    }


def _seen(robot: Robot) -> dict[str, Any]:
    """An image, a text and the joints' places, with the noise that becomes actions."""
    import torch

    config = robot.config
    drawn = torch.Generator().manual_seed(base.SEED)
    return {
        **robot.processor(images=samples.image(), text=TEXT, state=[list(PRESENT)]),
        "noise": torch.randn(1, config.chunk_size, config.max_action_dim, generator=drawn),
        "timestep": torch.ones(1),
    }
