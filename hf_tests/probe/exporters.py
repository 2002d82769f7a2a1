"""What converts a model for OpenVINO: optimum-intel, or where it has no exporter, OpenVINO itself.

Each writes a folder and loads it again as a network that is called as the torch model is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from hf_tests import dependencies
from hf_tests.job import Job
from hf_tests.probe import classes, devices, graphs, reference, tasks
from hf_tests.probe.converted import Converted, generating
from hf_tests.probe.tasks.forced_pass import with_other_tokens

OPTIMUM, CONVERT_MODEL = "optimum-intel", "openvino.convert_model"
"""Names of the two paths."""

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


def optimum(
    job: Job, task: tasks.Task, checkpoint: str, properties: dict[str, str]
) -> Optimum | None:
    """optimum-intel's conversion of the job's model; None where it has none here.

    ``properties`` are OpenVINO's for running it.
    """
    if dependencies.unmet(["optimum-intel"]) or dependencies.unmet_by_optimum_intel():
        return None
    found = Optimum(job, task, checkpoint, properties)
    return found if found.lacks() is None else None


def generates(job: Job, task: tasks.Task) -> bool:
    """Whether what `ConvertModel` makes of the job's model can generate what the task asks for.

    What can is a graph of one text of any length, where the registry knows nothing against it.
    """
    no_loop = any(dependencies.applies(item.versions) for item in job.model.one_pass)
    return task.continues_its_input and not no_loop


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

    A model that ``torch.jit.trace`` cannot follow is given in another form (`graphs`). With
    ``is_one_pass`` false it generates: its graph has no cache, and reads the whole text anew for
    each token.
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
        is_one_pass: bool,
    ) -> None:
        self._job, self._task, self._checkpoint = job, task, checkpoint
        self._processor, self._inputs = processor, dict(inputs)
        self._properties, self._is_one_pass = properties, is_one_pass
        shapes = {name: [str(item.dtype), *item.shape] for name, item in self._inputs.items()}
        self.options = {
            "path": self.path,
            "class": job.model.class_name,
            "inputs": shapes,
            "batches": bool(job.batch_sizes),
        }

    def convert(self, folder: Path) -> Mapping[str, Any]:
        import openvino
        import torch

        network = self._task.part(reference.load(self._checkpoint, self._job), self._processor)
        _spell_out_experts(network)
        if self._is_one_pass:
            for config in _configurations(network):
                if getattr(config, "use_cache", False):
                    # Not every network has an argument for it.
                    config.use_cache = False
        with torch.no_grad():
            arguments, settings, names = self._call(network)
            module = graphs.by_position(network, tuple(arguments), settings, names, self._tensors)
            values = tuple(arguments.values())
            graph, program, kept = graphs.convert(
                module,
                values,
                is_of_any_length=not self._is_one_pass,
                in_batches=bool(self._job.batch_sizes),
            )
        for operation in graph.get_ops():
            if SEED in operation.get_attributes():
                operation.set_attribute(SEED, 1)
        openvino.save_model(graph, str(folder / GRAPH), compress_to_fp16=False)
        given = list(arguments)
        return {"inputs": [given[place] for place in kept], "outputs": names, "program": program}

    def _call(self, network: Any) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
        """The tensors by name that the network is given, what else, and what it returns by name."""
        import torch

        if not self._is_one_pass:
            return self._inputs, {}, ["logits"]
        call = _FirstCall(network)
        sample = with_other_tokens(self._inputs, self._processor)
        outputs = self._task.run(tasks.Subject(self._job.model, call, self._processor), sample)
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
        compared = self._task.compared(outputs) if self._is_one_pass else {}
        # Under two names a graph would return it twice, which not every converter takes.
        known = {id(value) for value in found.values()}
        return found | {name: value for name, value in compared.items() if id(value) not in known}

    def load(self, folder: Path, facts: Mapping[str, Any]) -> Any:
        import openvino
        from transformers import AutoConfig

        core = openvino.Core()
        made = Converted if self._is_one_pass else generating()
        return made(
            core,
            core.read_model(str(folder / GRAPH)),
            tuple(facts["inputs"]),
            tuple(facts["outputs"]),
            AutoConfig.from_pretrained(self._checkpoint, **classes.trust(self._job)),
            self._generation_config(),
            devices.openvino_name(self._job.device),
            self._properties,
        )

    def _generation_config(self) -> Any:
        """What is published of how it generates; None where nothing is."""
        from transformers import GenerationConfig

        try:
            return GenerationConfig.from_pretrained(self._checkpoint)
        except OSError:
            return None


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

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)


def _spell_out_experts(network: Any) -> None:
    """Have a mixture of experts computed by plain products of matrices, as transformers offers it.

    Its default is one fused operation of its own, which no converter knows.
    """
    choose_experts = getattr(network, "set_experts_implementation", None)
    if choose_experts is not None:
        choose_experts("batched_mm")


def _configurations(network: Any) -> list[Any]:
    """The configurations of a network and of its parts, of which some have copies of their own."""
    found = [getattr(module, "config", None) for module in network.modules()]
    found += [getattr(network.config, name, None) for name in network.config.sub_configs]
    return [config for config in found if config is not None]
