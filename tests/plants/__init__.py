"""Faults planted into a loaded model, one or more for each property that a family asks of it."""

from __future__ import annotations

from tests.plants import image_text, images, numbers, sounds, text
from tests.plants.base import Plant

PLANTS: dict[str, dict[str, Plant]] = {
    **image_text.PLANTS,
    **images.PLANTS,
    **numbers.PLANTS,
    **sounds.PLANTS,
    **text.PLANTS,
}
"""A defect for each property of the families' default models."""
