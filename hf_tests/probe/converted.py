"""A graph of OpenVINO's that is called as the torch model is from which it was made."""

from __future__ import annotations

from typing import Any


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


def generating() -> type[Converted]:
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
