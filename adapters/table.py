# SPDX-License-Identifier: EUPL-1.2
"""Reading a semicolon-separated table strictly, row by row, in bounded memory.

    header;in;any order        UTF-8 with or without BOM, LF or CRLF, RFC 4180 quotes
    cell;"a ; in a cell";      cells are trimmed; blank lines are no rows; other columns are ignored

A file that is no such table, is empty or lacks a column is refused whole, by an error. A wrong row is
a `RowProblem` and the others go on. Lines are those of the file, the header being line 1, and a row
is known by the line where it starts. No message repeats what stands in a cell.
Python's csv module is not used: its limit on a cell is one per process, and it takes lone CRs and NULs.
"""

import io
import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Generic, TypeVar

from sluis.errors import Defect, InvalidInput, NotFound

MAX_ROW: Final = 64 * 1024  # bytes on one line, characters over all lines of a row
_BOM: Final = b"\xef\xbb\xbf"
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")  # a CR without LF among them

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProblem:
    """Why a row was not accepted: the line where it starts, the column, a code of `sluis.errors`."""

    line: int
    column: str
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFile(Generic[T]):
    """What came of a file. Every row is accepted, a duplicate of an accepted one, or rejected."""

    rows: int
    accepted: tuple[T, ...]
    duplicates: int
    rejected: tuple[RowProblem, ...]
    ignored_columns: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.rows != len(self.accepted) + self.duplicates + len(self.rejected):
            raise Defect("defect", "the counts of a parsed file do not add up")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the right shape: trimmed text by the name of its column."""

    line: int
    cells: Mapping[str, str]


def parse_table(
    source: Path | bytes,
    columns: Sequence[str],
    parse_row: Callable[[Row], T],
    key: Callable[[T], Hashable],
) -> ParsedFile[T]:
    """Parse every row; two rows with an equal `key` are one.

    `parse_row` raises InvalidInput with `where` set to the column. Raises InvalidInput `file-empty`,
    `file-encoding`, `file-not-csv` or `column-missing`, and NotFound `file-not-found`.
    """
    accepted: list[T] = []
    rejected: list[RowProblem] = []
    seen: set[Hashable] = set()
    rows = 0
    table = _Table(source, columns)
    for line, cells in table.rows():
        rows += 1
        try:
            parsed = parse_row(Row(line=line, cells=table.by_name(cells)))
        except InvalidInput as error:
            rejected.append(RowProblem(line=line, column=error.where, code=error.code, message=error.message))
            continue
        if key(parsed) not in seen:
            seen.add(key(parsed))
            accepted.append(parsed)
    return ParsedFile(
        rows=rows,
        accepted=tuple(accepted),
        duplicates=rows - len(accepted) - len(rejected),
        rejected=tuple(rejected),
        ignored_columns=table.ignored_columns,
    )


class _Table:
    """A header that was read and checked, and the rows that follow it."""

    def __init__(self, source: Path | bytes, columns: Sequence[str]) -> None:
        self._rows = _read_rows(source)
        first = next(self._rows, None)
        if first is None:
            raise InvalidInput("file-empty")
        header = first[1]
        _check_header(header, columns)
        self._width = len(header)
        self._places = {name: header.index(name) for name in columns}
        self.ignored_columns = tuple(name for name in header if name not in columns)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each row after the header with its line."""
        return self._rows

    def by_name(self, cells: list[str]) -> dict[str, str]:
        """Name the cells. Raises InvalidInput `row-shape`."""
        if len(cells) != self._width:
            raise InvalidInput("row-shape", f"{self._width} columns are due, this row has {len(cells)}")
        return {name: cells[place] for name, place in self._places.items()}


def _check_header(header: list[str], columns: Sequence[str]) -> None:
    named = [name for name in header if name]
    if len(set(named)) != len(named):
        raise InvalidInput("file-not-csv", "the header names a column twice")
    missing = [name for name in columns if name not in header]
    if len(header) == 1 and missing == list(columns):
        raise InvalidInput("file-not-csv", "the first line is not a header with semicolons")
    if missing:
        names = ", ".join(f"`{name}`" for name in missing)
        raise InvalidInput("column-missing", f"the header lacks {names}")


def _read_rows(source: Path | bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, trimmed cells) for every row that is not blank, the header among them."""
    lines = _read_lines(source)
    for line, text in lines:
        if not text.strip():
            continue
        cells = _QuotedRow(line, text, lines).cells() if '"' in text else text.split(";")
        yield line, [cell.strip() for cell in cells]


class _QuotedRow:
    """A row with quotes, which may run over several lines. Each character is looked at once."""

    def __init__(self, line: int, text: str, lines: Iterator[tuple[int, str]]) -> None:
        self._line = line
        self._text = text
        self._lines = lines
        self._at = 0
        self._size = len(text)

    def cells(self) -> list[str]:
        """Split the row. Raises InvalidInput `file-not-csv` when its quotes make no sense."""
        cells = []
        while True:
            quoted = self._text.startswith('"', self._at)
            cell = self._quoted() if quoted else ""
            semicolon = self._text.find(";", self._at)
            end = len(self._text) if semicolon < 0 else semicolon
            rest = self._text[self._at : end]
            if quoted and rest.strip():
                raise _not_csv(self._line, "has text after a closing quote")
            # RFC 4180 knows no quote inside an unquoted cell: there it stands for itself.
            cells.append(cell + rest)
            if semicolon < 0:
                return cells
            self._at = semicolon + 1

    def _quoted(self) -> str:
        parts = []
        self._at += 1
        while True:
            quote = self._text.find('"', self._at)
            if quote < 0:
                parts.append(self._text[self._at :])
                self._next_line()
                continue
            parts.append(self._text[self._at : quote])
            self._at = quote + 1
            if not self._text.startswith('"', self._at):
                return "".join(parts)
            parts.append('"')
            self._at += 1

    def _next_line(self) -> None:
        _, text = next(self._lines, (0, ""))
        if not text:
            raise _not_csv(self._line, "opens a quote that is never closed")
        self._size += len(text)
        if self._size > MAX_ROW:
            raise _not_csv(self._line, f"starts a row of more than {MAX_ROW} characters")
        self._text, self._at = text, 0


def _read_lines(source: Path | bytes) -> Iterator[tuple[int, str]]:
    """Yield (line, text with its line end), each checked to be text."""
    number = 0
    try:
        with _open(source) as stream:
            while raw := stream.readline(MAX_ROW + 1):
                number += 1
                if len(raw) > MAX_ROW:
                    raise _not_csv(number, f"is longer than {MAX_ROW} bytes")
                yield number, _decode(raw.removeprefix(_BOM) if number == 1 else raw, number)
    except (OSError, ValueError):  # ValueError: a NUL in the path
        raise NotFound("file-not-found") from None


def _open(source: Path | bytes) -> BinaryIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _decode(raw: bytes, line: int) -> str:
    try:
        text = raw.decode().replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise InvalidInput("file-encoding", f"line {line} is not UTF-8 text") from None
    if _CONTROL.search(text):
        raise _not_csv(line, "holds a control character")
    return text


def _not_csv(line: int, what: str) -> InvalidInput:
    return InvalidInput("file-not-csv", f"line {line} {what}")
