# SPDX-License-Identifier: EUPL-1.2
"""Reading one cell of a row into a value of its type.

Every function takes the row and the column's name, and raises InvalidInput whose `where` is that
column. Only the canonical form is taken (dates YYYY-MM-DD, ASCII digits); no error repeats the cell.
"""

import re
from collections.abc import Collection
from datetime import date
from typing import Final

from adapters.table import Row
from sluis.errors import InvalidInput
from sluis.identifiers import Identifier, IdentifierType, find_hidden_identifiers

_DATE: Final = re.compile(r"(?:19|2[01])[0-9]{2}-[0-9]{2}-[0-9]{2}")  # the years 1900 to 2199
_NUMBER: Final = re.compile(r"[1-9][0-9]*")
MAX_NUMBER: Final = 1_000_000


def free_text(row: Row, column: str) -> str:
    """Read a text. Raises `column-missing` when empty, `hidden-identifier` when it may hold a BSN."""
    text = row.cells[column]
    if not text:
        raise InvalidInput("column-missing", f"`{column}` is empty", where=column)
    if find_hidden_identifiers(text):
        raise InvalidInput("hidden-identifier", where=column)
    return text


def identifier(row: Row, column: str, type: IdentifierType) -> Identifier:
    """Read an identifier. Raises `identifier-format` or `identifier-check`."""
    try:
        return Identifier.parse(type, row.cells[column])
    except InvalidInput as error:
        raise InvalidInput(error.code, error.message, where=column) from None


def iso_date(row: Row, column: str) -> date:
    """Read a date of the years 1900 to 2199. Raises `date-format`."""
    text = row.cells[column]
    if _DATE.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass  # no such day, as 30 February
    raise InvalidInput("date-format", where=column)


def past_date(row: Row, column: str, today: date) -> date:
    """Read a date that has come. Raises `date-format` or `date-future`."""
    day = iso_date(row, column)
    if day > today:
        raise InvalidInput("date-future", where=column)
    return day


def whole_number(row: Row, column: str) -> int:
    """Read a number from 1 to 1,000,000. Raises `number-format`."""
    text = row.cells[column]
    if not _NUMBER.fullmatch(text) or len(text) > len(str(MAX_NUMBER)) or int(text) > MAX_NUMBER:
        raise InvalidInput("number-format", f"a whole number from 1 to {MAX_NUMBER} is due", where=column)
    return int(text)


def one_of(row: Row, column: str, values: Collection[str]) -> str:
    """Read a word from a list. Raises `unknown-value`."""
    text = row.cells[column]
    if text not in values:
        raise InvalidInput("unknown-value", where=column)
    return text


def in_form(row: Row, column: str, form: re.Pattern[str]) -> str:
    """Read a word of a given form. Raises `unknown-value`."""
    text = row.cells[column]
    if not form.fullmatch(text):
        raise InvalidInput("unknown-value", where=column)
    return text
