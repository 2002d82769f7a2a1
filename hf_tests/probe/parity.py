"""Parity: how far outputs are from those of the float32 reference, and how far they may be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hf_tests.outcome import Parity
from hf_tests.probe.judge import WrongOutput, require

FEW = 32
"""Fewer values than these have no spread to speak of."""

MASKED = -1e4
"""Logits below it are the least number of a dtype, float16's too."""

LOGITS = "logits"
"""Outputs whose name begins so are scores of classes along their last axis."""


def compare(
    outputs: Mapping[str, Any],
    expected: Mapping[str, Any],
    tolerance: float,
    noise_floor: float | None = None,
    equal_tokens: float | None = None,
) -> Parity:
    """The figures of the worst of several named outputs, tensors of any shape.

    The normalised RMSE is 0 for equal outputs and 1 for those that are no better than the expected
    values' mean.
    """
    worst, name = 0.0, next(iter(expected), "")
    cosine, agreement = 1.0, None
    for key, wanted in expected.items():
        found = outputs.get(key)
        error = math.inf
        if found is not None and tuple(found.shape) == tuple(wanted.shape):
            error = nrmse(found, wanted)
        if found is None or math.isinf(error):
            return Parity(None, key, 0.0, None, tolerance, noise_floor, equal_tokens)
        if error > worst:
            worst, name = error, key
        cosine = min(cosine, _cosine(found, wanted))
        if key.startswith(LOGITS) and wanted.shape[-1] > 1:
            same = float((found.argmax(-1) == wanted.argmax(-1)).double().mean())
            agreement = same if agreement is None else min(agreement, same)
    return Parity(worst, name, cosine, agreement, tolerance, noise_floor, equal_tokens)


def of_reference(tolerance: float, noise_floor: float | None) -> Parity:
    """The figures of the reference itself: its noise floor, and nothing that it differs from."""
    return Parity(None, None, None, None, tolerance, noise_floor)


def demand(parity: Parity) -> None:
    """Raise WrongOutput where the figures are beyond their tolerance."""
    if parity.nrmse is None:
        raise WrongOutput(
            f"{parity.output} is not finite, or has another shape than the float32 reference's"
        )
    require(
        parity.nrmse <= parity.tolerance,
        f"{parity.output} differs from the float32 reference: normalised RMSE {parity.nrmse:.2g}, "
        f"tolerance {parity.tolerance:.2g}, cosine {parity.cosine:.4f}",
    )


def nrmse(found: Any, wanted: Any) -> float:
    """Root mean square error relative to the spread of the wanted values; infinite for NaN.

    The spread is their standard deviation, so that an offset which all share hides nothing; that of
    a few values may be small by chance, so there it is their root mean square.
    """
    found, wanted = _unmasked(found.double(), wanted.double())
    error = float((found - wanted).square().mean().sqrt())
    if not math.isfinite(error):
        return math.inf
    centre = wanted.mean() if wanted.numel() >= FEW else 0.0
    scale = float((wanted - centre).square().mean().sqrt())
    if scale == 0.0:
        return 0.0 if error == 0.0 else math.inf
    return error / scale


def _unmasked(found: Any, wanted: Any) -> tuple[Any, Any]:
    """The values without those that both have at what stands for minus infinity.

    So logits say of a token that it is never to be chosen; their spread would hide all others.
    """
    masked = (wanted < MASKED) & (found < MASKED)
    return (found[~masked], wanted[~masked]) if bool(masked.any()) else (found, wanted)


def _cosine(found: Any, wanted: Any) -> float:
    found, wanted = _unmasked(found.double().flatten(), wanted.double().flatten())
    norms = float(found.norm() * wanted.norm())
    value = float(found @ wanted) / norms if norms else 0.0
    return value if math.isfinite(value) else 0.0
