"""Write into registry.json as a text: all that is not new stays as it was, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 100  # columns
INDENT = 2
FAMILY_DEPTH, MODEL_DEPTH = 2, 4  # of the braces around a family's and a model's key


def with_model(text: str, family: str, model_id: str, entry: Mapping[str, Any]) -> str:
    """The registry's text with one more model at the end of a family's.

    Raises KeyError where the family is not there, ValueError where the model is.
    """
    return _with_member(text, ("families", family, "models"), model_id, entry, MODEL_DEPTH)


def with_family(text: str, family: str, block: Mapping[str, Any]) -> str:
    """The registry's text with one more family at its end. Raises ValueError where it is there."""
    return _with_member(text, ("families",), family, block, FAMILY_DEPTH)


def _with_member(text: str, path: Sequence[str], name: str, value: Any, depth: int) -> str:
    start, end = _skip_space(text, 0), len(text)
    for key in path:
        start, end = _members(text, start)[key]
    members = _members(text, start)
    if name in members:
        raise ValueError(f"{name!r} is there already")
    last = max((stop for _, stop in members.values()), default=start + 1)
    space = " " * INDENT * depth
    new = f"\n{space}{json.dumps(name)}: {_spread(value, INDENT * depth)}"
    closing = text[last:end] if members else f"\n{space[INDENT:]}}}"
    return text[:last] + ("," if members else "") + new + closing + text[end:]


def _members(text: str, start: int) -> dict[str, tuple[int, int]]:
    """Where the values of an object that begins at ``start`` stand: first character, one past."""
    decoder = json.JSONDecoder()
    found: dict[str, tuple[int, int]] = {}
    place = _skip_space(text, start + 1)
    while text[place] != "}":
        key, place = decoder.raw_decode(text, place)
        begin = _skip_space(text, _skip_space(text, place) + 1)
        _, place = decoder.raw_decode(text, begin)
        found[key] = (begin, place)
        place = _skip_space(text, place)
        if text[place] == ",":
            place = _skip_space(text, place + 1)
    return found


def _skip_space(text: str, place: int) -> int:
    while text[place].isspace():
        place += 1
    return place


def _spread(members: Mapping[str, Any], indent: int) -> str:
    """An object with a line or more for each member, and so each of its ``models``."""
    space = " " * (indent + INDENT)
    lines = []
    for key, value in members.items():
        head = f"{space}{json.dumps(key, ensure_ascii=False)}: "
        if key == "models":
            inner = indent + 2 * INDENT
            entries = [
                f"{' ' * inner}{json.dumps(name)}: {_spread(entry, inner)}"
                for name, entry in value.items()
            ]
            lines.append(f"{head}{{\n" + ",\n".join(entries) + f"\n{space}}}")
        else:
            lines.append(head + _form(value, indent + INDENT, len(head)))
    return "{\n" + ",\n".join(lines) + f"\n{' ' * indent}}}"


def _form(value: Any, indent: int, used: int) -> str:
    """JSON that is one line where it fits, behind ``used`` characters, and else fills lines."""
    line = json.dumps(value, ensure_ascii=False)
    if not value or used + len(line) + 1 <= WIDTH:
        return line
    inner = indent + INDENT
    if isinstance(value, Mapping):
        heads = [f"{json.dumps(key, ensure_ascii=False)}: " for key in value]
        parts = [
            head + _form(item, inner, inner + len(head))
            for head, item in zip(heads, value.values(), strict=True)
        ]
        left, right = "{}"
    elif isinstance(value, (list, tuple)):
        parts = [_form(item, inner, inner) for item in value]
        left, right = "[]"
    else:
        return line
    return f"{left}\n{_filled(parts, ' ' * inner)}\n{' ' * indent}{right}"


def _filled(parts: Sequence[str], space: str) -> str:
    """Parts that are one line each fill lines; one of several lines has lines of its own."""
    lines: list[str] = []
    for part in parts:
        fits = lines and "\n" not in part and "\n" not in lines[-1]
        if fits and len(space) + len(lines[-1]) + len(part) + 3 <= WIDTH:
            lines[-1] += f", {part}"
        else:
            lines.append(part)
    return space + f",\n{space}".join(lines)
