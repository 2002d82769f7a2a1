"""Build a tiny checkpoint of a registry entry and save it as a published one is saved."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hf_tests import dependencies
from hf_tests.probe import classes
from hf_tests.probe.tiny import derived, images, processors, shrink, sounds, vocabulary
from hf_tests.registry import Model

PLAIN_SPREAD = 0.02
"""Spread with which a Conv1D of transformers begins, where no configuration gives it another."""

CONSTANT_NOISE = 0.02
"""Spread added to parameters that are initialised to one constant: a bias of zeros would hide
that it is never added."""

POSITIONS = "position"
"""In the names of parameters that stand for places."""

STATISTICS_BATCH = 8  # images


def build(model: Model, folder: Path, seed: int = 0) -> None:
    """Write the model's tiny checkpoint into the empty ``folder``.

    The same entry, seed and transformers version give the same bytes, in however many threads the
    process computes. Raises what the library raises: NotImplementedError for a class that it does
    not have, ValueError for a configuration that it refuses.
    """
    from transformers import AutoConfig

    # Classes of composed configurations take their arguments apart.
    published = AutoConfig.for_model(model.model_type, **copy.deepcopy(dict(model.config)))
    config_class, values = type(published), published.to_dict()
    derived.drop(values, model.config)
    values = shrink.shrink(values, model.shrink)
    with _seeded(seed):
        tokenizer = processors.build_tokenizer(model, config_class, values, folder)
        made = processors.make(model, config_class, values, tokenizer)
        if tokenizer is not None:
            keep = frozenset(model.shrink.get("keep", ()))
            vocabulary.adopt(values, tokenizer, keep, made.whole)
        values["architectures"] = [model.class_name]
        network = _save_model(model, config_class, values, tokenizer, folder)
    made.save(network, folder)
    manifest = {
        "model": model.id,
        "class": model.class_name,
        "seed": seed,
        "transformers": dependencies.version("transformers"),
        "note": "random weights; a stand-in for no published checkpoint",
    }
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    (folder / "tiny.json").write_text(text, encoding="utf-8")


def _save_model(
    model: Model, config_class: Any, values: dict[str, Any], tokenizer: Any, folder: Path
) -> Any:
    import torch
    import transformers
    from transformers.pytorch_utils import Conv1D

    config = config_class.from_dict(copy.deepcopy(values))  # some take parts out of what they get
    network = classes.transformers_class(model.class_name)(config).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.is_floating_point() and parameter.numel() > 1 and parameter.std() == 0:
                # Places that are all alike until they are trained would hardly count so.
                is_place = POSITIONS in name and parameter.dim() > 1
                spread = shrink.INITIALIZER_RANGE if is_place else CONSTANT_NOISE
                parameter.add_(torch.randn_like(parameter) * spread)
        for module in network.modules():
            if isinstance(module, Conv1D) and module.weight.std() < 2 * PLAIN_SPREAD:
                module.weight.mul_(shrink.INITIALIZER_RANGE / PLAIN_SPREAD)
        _set_statistics(network, values)
        sounds.fill_codebooks(network)
        sounds.keep_loudness(network)
        for name, value in model.shrink.get("fill", {}).items():
            network.get_parameter(name).copy_(torch.tensor(value))
    if model.generation:
        entries = vocabulary.resolve(model.generation, tokenizer)
        settings = network.generation_config.to_dict() | entries
        # With it transformers 5 would write what follows from the model's configuration alone.
        settings.pop("_from_model_config", None)
        network.generation_config = transformers.GenerationConfig.from_dict(settings)
    network.save_pretrained(str(folder), safe_serialization=True)
    _name_type(model, folder / "config.json")
    return network


def _name_type(model: Model, path: Path) -> None:
    """Have a configuration say the type that auto-classes know it by: not every class says it."""
    values = json.loads(path.read_text(encoding="utf-8"))
    if values["model_type"] != model.model_type:
        values["model_type"] = model.model_type
        path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _set_statistics(network: Any, values: dict[str, Any]) -> None:
    """Give batch normalisations, in place, the statistics of drawn images, as training would.

    Those that they begin with leave of an image less from layer to layer, and after some dozens of
    layers nothing. A network that takes more than one image keeps them all the same; of one that
    takes a text first, its tower of images is given them.
    """
    import torch

    size = shrink.image_size(values) or (images.MIN_SIDE, images.MIN_SIDE)
    kinds = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)
    tower = next((part for part in network.modules() if _sees(part)), None)
    norms = [] if tower is None else [part for part in tower.modules() if isinstance(part, kinds)]
    if tower is None or not norms:
        return
    drawn = torch.randn(STATISTICS_BATCH, values.get("num_channels", 3), *size)
    for norm in norms:
        norm.momentum, norm.training = None, True  # the mean of all that is seen
    for given in (drawn, drawn.unflatten(0, (-1, 2))):  # images, or pairs of them
        with contextlib.suppress(TypeError, ValueError, RuntimeError):
            tower(pixel_values=given)
            break
    network.eval()


def _sees(part: Any) -> bool:
    """Whether a part of a network takes images, and nothing before them."""
    return getattr(part, "main_input_name", None) == "pixel_values"


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed torch for a block and give the process its own random state back afterwards.

    The block computes in one thread: sums that several share in are rounded otherwise.
    """
    import torch

    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.random.set_rng_state(state)
