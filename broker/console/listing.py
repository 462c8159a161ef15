# SPDX-License-Identifier: EUPL-1.2
"""A list on a page, and its twins as CSV (RFC 4180), JSON, and JSON Lines (an object a line).

A spreadsheet takes a cell that begins with = + - or @ for a formula. Participants choose some of our texts, so
such a cell gets an apostrophe in front, which a spreadsheet shows as nothing and never computes.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

Cell: TypeAlias = "str | int | datetime | None"

# The full-width forms too, which some spreadsheets take for the narrow ones.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "|")


class Kind(StrEnum):
    """How a cell is shown."""

    TEXT = "text"
    NUMBER = "number"
    MOMENT = "moment"
    PARTY = "party"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: the key of its cells, which is also its name in the twins, and the text key of its heading."""

    key: str
    heading: str
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Rows with a cell for each column; a row's `href`, when it has one, leads to its own page."""

    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Cell]]
    older: str = ""  # the address of the next portion; empty at the end

    def json(self) -> bytes:
        """Write the rows as JSON."""
        return json.dumps({"rows": list(self._objects())}, ensure_ascii=False, indent=1).encode() + b"\n"

    def jsonl(self) -> bytes:
        """Write each row as JSON on a line of its own."""
        lines = (json.dumps(row, ensure_ascii=False) for row in self._objects())
        return "".join(f"{line}\n" for line in lines).encode()

    def _objects(self) -> Iterator[dict[str, str | int | None]]:
        for row in self.rows:
            yield {column.key: _plain(row.get(column.key)) for column in self.columns}

    def csv(self) -> bytes:
        """Write the rows as RFC 4180, in UTF-8, with a header."""
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow([column.key for column in self.columns])
        for row in self.rows:
            writer.writerow([defused(_plain(row.get(column.key))) for column in self.columns])
        return out.getvalue().encode()


def defused(cell: str | int | None) -> str | int:
    """A cell that no spreadsheet computes."""
    if isinstance(cell, str) and cell.lstrip(" \u00a0\ufeff").startswith(_FORMULA):
        return "'" + cell
    return "" if cell is None else cell


def _plain(cell: Cell) -> str | int | None:
    return cell.isoformat().replace("+00:00", "Z") if isinstance(cell, datetime) else cell
