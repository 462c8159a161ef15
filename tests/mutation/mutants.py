# SPDX-License-Identifier: EUPL-1.2
"""Reads `mutants.txt`: for each mutant a line `@ module: name`, the text to replace, and what replaces it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mistake: in `broker/decide/<module>.py`, `right` becomes `wrong`."""

    name: str
    module: str
    right: str
    wrong: str


def read_mutants(text: str) -> Iterator[Mutant]:
    """Each mutant of a file."""
    for part in text.split("\n@ ")[1:]:
        head, *lines = part.splitlines()
        module, _, name = head.partition(": ")
        pieces = {sign: [line[2:] for line in lines if line.startswith(sign)] for sign in "-+"}
        yield Mutant(name, module, "\n".join(pieces["-"]), "\n".join(pieces["+"]))


MUTANTS = tuple(read_mutants(Path(__file__).with_name("mutants.txt").read_text("utf-8")))
