"""What converts a model for OpenVINO: optimum-intel, or where it has no exporter, OpenVINO itself.

Each writes a folder and loads it again as a network that is called as the torch model is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from hf_tests import dependencies
from hf_tests.job import Job
from hf_tests.probe import classes, devices, reference, tasks
from hf_tests.probe.record import Skip

OPTIMUM, CONVERT_MODEL = "optimum-intel", "openvino.convert_model"
"""Names of the two paths."""

TRACED, EXPORTED = "torch.jit.trace", "torch.export"
"""The two forms in which the second takes a torch model."""

GRAPH = "model.xml"
SEED = "op_seed"
"""An attribute of operations that draw at random: of 0 they draw anew at each inference."""

LOSS = "loss"
"""An output of training, which some networks give for other reasons too."""


class Exporter(Protocol):
    """One path of conversion."""

    path: str

    @property
    def options(self) -> dict[str, Any]:
        """All that the conversion depends on beside checkpoint and versions."""

    def convert(self, folder: Path) -> Mapping[str, Any]:
        """Convert the checkpoint into a folder; returns facts that `load` needs."""

    def load(self, folder: Path, facts: Mapping[str, Any]) -> Any:
        """The network in the folder, not compiled yet: its `compile` does that."""


def choose(
    job: Job,
    task: tasks.Task,
    checkpoint: str,
    processor: Any,
    inputs: Mapping[str, Any],
    properties: dict[str, str],
) -> Exporter:
    """What converts the job's model here; ``properties`` are OpenVINO's for running it.

    Raises Skip where neither path can.
    """
    reason = dependencies.unmet(["optimum-intel"]) or dependencies.unmet_by_optimum_intel()
    kind = "missing_dependency"
    if reason is None:
        found = Optimum(job, task, checkpoint, properties)
        reason, kind = found.lacks(), "unsupported"
        if reason is None:
            return found
    if not (task.is_one_pass or task.continues_its_input):
        raise Skip(f"openvino.convert_model cannot generate, and {reason}", kind)
    return ConvertModel(job, task, checkpoint, processor, inputs, properties)


class Optimum:
    """Conversion by optimum-intel, with its exporter for the model type."""

    path = OPTIMUM

    def __init__(
        self, job: Job, task: tasks.Task, checkpoint: str, properties: dict[str, str]
    ) -> None:
        self._job, self._checkpoint = job, checkpoint
        self._class_name = task.openvino_class_for(job.model.class_name)
        self._alternatives = task.openvino_alternatives
        self._common = {
            "compile": False,
            "load_in_8bit": False,
            "device": devices.openvino_name(job.device),
            "ov_config": properties,
            **classes.trust(job),
        }
        self._needed: dict[str, Any] = {}
        for item in job.model.export:
            if dependencies.applies(item.versions):
                self._needed |= item.arguments

    @property
    def options(self) -> dict[str, Any]:
        """All that the conversion depends on beside checkpoint and versions."""
        return {"path": self.path, "class": self._class_name, "needed": self._needed}

    def lacks(self) -> str | None:
        """Why it cannot convert such a model; None when it has an exporter for it.

        Of the task's classes it takes the first one that can.
        """
        first = self._class_name
        for name in (first, *self._alternatives):
            self._class_name = name
            if self._lacks() is None:
                return None
        self._class_name = first
        return self._lacks()

    def _lacks(self) -> str | None:
        import optimum.exporters.openvino
        import optimum.intel
        from optimum.exporters.tasks import TasksManager

        version = dependencies.version("optimum-intel")
        cls = getattr(optimum.intel, self._class_name, None)
        if cls is None:
            return f"optimum-intel {version} has no {self._class_name}"
        model_type = self._job.model.model_type
        none = f"optimum-intel {version} has no exporter for {model_type} models"
        try:
            known = TasksManager.get_supported_tasks_for_model_type(
                model_type, exporter="openvino", library_name="transformers"
            )
        except KeyError:
            return none
        feature = cls.export_feature
        if feature is None:
            return None
        offered = [name for name in (f"{feature}-with-past", feature) if name in known]
        if not offered:
            return f"{none} with the task {feature}"
        exporter = TasksManager.get_exporter_config_constructor(
            "openvino", model_type=model_type, task=offered[0], library_name="transformers"
        )
        return self._misfit(getattr(exporter, "func", exporter))

    def _misfit(self, exporter: Any) -> str | None:
        """Why an exporter refuses the installed transformers; None where it does not."""
        bounds = ((">=", "MIN_TRANSFORMERS_VERSION"), ("<=", "MAX_TRANSFORMERS_VERSION"))
        limits = [(sign, getattr(exporter, name, None)) for sign, name in bounds]
        wanted = ",".join(f"{sign}{limit}" for sign, limit in limits if limit is not None)
        if dependencies.applies({"transformers": wanted}):
            return None
        return (
            f"optimum-intel {dependencies.version('optimum-intel')} exports "
            f"{self._job.model.model_type} models with transformers {wanted} only, not "
            f"{dependencies.version('transformers')}"
        )

    def convert(self, folder: Path) -> Mapping[str, Any]:
        network = self._class().from_pretrained(
            self._checkpoint, export=True, **self._common, **self._needed
        )
        network.save_pretrained(folder)
        return {}

    def load(self, folder: Path, facts: Mapping[str, Any]) -> Any:
        del facts
        return self._class().from_pretrained(
            str(folder), export=False, **self._common, **self._needed
        )

    def _class(self) -> Any:
        import optimum.intel

        return getattr(optimum.intel, self._class_name)


class ConvertModel:
    """Conversion by ``openvino.convert_model``, of the torch model traced on sample inputs.

    A model that ``torch.jit.trace`` cannot follow is given as the program of ``torch.export``. So
    is one that generates, since a trace keeps the length of its sample; its graph has no cache, and
    reads the whole text anew for each token.
    """

    path = CONVERT_MODEL

    def __init__(
        self,
        job: Job,
        task: tasks.Task,
        checkpoint: str,
        processor: Any,
        inputs: Mapping[str, Any],
        properties: dict[str, str],
    ) -> None:
        self._job, self._task, self._checkpoint = job, task, checkpoint
        self._processor, self._inputs = processor, dict(inputs)
        self._properties = properties
        shapes = {name: [str(item.dtype), *item.shape] for name, item in self._inputs.items()}
        self.options = {"path": self.path, "class": job.model.class_name, "inputs": shapes}

    def convert(self, folder: Path) -> Mapping[str, Any]:
        import openvino
        import torch

        network = reference.load(self._checkpoint, self._job)
        _spell_out_experts(network)
        if self._task.is_one_pass:
            parts = (getattr(network.config, name, None) for name in network.config.sub_configs)
            for config in (network.config, *filter(None, parts)):
                if getattr(config, "use_cache", False):
                    # Not every network has an argument for it.
                    config.use_cache = False
        with torch.inference_mode():
            arguments, settings, names = self._call(network)
            module = _by_position(network, tuple(arguments), settings, names, self._tensors)
            values = tuple(arguments.values())
            graph, program = None, TRACED
            refused: Exception | None = None
            if self._task.is_one_pass:
                try:
                    graph = openvino.convert_model(module, example_input=values)
                except Exception as error:  # noqa: BLE001 - it raises what the model's code does
                    refused = error
            if graph is None:
                try:
                    graph, program = openvino.convert_model(_exported(module, values)), EXPORTED
                except Exception as error:
                    raise error from refused
        for operation in graph.get_ops():
            if SEED in operation.get_attributes():
                operation.set_attribute(SEED, 1)
        openvino.save_model(graph, str(folder / GRAPH), compress_to_fp16=False)
        return {"inputs": list(arguments), "outputs": names, "program": program}

    def _call(self, network: Any) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
        """The tensors by name that the network is given, what else, and what it returns by name."""
        import torch

        if not self._task.is_one_pass:
            return self._inputs, {}, ["logits"]
        call = _FirstCall(network)
        outputs = self._task.run(
            tasks.Subject(self._job.model, call, self._processor), self._inputs
        )
        tensors, settings = {}, {}
        for name, value in call.arguments.items():
            if isinstance(value, torch.Tensor):
                tensors[name] = value
            elif value is not None:
                settings[name] = value
        return tensors, settings, list(self._tensors(outputs))

    def _tensors(self, outputs: Any) -> dict[str, Any]:
        """What the network returns, by name: its tensors, and those that the task finds within."""
        import torch

        found = {
            name: value
            for name, value in outputs.items()
            if isinstance(value, torch.Tensor) and name != LOSS
        }
        compared = self._task.compared(outputs) if self._task.is_one_pass else {}
        # Under two names a graph would return it twice, which not every converter takes.
        known = {id(value) for value in found.values()}
        return found | {name: value for name, value in compared.items() if id(value) not in known}

    def load(self, folder: Path, facts: Mapping[str, Any]) -> Any:
        import openvino
        from transformers import AutoConfig

        core = openvino.Core()
        made = Converted if self._task.is_one_pass else _generating()
        return made(
            core,
            core.read_model(str(folder / GRAPH)),
            tuple(facts["inputs"]),
            tuple(facts["outputs"]),
            AutoConfig.from_pretrained(self._checkpoint, **classes.trust(self._job)),
            devices.openvino_name(self._job.device),
            self._properties,
        )


class Outputs(dict[str, Any]):
    """Named tensors that are attributes too, as a transformers model returns them."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Converted:
    """A graph of OpenVINO's that is called as the torch model is from which it was made.

    ``inputs`` and ``outputs`` are the names of the graph's own, in its order.
    """

    def __init__(
        self,
        core: Any,
        graph: Any,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        config: Any,
        device: str,
        properties: dict[str, str],
    ) -> None:
        self.config = config
        self.ov_models = {"model": graph}
        self._core, self._graph = core, graph
        self._inputs, self._outputs = inputs, outputs
        self._device, self._properties = device, properties
        self._request: Any = None

    def compile(self) -> None:
        """Compile the graph for its device."""
        compiled = self._core.compile_model(self._graph, self._device, self._properties)
        self._request = compiled.create_infer_request()

    def __call__(self, **inputs: Any) -> Outputs:
        """One inference: tensors on the CPU by name."""
        import torch

        values = [inputs[name].contiguous().numpy() for name in self._inputs]
        found = self._request.infer(values, share_inputs=True)
        return Outputs(
            (name, torch.from_numpy(found[place])) for place, name in enumerate(self._outputs)
        )


