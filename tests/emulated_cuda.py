"""CUDA where there is no GPU: tensors that say they are on one, and are computed by the processor.

Emulated is what a caller can see of a GPU: which tensors may meet in one operation, that numpy
cannot read them, what ``torch.cuda`` refuses (a device without a number, figures before CUDA has
begun), its events and its figures of memory. No kernel of a GPU is run, so nothing is said of its
speed, its rounding or its own faults.

`install` changes the torch of this process for good; it is for processes that do nothing else. In
those of a whole run the file ``sitecustomize.py`` does it that `write_customization` writes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

TAKE_INDICES_OF_THE_CPU = frozenset(
    {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}
)
"""Operations that a tensor on a GPU does with indices that are not there."""

COPIES = frozenset({"copy_", "_to_copy", "set_"})
"""Operations of tensors that may be anywhere."""

COMPOSED: frozenset[Any] = frozenset(
    {
        torch.nn.functional.one_hot,
        torch.nn.functional.scaled_dot_product_attention,
        torch.nn.functional.multi_head_attention_forward,
        torch._C._nn.pad_sequence,
    }
)
"""Functions that make tensors of their own inside, on the device that they believe to be on."""

GROUPED: Any = getattr(torch.nn.functional, "grouped_mm", object())

DRAW = ("rand", "normal", "bernoulli", "multinomial", "poisson")
"""How the names of functions begin that draw random numbers."""

MIB = 1 << 20
PEAK_ALLOCATED, PEAK_RESERVED = 3 * MIB, 5 * MIB
"""What every job's figures of memory say."""


class OnGpu(torch.Tensor):  # type: ignore[misc]
    """A tensor on a GPU; ``inner`` is the one that is computed with, on the processor.

    To torch's own code it is on the processor, or that would ask a driver; to Python's it is not.
    """

    inner: Any
    place: Any

    @staticmethod
    def __new__(cls: Any, inner: Any, place: Any) -> Any:
        """A wrapper of the size and dtype of what it holds."""
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            layout=inner.layout,
            device="cpu",
            requires_grad=inner.requires_grad,
        )
        made.inner, made.place = inner, place
        return made

    device = property(lambda self: self.place)
    is_cuda = property(lambda self: True)
    is_cpu = property(lambda self: False)

    def get_device(self) -> int:
        """The number of its GPU."""
        return int(self.place.index)

    def __deepcopy__(self, memo: Any) -> Any:
        return OnGpu(self.inner.clone(), self.place)

    def __repr__(self, **options: Any) -> str:
        return f"OnGpu({self.inner!r}, {self.place})"

    # Modules put their parameters there in place where a tensor can be taken apart.
    def __tensor_flatten__(self) -> tuple[list[str], Any]:
        return ["inner"], self.place

    @staticmethod
    def __tensor_unflatten__(inner: Mapping[str, Any], place: Any, size: Any, stride: Any) -> Any:
        return OnGpu(inner["inner"], place)

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs, tensor = kwargs or {}, torch.Tensor
        if func is tensor.tolist:
            return args[0].inner.tolist()
        if func in (tensor.numpy, tensor.__array__):
            raise TypeError(
                f"can't convert {args[0].place} device type tensor to numpy. Use Tensor.cpu() to "
                "copy the tensor to host memory first."
            )
        if func in (tensor.data_ptr, tensor.untyped_storage):
            return getattr(args[0].inner, func.__name__)()
        if func is tensor.__setitem__ and isinstance(args[0], OnGpu):
            args[0].inner[_inner(args[1])] = _inner(args[2])
            return None
        if func is torch.histc:  # of whole numbers, which the processor does not count
            found = torch.histc(args[0].inner.float(), *args[1:], **kwargs)
            return OnGpu(found.to(args[0].dtype), args[0].place)
        if func in (torch.conj, tensor.conj):  # not as a mark on the tensor, which would be lost
            return OnGpu(torch.conj_physical(args[0].inner), args[0].place)
        if func is GROUPED:
            place = _common_place("grouped_mm", args, kwargs)
            return OnGpu(_grouped_product(*_inner(tuple(args)), **_inner(kwargs)), place)
        if func in COMPOSED:
            place = _common_place("a composed function", args, kwargs)
            return _placed(func(*_inner(args), **_inner(kwargs)), place)
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **kwargs)

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = func.__name__.partition(".")[0]
        place = _common_place(name, args, kwargs)
        if torch.Tag.nondeterministic_seeded in func.tags:
            made = _drawn(place, lambda: func(*_inner(tuple(args)), **_inner(kwargs)))
        else:
            made = func(*_inner(tuple(args)), **_inner(kwargs))
        if name == "_local_scalar_dense":
            return made
        if name == "copy_":
            return args[0]
        changed = _changed(func, args, kwargs)
        if not changed:
            return _placed(made, place)
        # What was changed in place is the very tensor that was given.
        results = made if isinstance(made, (tuple, list)) else (made,)
        given = iter(changed)
        returned = [
            next(given) if result.alias_info is not None else _placed(value, place)
            for result, value in zip(func._schema.returns, results, strict=False)
        ]
        return returned[0] if len(returned) == 1 else tuple(returned) or None


