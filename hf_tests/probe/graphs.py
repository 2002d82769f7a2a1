"""A torch model as a graph of OpenVINO's, by the first form of it that ``convert_model`` takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

TRACED, EXPORTED = "torch.jit.trace", "torch.export"
FIXED, EXPORTED_FIXED = "torch.jit.trace with fixed sizes", "torch.export with fixed sizes"
RECORDED = "make_fx"
"""The forms, which are tried in this order."""


def convert(
    module: Any, values: tuple[Any, ...], *, is_of_any_length: bool, in_batches: bool
) -> tuple[Any, str, Sequence[int]]:
    """The graph of a module for inputs such as the values, and the name of the form that gave it.

    Beside them the places of the values that the graph has inputs for. Where it has to be one
    ``is_of_any_length``, only torch.export will do: a trace keeps the length of its sample;
    ``in_batches`` it takes batches of any size. Where no form gives one the error of torch.export
    counts, which keeps the least of the sample.
    """
    import openvino

    def traced() -> tuple[Any, Sequence[int]]:
        return openvino.convert_model(module, example_input=values), range(len(values))

    def exported() -> tuple[Any, Sequence[int]]:
        return _of_program(_exported(module, values, in_batches))

    def fixed() -> tuple[Any, Sequence[int]]:
        with _plain_sizes():
            return traced()

    def exported_fixed() -> tuple[Any, Sequence[int]]:
        return _of_program(_exported(module, values, is_fixed=True))

    def recorded() -> tuple[Any, Sequence[int]]:
        return _of_program(_recorded(module, values))

    forms = {
        TRACED: traced,
        EXPORTED: exported,
        FIXED: fixed,
        EXPORTED_FIXED: exported_fixed,
        RECORDED: recorded,
    }
    if is_of_any_length:
        forms = {EXPORTED: exported}
    refused: dict[str, Exception] = {}
    for name, form in forms.items():
        try:
            graph, kept = form()
            return graph, name, kept
        except Exception as error:  # noqa: BLE001 - it raises what the model's code does
            refused[name] = error
    raise refused[EXPORTED] from refused.get(TRACED)


def by_position(
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
    has_cache = "use_cache" in inspect.signature(network.forward).parameters
    named = {**({"use_cache": False} if has_cache else {}), **settings}

    class ByPosition(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *values: Any) -> tuple[Any, ...]:
            found = tensors(self.network(**dict(zip(inputs, values, strict=True)), **named))
            return tuple(found[name] for name in outputs)

    return ByPosition().eval()


def _exported(
    module: Any, values: tuple[Any, ...], in_batches: bool = False, *, is_fixed: bool = False
) -> Any:
    """The module as a program of torch.export, of any size where the model's code leaves it free.

    A size of 1 is taken as fixed. So where ``in_batches``, the sample is doubled along its first
    dimension; only there, since not every model's inputs are a batch. Where ``is_fixed`` it is a
    program for the values' sizes alone.
    """
    import torch

    if in_batches:
        values = tuple(torch.cat([value, value]) for value in values)
    # Said of each dimension: an earlier export has left its mark on the values.
    size = torch.export.Dim.STATIC if is_fixed else torch.export.Dim.AUTO
    sizes = tuple(dict.fromkeys(range(value.dim()), size) for value in values)
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
