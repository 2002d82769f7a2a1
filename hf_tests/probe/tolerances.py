"""How far outputs may be from the float32 reference: one table, by dtype.

Rounding errors grow through a model by a factor of its own, nearly the same in every dtype. So what
a model makes of float32's roundings, measured against float64 on the same inputs (its noise floor),
tells what it will make of another dtype's: the noise floor times the ratio of the unit roundoffs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tolerance:
    """A multiple of the rounding error to be expected, within limits; normalised RMSE.

    ``most`` also holds where the noise floor is not known.
    """

    multiple: float
    least: float
    most: float


TF32 = "tf32"
"""What CUDA makes of float32 in convolutions, as torch asks it to by default, and in products of
matrices where it is told to: the range of float32 with the precision of float16.
https://docs.pytorch.org/docs/stable/notes/cuda.html#tensorfloat-32-tf32-on-ampere-and-later-devices
"""

ROUNDOFF_RATIO = {"float32": 1.0, TF32: 2.0**13, "float16": 2.0**13, "bfloat16": 2.0**16}
"""Unit roundoffs 2**-24, 2**-11, 2**-11 and 2**-8 (IEEE 754; bfloat16 has 8 bits of precision),
relative to that of float32."""

TOLERANCES = {
    "float32": Tolerance(8.0, 1e-5, 1e-3),
    TF32: Tolerance(1.0, 1e-3, 2e-2),
    "float16": Tolerance(1.0, 2e-3, 2e-2),
    "bfloat16": Tolerance(1.35, 1e-2, 1e-1),
}
ON_MPS = {"float32": Tolerance(8.0, 1e-4, 5e-3)}
"""Measured on this suite's tiny checkpoints (2 cores with AVX-512 BF16, torch 2.14, OpenVINO
2026.4), in multiples of the expected error. OpenVINO in float32 at most 1.6 (34 models). By torch
on the CPU, of 111 models: bfloat16 0.46 at the median and at most 1.26 (batch normalisation: its
statistics are rounded too, which float32's floor does not see), but for one at 1.46; float16 0.46
and at most 1.04. Four of the models are beyond these tolerances: that one, and three whose expected
error is above ``most``. Those of accelerators are not measured yet. TF32 has float16's, but that it
rounds only what it multiplies; Metal sums in another order, so float32 has more room there."""


def of_repeats(dtype: str, device: str) -> float:
    """How far the outputs for the same inputs may be apart, normalised RMSE; 0 on the processor.

    Kernels of an accelerator may add in another order each time, and these errors grow as all
    others do: https://docs.pytorch.org/docs/stable/notes/randomness.html.
    """
    if device.partition(":")[0] not in ("cuda", "mps"):
        return 0.0
    return TOLERANCES[dtype].least


def tolerance(dtype: str, device: str, noise_floor: float | None) -> float:
    """The tolerance for results in a dtype on a device, ``cuda:1`` like ``cuda``.

    Raises NotImplementedError for a dtype that the table does not have.
    """
    kind = device.partition(":")[0]
    if kind == "cuda" and dtype == "float32":
        dtype = TF32
    entry = TOLERANCES.get(dtype)
    if kind == "mps":
        entry = ON_MPS.get(dtype, entry)
    if entry is None:
        raise NotImplementedError(f"what {dtype} may differ from float32 by is not known")
    if noise_floor is None:
        return entry.most
    expected = noise_floor * ROUNDOFF_RATIO[dtype]
    return min(max(entry.multiple * expected, entry.least), entry.most)