def _generating() -> type[Converted]:
    """A `Converted` that generates: transformers' own loop around the graph."""
    import torch
    from transformers import GenerationConfig, GenerationMixin

    class Generating(Converted, GenerationMixin):  # type: ignore[misc]
        main_input_name = "input_ids"
        device = torch.device("cpu")
        dtype = torch.float32

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.generation_config = GenerationConfig.from_model_config(self.config)
            self.generation_config.use_cache = False

        def can_generate(self) -> bool:
            return True

        def prepare_inputs_for_generation(
            self, input_ids: Any, attention_mask: Any = None, **more: Any
        ) -> dict[str, Any]:
            del more
            given = {"input_ids": input_ids, "attention_mask": attention_mask}
            return {name: given[name] for name in self._inputs}

        def forward(self, input_ids: Any, attention_mask: Any = None, **more: Any) -> Any:
            del more
            return Converted.__call__(self, input_ids=input_ids, attention_mask=attention_mask)

        __call__ = forward  # type: ignore[assignment]

    return Generating


class _FirstCall:
    """Calls a network as its task does, and keeps the arguments."""

    def __init__(self, network: Any) -> None:
        self.config = network.config
        self.arguments: dict[str, Any] = {}
        self._network = network
        self.forward = network.forward  # whose signature says what it takes

    def __call__(self, **arguments: Any) -> Any:
        if self.arguments:
            raise NotImplementedError("the task calls the network more than once")
        self.arguments = arguments
        return self._network(**arguments)


