# SPDX-License-Identifier: EUPL-1.2
"""The fines of the Labour Inspectorate, `fines.csv`.

    vestigingsnr;wet;artikel;aantal;datum_constatering;datum_boetebeschikking
    099900123456;WML;18b(2);3;2026-02-10;2026-05-28

One row says that a fine was imposed on an establishment: for which provision, how many infringements,
when they were found and when the fine was decided (the fields of article 2:1(3) BAAI). No amount and
no worker. The same fine twice is one. Whether it may be sent is for the broker's rules.
"""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from adapters import cells
from adapters.table import ParsedFile, Row, parse_table
from sluis.errors import InvalidInput
from sluis.identifiers import Identifier, IdentifierType

COLUMNS: Final = (
    "vestigingsnr",
    "wet",
    "artikel",
    "aantal",
    "datum_constatering",
    "datum_boetebeschikking",
)
LAWS: Final = ("WML", "Wav", "Waadi")
# Number, up to two letters, and perhaps a paragraph: 7a, 18pa, 18b(2), 2(1a).
_ARTICLE: Final = re.compile(r"[1-9][0-9]{0,3}[a-z]{0,2}(?:\([1-9][0-9]?[a-z]?\))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fine:
    """One fine on one establishment; `line` is where it stands in the file."""

    line: int
    establishment: Identifier
    law: str
    article: str
    count: int
    found_on: date
    decided_on: date

    def __post_init__(self) -> None:
        if self.decided_on < self.found_on:
            raise InvalidInput("date-order", where="datum_boetebeschikking")

    @property
    def provision(self) -> str:
        """The provision as the rules name it, such as `WML 18b(2)`."""
        return f"{self.law} {self.article}"


def read_fines(source: Path | bytes, *, today: date) -> ParsedFile[Fine]:
    """Read the fines as they stand on `today`. Raises what `adapters.table.parse_table` raises."""

    def parse(row: Row) -> Fine:
        return _parse(row, today)

    return parse_table(source, COLUMNS, parse, _decision)


def _parse(row: Row, today: date) -> Fine:
    # In the order of the columns, so that the first wrong one is reported.
    return Fine(
        line=row.line,
        establishment=cells.identifier(row, "vestigingsnr", IdentifierType.VESTIGING),
        law=cells.one_of(row, "wet", LAWS),
        article=cells.in_form(row, "artikel", _ARTICLE),
        count=cells.whole_number(row, "aantal"),
        found_on=cells.past_date(row, "datum_constatering", today),
        decided_on=cells.past_date(row, "datum_boetebeschikking", today),
    )


def _decision(fine: Fine) -> tuple[str, str, date]:
    return fine.establishment.value, fine.provision, fine.decided_on
