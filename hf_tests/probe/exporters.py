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
from hf_tests.probe.tasks.forced_pass import with_other_tokens

OPTIMUM, CONVERT_MODEL = "optimum-intel", "openvino.convert_model"
"""Names of the two paths."""

TRACED, EXPORTED = "torch.jit.trace", "torch.export"
FIXED, RECORDED = "torch.jit.trace with fixed sizes", "make_fx"
"""The forms in which the second takes a torch model: the first that serves, in this order."""

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

    A model that ``torch.jit.trace`` cannot follow is given as the program of ``torch.export``, or
    where that cannot free its sizes either, as the operations that ``make_fx`` has seen. With
    ``is_one_pass`` false it generates: always from torch.export, since a trace keeps the length of
    its sample; its graph has no cache, and reads the whole text anew for each token.
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

        network = self._task.part(reference.load(self._checkpoint, self._job))
        _spell_out_experts(network)
        if self._is_one_pass:
            for config in _configurations(network):
                if getattr(config, "use_cache", False):
                    # Not every network has an argument for it.
                    config.use_cache = False
        with torch.no_grad():
            arguments, settings, names = self._call(network)
            module = _by_position(network, tuple(arguments), settings, names, self._tensors)
            values = tuple(arguments.values())
            graph, program, kept = self._graph(module, values)
        for operation in graph.get_ops():
            if SEED in operation.get_attributes():
                operation.set_attribute(SEED, 1)
        openvino.save_model(graph, str(folder / GRAPH), compress_to_fp16=False)
        given = list(arguments)
        return {"inputs": [given[place] for place in kept], "outputs": names, "program": program}

    def _graph(self, module: Any, values: tuple[Any, ...]) -> tuple[Any, str, Sequence[int]]:
        """The graph from the first form of the model that gives one, and the form's name.

        Beside them the places of the values that the graph has inputs for. Where no form gives one
        the error of torch.export counts, which keeps the least of the sample.
        """
        import openvino

        def traced() -> tuple[Any, Sequence[int]]:
            return openvino.convert_model(module, example_input=values), range(len(values))

        def exported() -> tuple[Any, Sequence[int]]:
            return _of_program(_exported(module, values, bool(self._job.batch_sizes)))

        def fixed() -> tuple[Any, Sequence[int]]:
            with _plain_sizes():
                return traced()

        def recorded() -> tuple[Any, Sequence[int]]:
            return _of_program(_recorded(module, values))

        forms = {TRACED: traced, EXPORTED: exported, FIXED: fixed, RECORDED: recorded}
        if not self._is_one_pass:
            forms = {EXPORTED: exported}
        refused: dict[str, Exception] = {}
        for name, form in forms.items():
            try:
                graph, kept = form()
                return graph, name, kept
            except Exception as error:  # noqa: BLE001 - it raises what the model's code does
                refused[name] = error
        raise refused[EXPORTED] from refused.get(TRACED)

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
        made = Converted if self._is_one_pass else _generating()
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
        generation_config: Any,
        device: str,
        properties: dict[str, str],
    ) -> None:
        import torch
        from transformers import GenerationConfig

        self.config, self.device = config, torch.device("cpu")
        self.generation_config = generation_config or GenerationConfig.from_model_config(config)
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
        dtype = torch.float32

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            # One graph reads the whole text anew, whatever is published of caches.
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


def _parameters(network: Any) -> Collection[str]:
    return inspect.signature(network.forward).parameters


def _exported(module: Any, values: tuple[Any, ...], in_batches: bool) -> Any:
    """The module as a program of torch.export, of any size where the model's code leaves it free.

    A size of 1 is taken as fixed. So where ``in_batches``, the sample is doubled along its first
    dimension; only there, since not every model's inputs are a batch.
    """
    import torch

    if in_batches:
        values = tuple(torch.cat([value, value]) for value in values)
    sizes = tuple(dict.fromkeys(range(value.dim()), torch.export.Dim.AUTO) for value in values)
    # Distributions ask whether their parameters are allowed, and a program knows no values.
    torch.distributions.Distribution.set_default_validate_args(False)
    try:
        return torch.export.export(module, values, dynamic_shapes=(sizes,), strict=False)
    finally:
        torch.distributions.Distribution.set_default_validate_args(__debug__)


def _of_program(program: Any) -> tuple[Any, Sequence[int]]:
    """A program's graph, which has no input for what nothing reads; the places of those it has."""
    import openvino

    graph = openvino.convert_model(program)
    names = {item.get_friendly_name() for item in graph.get_parameters()}
    given = program.graph_signature.user_inputs
    kept = [place for place, name in enumerate(given) if name in names]
    if len(kept) != len(names):
        raise RuntimeError(f"the graph's inputs {sorted(names)} are not among {given}")
    return graph, kept


def _plain_sizes() -> Any:
    """A context in which a tensor's sizes are numbers while it is traced, as they are otherwise.

    Code that asks whether a size is a tensor cannot be traced else; the graph keeps them.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    shape, size = torch.Tensor.shape.__get__, torch.Tensor.size

    class PlainSizes(TorchFunctionMode):  # type: ignore[misc]
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            found = func(*args, **(kwargs or {}))
            if func not in (shape, size):
                return found
            return torch.Size(map(int, found)) if isinstance(found, tuple) else int(found)

    return PlainSizes()


def _recorded(module: Any, values: tuple[Any, ...]) -> Any:
    """The operations that the module does on these values, as a program of these sizes alone.

    What the model's code has read out of tensors to choose its way is fixed too.
    """
    import torch
    from torch.fx.experimental.proxy_tensor import make_fx

    record = make_fx(module, pre_dispatch=True, _error_on_data_dependent_ops=False)
    return torch.export.export(record(*values), values, strict=False)


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