def _spell_out_experts(network: Any) -> None:
    """Have a mixture of experts computed by plain products of matrices, as transformers offers it.

    Its default is one fused operation of its own, which no converter knows.
    """
    choose_experts = getattr(network, "set_experts_implementation", None)
    if choose_experts is not None:
        choose_experts("batched_mm")


def _parameters(network: Any) -> Collection[str]:
    return inspect.signature(network.forward).parameters


def _exported(module: Any, values: tuple[Any, ...]) -> Any:
    """The module as a program of torch.export, of any size where the model's code leaves it free.

    The sample is doubled along its first dimension, since a size of 1 would be taken as fixed.
    """
    import torch

    values = tuple(torch.cat([value, value]) for value in values)
    sizes = tuple(dict.fromkeys(range(value.dim()), torch.export.Dim.AUTO) for value in values)
    # Distributions ask whether their parameters are allowed, and a program knows no values.
    torch.distributions.Distribution.set_default_validate_args(False)
    try:
        return torch.export.export(module, values, dynamic_shapes=(sizes,), strict=False)
    finally:
        torch.distributions.Distribution.set_default_validate_args(__debug__)


def _by_position(
    network: Any,
    inputs: tuple[str, ...],
    settings: Mapping[str, Any],
    outputs: Sequence[str],
    tensors: Callable[[Any], Mapping[str, Any]],
) -> Any:
    """The network with tensors alone, in these orders: a traced graph does not keep the names.

    ``tensors`` finds them in what the network returns.
    """
    import torch

    # A cache is no tensor, so it could not leave the graph.
    no_cache = {"use_cache": False} if "use_cache" in _parameters(network) else {}
    named = {**no_cache, **settings}

    class ByPosition(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *values: Any) -> tuple[Any, ...]:
            found = tensors(self.network(**dict(zip(inputs, values, strict=True)), **named))
            return tuple(found[name] for name in outputs)

    return ByPosition().eval()
