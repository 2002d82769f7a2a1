"""Small labelled sets of our own, for what a model with real weights should know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

FACTS = (
    ("The capital of France is {mask}.", "paris"),
    ("The capital of Italy is {mask}.", "rome"),
    ("The capital of Germany is {mask}.", "berlin"),
    ("The capital of Japan is {mask}.", "tokyo"),
    ("The capital of Russia is {mask}.", "moscow"),
    ("Madrid is the capital of {mask}.", "spain"),
    ("Cairo is the capital of {mask}.", "egypt"),
    ("Beijing is the capital of {mask}.", "china"),
    ("Two plus two is {mask}.", "four"),
    ("The opposite of hot is {mask}.", "cold"),
    ("The opposite of black is {mask}.", "white"),
    ("Winter, spring, summer and {mask} are the four seasons.", "autumn"),
    ("The day after Monday is {mask}.", "tuesday"),
    ("The month before February is {mask}.", "january"),
    ("A week has seven {mask}.", "days"),
    ("An hour has sixty {mask}.", "minutes"),
    ("The earth goes round the {mask}.", "sun"),
    ("Fish live in the {mask}.", "water"),
    ("A king's wife is called a {mask}.", "queen"),
    ("My mother's brother is my {mask}.", "uncle"),
    ("Bees make {mask}.", "honey"),
    ("We see with our eyes and hear with our {mask}.", "ears"),
    ("Shakespeare wrote Romeo and {mask}.", "juliet"),
    ("Snow is cold and {mask}.", "white"),
)
"""Sentences with a word left out, and that word in small letters."""

TEXT = (
    "The old lighthouse stood at the end of the harbour wall, where the wind never rested. Every "
    "evening the keeper climbed the stairs, lit the lamp and looked out over the water. Fishing "
    "boats came home one after the other, and behind them the sky turned from yellow to grey. When "
    "the last of them was safe, he wrote the time and the weather into his book. In winter the "
    "waves reached the lower windows, and nobody came to see him for weeks. He did not mind. He "
    "had his books, his stove and a small radio, and he knew that somebody out there was looking "
    "for his light."
)
"""A short text in plain English that nobody has published elsewhere."""

COLOURS = {
    "red": (210, 30, 30),
    "green": (30, 150, 50),
    "blue": (30, 60, 210),
    "yellow": (240, 210, 20),
}
SHAPES = ("circle", "square", "triangle")
SIZE = 224  # pixels
MARGIN = 56  # around a shape


def drawings() -> Iterator[tuple[str, Any]]:
    """Each shape in each colour on white, as a PIL image in RGB, with its label before it."""
    from PIL import Image, ImageDraw

    low, high = MARGIN, SIZE - MARGIN
    for colour, value in COLOURS.items():
        for shape in SHAPES:
            picture = Image.new("RGB", (SIZE, SIZE), (255, 255, 255))
            draw = ImageDraw.Draw(picture)
            if shape == "circle":
                draw.ellipse((low, low, high, high), fill=value)
            elif shape == "square":
                draw.rectangle((low, low, high, high), fill=value)
            else:
                draw.polygon(((low, high), (high, high), (SIZE // 2, low)), fill=value)
            yield f"a {colour} {shape}", picture