def _drawn(place: Any, draw: Callable[[], Any]) -> Any:
    """What a function draws of a GPU's random numbers, which are others for the same seed."""
    generator = torch.cuda.default_generators[place.index]
    with torch._C.DisableTorchFunction():
        before = torch.get_rng_state()
        torch.set_rng_state(generator.get_state())
        torch.rand(1)
    made = draw()
    with torch._C.DisableTorchFunction():
        generator.set_state(torch.get_rng_state())
        torch.set_rng_state(before)
    return made


def _grouped_product(rows: Any, matrices: Any, offs: Any) -> Any:
    """`torch.nn.functional.grouped_mm`, whose version for the processor wants aligned sizes."""
    ends = offs.tolist()
    starts = [0, *ends[:-1]]
    parts = [rows[a:b] @ matrix for a, b, matrix in zip(starts, ends, matrices, strict=True)]
    return torch.cat(parts)


def _changed(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """The arguments that an operation changes in place."""
    found = []
    for place, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = args[place] if place < len(args) else kwargs.get(argument.name)
            found += [] if value is None else [value]
    return found


def _tensors(*trees: Any) -> list[Any]:
    return [item for item in tree_flatten(trees)[0] if isinstance(item, torch.Tensor)]


def _inner(tree: Any) -> Any:
    return tree_map(lambda item: item.inner if isinstance(item, OnGpu) else item, tree)


def _placed(tree: Any, place: Any) -> Any:
    def put(item: Any) -> Any:
        is_plain = isinstance(item, torch.Tensor) and not isinstance(item, OnGpu)
        return OnGpu(item, place) if is_plain else item

    return tree_map(put, tree)


def _common_place(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """The GPU that all tensors are on. Raises RuntimeError as torch does where they are not.

    A single number may come from the processor, and so may none.
    """
    found = _tensors(args, kwargs)
    places = [item.place for item in found if isinstance(item, OnGpu)]
    others = [item for item in found if not isinstance(item, OnGpu) and item.dim() and item.numel()]
    if name in TAKE_INDICES_OF_THE_CPU and isinstance(found[0], OnGpu):
        others = [item for item in others if item.is_floating_point()]
    if name not in COPIES and (others or len(set(places)) > 1):
        other = others[0].device if others else next(item for item in places if item != places[0])
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two devices, "
            f"{places[0]} and {other}! (in {name})"
        )
    return places[0]


def _place(device: Any) -> Any:
    """The GPU that a device names, with its number; None for another device or none."""
    if isinstance(device, int) and not isinstance(device, bool):
        return torch.device("cuda", device)
    if isinstance(device, str) and device.startswith("cuda"):
        device = torch.device(device)
    if not isinstance(device, torch.device) or device.type != "cuda":
        return None
    return torch.device("cuda", device.index or 0)


def _is_cpu(device: Any) -> bool:
    return device == "cpu" or (isinstance(device, torch.device) and device.type == "cpu")


def _moved(tensor: Any, place: Any, dtype: Any, keywords: Mapping[str, Any]) -> Any:
    """The tensor on a GPU, or on the processor where the place is None, in that dtype."""
    inner = _inner(tensor)
    with torch._C.DisableTorchFunction():
        new = inner.to(dtype, **keywords) if dtype is not None or keywords else inner
        if getattr(tensor, "place", None) == place:
            if new is inner:
                return tensor
        elif new is inner:
            new = inner.clone()
    return new if place is None else OnGpu(new, place)


class _Functions(TorchFunctionMode):  # type: ignore[misc]
    """Everything that takes a device."""

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        tensor = torch.Tensor
        if func is tensor.to:
            return _to(args[0], list(args[1:]), kwargs)
        if func is tensor.type_as:
            return _moved(args[0], getattr(args[1], "place", None), args[1].dtype, {})
        if func is tensor.cuda:
            return _moved(args[0], _place(args[1] if len(args) > 1 else "cuda"), None, {})
        if func is tensor.cpu:
            return _moved(args[0], None, None, {})
        if func in (torch.tensor, torch.as_tensor):
            return _made(func, args, kwargs)
        if func is tensor.new_tensor:
            return _made(
                torch.tensor,
                args[1:],
                {"device": args[0].device, "dtype": args[0].dtype, **kwargs},
            )
        place = _place(kwargs.get("device"))
        if place is not None:
            kwargs["device"] = torch.device("cpu")
            if func.__name__.startswith(DRAW):
                return _placed(_drawn(place, lambda: _inner(func(*args, **kwargs))), place)
            return _placed(_inner(func(*args, **kwargs)), place)
        if _is_cpu(kwargs.get("device")):
            return _inner(func(*args, **kwargs))
        return func(*args, **kwargs)


def _to(tensor: Any, rest: list[Any], kwargs: dict[str, Any]) -> Any:
    """`torch.Tensor.to` in all its forms."""
    kwargs.pop("non_blocking", None)
    place, dtype = getattr(tensor, "place", None), kwargs.pop("dtype", None)
    for value in (*rest, kwargs.pop("device", None)):
        if isinstance(value, torch.Tensor):
            place, dtype = getattr(value, "place", None), value.dtype
        elif isinstance(value, torch.dtype):
            dtype = value
        elif _is_cpu(value):
            place = None
        elif isinstance(value, (str, torch.device)) and _place(value) is None:
            with torch._C.DisableTorchFunction():  # to a device that holds no values at all
                return _inner(tensor).to(value, dtype, **kwargs)
        else:
            place = _place(value) or place
    return _moved(tensor, place, dtype, kwargs)


def _made(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """`torch.tensor` and `torch.as_tensor`, also of numbers that are on a GPU."""
    data = args[0] if args else kwargs.pop("data")
    device = kwargs.pop("device", None)
    place = _place(device)
    if func is torch.as_tensor and isinstance(data, torch.Tensor):
        if device is None:
            place = getattr(data, "place", None)
        dtype = kwargs.get("dtype") or next((a for a in args[1:] if a is not None), None)
        return _moved(data, place, dtype, {})
    if place is None and device is not None:
        kwargs["device"] = device
    with torch._C.DisableTorchFunction():
        made = func(_numbers(data), *args[1:], **kwargs)
    return made if place is None else OnGpu(made, place)


def _numbers(data: Any) -> Any:
    if type(data) in (list, tuple):
        return type(data)(map(_numbers, data))
    return _inner(data)


class _Event:
    """A moment in the queue of a GPU that has none."""

    def __init__(self, enable_timing: bool = False) -> None:
        self._time: float | None = None

    def record(self, stream: Any = None) -> None:
        """Now."""
        self._time = time.perf_counter()

    def elapsed_time(self, other: _Event) -> float:
        """Milliseconds until another."""
        assert self._time is not None and other._time is not None
        return 1000 * (other._time - self._time)


def install(count: int = 1) -> None:
    """Give this process so many GPUs. CUDA has not begun before something asks it to."""
    begun: list[bool] = []

    def begin() -> None:
        begun[:] = [True]

    def demand(number: int) -> None:
        if not begun or not 0 <= number < count:
            raise RuntimeError("Invalid device argument ")

    def choose(number: int) -> None:
        begin()
        demand(number)

    def figures(number: int) -> dict[str, Any]:
        demand(number)
        return {
            "allocated_bytes": {"all": {"peak": PEAK_ALLOCATED}},
            "reserved_bytes": {"all": {"peak": PEAK_RESERVED}},
        }

    def capability(device: Any = None) -> tuple[int, int]:
        return (9, 0)

    functions: dict[str, Callable[..., Any]] = {
        "init": begin,
        "_lazy_init": begin,
        "is_initialized": lambda: bool(begun),
        "_is_compiled": lambda: True,
        "is_available": lambda: True,
        "is_bf16_supported": lambda *arguments, **options: True,
        "device_count": lambda: count,
        "_exchange_device": lambda number: 0,
        "_maybe_exchange_device": lambda number: 0,
        "get_device_name": lambda device=None: "an emulated GPU",
        "get_device_capability": capability,
        "Event": _Event,
    }
    for name, function in functions.items():
        setattr(torch.cuda, name, function)
    # Its own modules have taken these by name.
    torch.cuda.memory.is_initialized = functions["is_initialized"]
    torch.cuda.random._lazy_init = begin
    torch.cuda.default_generators = tuple(torch.Generator() for _ in range(count))
    primitives: dict[str, Callable[..., Any]] = {
        "_cuda_getDevice": lambda: 0,
        "_cuda_setDevice": choose,
        "_cuda_synchronize": lambda: None,
        "_cuda_emptyCache": lambda: None,
        "_cuda_resetPeakMemoryStats": demand,
        "_cuda_memoryStats": figures,
    }
    for name, function in primitives.items():
        setattr(torch._C, name, function)
    torch.backends.cudnn.enabled = False  # its recurrent networks are no sum of other operations
    # Wrapped tensors know nothing of the mode that forgets how they came to be.
    torch.inference_mode = torch.no_grad
    _Functions().__enter__()


CUSTOMIZATION = """
import importlib.abc, importlib.util, sys

class Emulating(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "torch":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def then_install(module):
            execute(module)
            from tests import emulated_cuda
            emulated_cuda.install({count})

        spec.loader.exec_module = then_install
        return spec

sys.meta_path.insert(0, Emulating())
"""

DRIVER = """#!/bin/sh
case "$*" in
  *memory.used*) row=", 3" ;;
  *driver_version*) row=", an emulated GPU, 1000, 0.0" ;;
  *) exit 1 ;;
esac
for number in $(seq 0 {last}); do echo "$number, GPU-$number$row"; done
"""


def write_customization(folder: Path, count: int) -> dict[str, str]:
    """The variables of a run whose processes have so many GPUs, by files in the folder."""
    (folder / "sitecustomize.py").write_text(CUSTOMIZATION.format(count=count))
    tool = folder / "nvidia-smi"
    tool.write_text(DRIVER.format(last=count - 1))
    tool.chmod(0o755)
    return {"PYTHONPATH": str(folder), "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
