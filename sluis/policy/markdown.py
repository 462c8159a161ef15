# SPDX-License-Identifier: EUPL-1.2
"""Markdown (CommonMark with tables) from texts that nobody checked: whatever they hold, they stay text.

`text` is for use within a line; a `Markdown` is what has been made safe, so that it is never escaped twice.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NewType

Markdown = NewType("Markdown", str)

# What begins emphasis, code, a link, an image, HTML, an entity, a cell, strike-through, mathematics or a heading.
_SPECIAL = re.compile(r"[\\`*_\[\]<>|~&$#]")
# What begins a list or a rule at the start of a line: `-`, `+`, `=`, `1.` and `1)`.
_LIST = re.compile(r"^([0-9]*)([-+=.)])")
# What readers turn into links by themselves.
_AUTOLINK = re.compile(r"(?i)(?<=www)\.|:(?=//)|@")


def text(words: str) -> Markdown:
    """Text within a line: no mark-up, no line break; runs of white space become one space."""
    line = " ".join("".join(char if char.isprintable() else " " for char in words).split())
    line = _SPECIAL.sub(_escaped, line)
    line = _AUTOLINK.sub(_escaped, line)
    return Markdown(_LIST.sub(r"\1\\\2", line))


def _escaped(match: re.Match[str]) -> str:
    return f"\\{match[0]}"


def link(label: Markdown, target: str) -> Markdown:
    """A link. The target must be a plain address or anchor: no space, bracket or angle bracket."""
    if not re.fullmatch(r"[A-Za-z0-9:/#&=.?_-]+", target):
        raise ValueError("this is no target for a link")
    return Markdown(f"[{label}]({target})")


def strong(label: Markdown) -> Markdown:
    """Bold."""
    return Markdown(f"**{label}**")


def small(label: Markdown) -> Markdown:
    """A line in small print."""
    return Markdown(f"<sub>{label}</sub>")


def code(word: str) -> Markdown:
    """An identifier as it stands in the rules; only for words without back-ticks."""
    if not re.fullmatch(r"[A-Za-z0-9._:/(),&= -]+", word):
        return text(word)
    return Markdown(f"`{word}`")


def joined(parts: Iterable[str], separator: str) -> Markdown:
    """Pieces of Markdown one after the other."""
    return Markdown(separator.join(parts))


def box(heading: Markdown, words: Markdown) -> Markdown:
    """A warning that stands apart."""
    return Markdown(f"> {strong(heading)} {words}")


def bullets(items: Iterable[Markdown]) -> Markdown:
    """A list."""
    return joined((f"- {item}" for item in items), "\n")


def numbered(items: Iterable[Sequence[Markdown]]) -> Markdown:
    """A numbered list; what follows the first sentence of an item stands below it."""
    lines: list[str] = []
    for number, (first, *rest) in enumerate(items, start=1):
        indent = " " * len(f"{number}. ")
        lines.append(f"{number}. {first}")
        lines += [f"{indent}- {line}" for line in rest]
    return joined(lines, "\n")


def table(heading: Sequence[Markdown], rows: Iterable[Sequence[Markdown]]) -> Markdown:
    """A table; a row must have as many cells as the heading."""
    lines = [_row(heading), "|" + "---|" * len(heading)]
    for row in rows:
        if len(row) != len(heading):
            raise ValueError("a row has as many cells as the heading")
        lines.append(_row(row))
    return joined(lines, "\n")


def _row(cells: Sequence[Markdown]) -> str:
    return f"| {' | '.join(cells)} |"


def page(parts: Iterable[Markdown]) -> str:
    """Blocks with an empty line between them, and a line end at the end."""
    return "\n\n".join(part for part in parts if part) + "\n"
