"""Sample inputs, made here and never fetched: an image drawn by Pillow, a waveform by numpy.

Texts stand with the task that asks them. Everything is deterministic.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

IMAGE_SIZE = (320, 240)  # pixels, width and height: neither square nor any model's own size
SAMPLING_RATE = 16_000  # Hz, which the speech models of transformers are made for
SECONDS = 2.0
POINT = (110, 120)  # inside the circle of `image`
BOX = (50, 60, 170, 180)  # around it: left, top, right, bottom


def image() -> Any:
    """A red circle and a blue square on a pale ground, as a PIL image in RGB."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", IMAGE_SIZE, (236, 236, 220))
    draw = ImageDraw.Draw(picture)
    draw.ellipse(BOX, fill=(200, 30, 30))
    draw.rectangle((200, 100, 290, 190), fill=(30, 60, 200))
    draw.line((0, 215, IMAGE_SIZE[0], 215), fill=(40, 120, 40), width=6)
    return picture


DOCUMENT = (
    ("Invoice", (60, 40, 300, 100)),
    ("Date:", (60, 200, 180, 240)),
    ("12", (220, 200, 280, 240)),
    ("March", (300, 200, 460, 240)),
    ("Paper", (60, 400, 220, 440)),
    ("9.50", (700, 400, 820, 440)),
    ("Ink", (60, 480, 150, 520)),
    ("31.00", (700, 480, 840, 520)),
    ("Total:", (500, 700, 660, 740)),
    ("40.50", (700, 700, 840, 740)),
)
"""Words of a page, and their boxes in thousandths of it: left, top, right, bottom."""

PAGE = 1000


def document() -> Any:
    """The page of `DOCUMENT`, as a PIL image in RGB."""
    from PIL import Image, ImageDraw

    width, height = IMAGE_SIZE
    picture = Image.new("RGB", IMAGE_SIZE, (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    for word, (left, top, _, _) in DOCUMENT:
        draw.text((left * width / PAGE, top * height / PAGE), word, fill=(20, 20, 20))
    return picture


def video(frames: int) -> list[Any]:
    """The circle of `image` rolls to the right, past a square that grows: PIL images in RGB."""
    from PIL import Image, ImageDraw

    found = []
    for index in range(frames):
        share = index / max(frames - 1, 1)
        picture = Image.new("RGB", IMAGE_SIZE, (236, 236, 220))
        draw = ImageDraw.Draw(picture)
        side = 30 + round(60 * share)
        draw.rectangle((200, 40, 200 + side, 40 + side), fill=(30, 60, 200))
        left = 20 + round(160 * share)
        draw.ellipse((left, 100, left + 100, 200), fill=(200, 30, 30))
        found.append(picture)
    return found


def waveform(seconds: float = SECONDS, rate: int = SAMPLING_RATE) -> Any:
    """A vowel-like sound that rises and falls: float32 in [-1, 1], shape (samples,).

    ``rate`` is that of its samples in Hz.
    """
    import numpy as np

    time = np.arange(int(seconds * rate)) / rate
    pitch = 140.0 + 40.0 * np.sin(2 * np.pi * 0.8 * time)  # Hz
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    voice = sum(np.sin(phase * harmonic) / harmonic for harmonic in range(1, 9))
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 3.0 * time)
    sound = voice * syllables
    return (0.8 * sound / np.abs(sound).max()).astype(np.float32)


def series(steps: int, channels: int = 1) -> Any:
    """Degrees of a winter that ends, hour by hour: float32, shape (steps, channels).

    A trend with a daily and a weekly season, below zero at first. Every channel has a level, a
    strength and a phase of its own.
    """
    import numpy as np

    hours = np.arange(steps)[:, None]
    place = np.arange(channels)[None, :]
    day = np.sin(2 * np.pi * hours / 24 + place) * (3.0 + place)
    week = np.cos(2 * np.pi * hours / 168 - place) * 2.0
    return (0.5 * place - 4.0 + 0.02 * hours + day + week).astype(np.float32)


def drawn(wanted: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Tensors by name, drawn alike each time: numbers, or integers where there is a limit."""
    import torch

    found: dict[str, Any] = {}
    for name, item in wanted.items():
        generator = torch.Generator().manual_seed(0)
        if "below" in item:
            found[name] = torch.randint(item["below"], item["shape"], generator=generator)
        else:
            found[name] = torch.randn(item["shape"], generator=generator)
    return found
