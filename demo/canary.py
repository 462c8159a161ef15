# SPDX-License-Identifier: EUPL-1.2
"""The canary: search every byte that the broker, the evaluators and the witness stored, logged or received.

Each planted value is looked for as UTF-8, UTF-16, escaped JSON, hexadecimal (both cases) and base64 (three
alignments), in databases with their write-ahead logs, structured logs, and the wire taps. The participants' own
folders are not searched: they hold what is theirs.
"""

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

MIN_LENGTH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryReport:
    """How many values were planted, how many bytes were searched, and which values were found where."""

    planted: int
    searched: int
    found: tuple[str, ...]  # `file: encoding`, never the value


def search(values: Sequence[str], folders: Iterable[Path]) -> CanaryReport:
    """Search all files below the folders."""
    kept = [value for value in dict.fromkeys(values) if len(value) >= MIN_LENGTH]
    needles = [(kind, needle) for value in kept for kind, needle in encodings(value)]
    searched, found = 0, []
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            data = path.read_bytes()
            searched += len(data)
            found += [f"{path.name}: {kind}" for kind, needle in needles if needle in data]
    return CanaryReport(planted=len(kept), searched=searched, found=tuple(found))


def encodings(value: str) -> list[tuple[str, bytes]]:
    """The ways in which a value could stand in bytes."""
    plain = value.encode()
    shapes = [
        ("utf-8", plain),
        ("utf-16", value.encode("utf-16-le")),
        ("hex", plain.hex().encode()),
        ("HEX", plain.hex().upper().encode()),
    ]
    if (escaped := json.dumps(value)[1:-1].encode()) != plain:
        shapes.append(("json", escaped))
    for shift in range(3):
        # base64 of the value at each alignment, without the characters that its neighbours share
        encoded = base64.b64encode(b"\0" * shift + plain)
        start = (0, 2, 3)[shift]
        end = len(encoded) - (0, 3, 2)[(shift + len(plain)) % 3]
        if end - start >= MIN_LENGTH:
            shapes.append((f"base64+{shift}", encoded[start:end]))
    return shapes
