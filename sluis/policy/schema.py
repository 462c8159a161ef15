# SPDX-License-Identifier: EUPL-1.2
"""What entries of rule and catalogue files are made of: a frozen model that refuses unknown keys.

Scalars arrive as text (`sluis.policy.yaml_strict`); a type reads exactly one way of writing:
whole numbers `0` or `12` (no `012`, `0o14`, `1_000`), dates `2026-07-01`, periods `P5Y`, `P6M`, `P30D`.
"""

import re
from contextlib import suppress
from datetime import date
from functools import lru_cache
from typing import Annotated, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    ValidationError,
)

from sluis.policy.yaml_strict import Document

_WHOLE = re.compile(r"0|[1-9][0-9]{0,6}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PERIOD = re.compile(r"P([1-9][0-9]{0,4})([YMD])")
_DAYS = {"Y": 365, "M": 30, "D": 1}


class Entry(BaseModel):
    """An entry of a file: immutable, and every key must be known."""

    model_config = ConfigDict(frozen=True, extra="forbid")


EntryType = TypeVar("EntryType", bound=Entry)


def _whole(value: object) -> int:
    if not isinstance(value, str) or not _WHOLE.fullmatch(value):
        raise ValueError("a whole number such as `2` is due")
    return int(value)


@lru_cache(maxsize=1024)  # requests and rules name the same few days over and over
def read_date(text: str) -> date:
    """Read YYYY-MM-DD and nothing else. Raises ValueError."""
    if _DATE.fullmatch(text):
        with suppress(ValueError):
            return date.fromisoformat(text)
    raise ValueError("a date such as `2026-07-01` is due")


def _date(value: object) -> date:
    if not isinstance(value, str):
        raise ValueError("a date such as `2026-07-01` is due")
    return read_date(value)


def _period(value: str) -> str:
    if not _PERIOD.fullmatch(value):
        raise ValueError("a period such as `P5Y`, `P6M` or `P30D` is due")
    return value


def once(value: object) -> object:
    """Insist on a list of words without repetition; a validator to run before the type's own."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError("a list of words is due")
    if len(set(value)) != len(value):
        raise ValueError("the list holds a word twice")
    return value


def period_days(period: str) -> int:
    """The length of a period in days, to compare periods with each other (a year 365, a month 30)."""
    match = _PERIOD.fullmatch(period)
    if match is None:
        raise ValueError("a period such as `P5Y`, `P6M` or `P30D` is due")
    return int(match[1]) * _DAYS[match[2]]


WholeNumber = Annotated[int, BeforeValidator(_whole)]
IsoDate = Annotated[date, BeforeValidator(_date)]
Period = Annotated[str, AfterValidator(_period)]
Prose = Annotated[str, StringConstraints(min_length=1, max_length=4000, strip_whitespace=True)]
Term = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{2,39}$")]
Terms = Annotated[frozenset[str], BeforeValidator(once)]
Sequence = Annotated[tuple[str, ...], BeforeValidator(once)]


class Labelled(Entry):
    """A word with its meaning in both languages."""

    dutch: Prose
    english: Prose


def read(document: Document, model: type[EntryType]) -> EntryType:
    """Read a document as `model`. Raises InvalidInput `malformed-rule` with file, line and key."""
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        path = tuple(first["loc"])
        key = ".".join(str(step) for step in path) or "file"
        problem = PROBLEMS.get(first["type"], first["msg"].removeprefix("Value error, "))
        raise document.refusal(f"`{key}`: {problem[:1].lower()}{problem[1:]}", path) from None


PROBLEMS = {
    "extra_forbidden": "this key is not known here",
    "missing": "this key is missing",
    "model_type": "keys and values are due here",
    "string_type": "text is due here",
    "dict_type": "keys and values are due here",
    "tuple_type": "a list is due here",
}
