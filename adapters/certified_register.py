# SPDX-License-Identifier: EUPL-1.2
"""The list of certified firms, `certified.csv`, as SNA keeps it.

    naam;adres;postcode;plaats;kvk;vestigingsnr;certificaat_van;certificaat_tot;certificerende_instelling
    Roerdomp Flex B.V.;Kade 4;3011 AB;Rotterdam;00123456;099900123456;2025-03-01;2028-02-29;Noordster

These are the fields of article 2:1 BAAI. A certificate is valid on its first and its last day; it may
lie in the future. A firm has one row per certificate; the same certificate twice is one.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from adapters import cells
from adapters.table import ParsedFile, Row, parse_table
from sluis.errors import InvalidInput
from sluis.identifiers import Identifier, IdentifierType

COLUMNS: Final = (
    "naam",
    "adres",
    "postcode",
    "plaats",
    "kvk",
    "vestigingsnr",
    "certificaat_van",
    "certificaat_tot",
    "certificerende_instelling",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifiedFirm:
    """One certificate of one establishment; `line` is where it stands in the file."""

    line: int
    name: str
    address: str
    postcode: str
    city: str
    kvk: Identifier
    establishment: Identifier
    valid_from: date
    valid_until: date
    certified_by: str

    def __post_init__(self) -> None:
        if self.valid_until < self.valid_from:
            raise InvalidInput("date-order", where="certificaat_tot")

    def valid_on(self, day: date) -> bool:
        """Tell whether the certificate holds on this day."""
        return self.valid_from <= day <= self.valid_until


def read_certified(source: Path | bytes, *, today: date) -> ParsedFile[CertifiedFirm]:
    """Read the list. Raises what `adapters.table.parse_table` raises.

    `today` decides nothing here, as a certificate may lie in the past or future; every reader takes it.
    """
    del today
    return parse_table(source, COLUMNS, _parse, _certificate)


def _parse(row: Row) -> CertifiedFirm:
    # In the order of the columns, so that the first wrong one is reported.
    name = cells.free_text(row, "naam")
    address = cells.free_text(row, "adres")
    postcode = cells.identifier(row, "postcode", IdentifierType.POSTCODE).value
    city = cells.free_text(row, "plaats")
    kvk = cells.identifier(row, "kvk", IdentifierType.KVK)
    establishment = cells.identifier(row, "vestigingsnr", IdentifierType.VESTIGING)
    valid_from = cells.iso_date(row, "certificaat_van")
    valid_until = cells.iso_date(row, "certificaat_tot")
    if valid_until < valid_from:
        raise InvalidInput("date-order", where="certificaat_tot")
    certified_by = cells.free_text(row, "certificerende_instelling")
    return CertifiedFirm(
        line=row.line,
        name=name,
        address=address,
        postcode=postcode,
        city=city,
        kvk=kvk,
        establishment=establishment,
        valid_from=valid_from,
        valid_until=valid_until,
        certified_by=certified_by,
    )


def _certificate(firm: CertifiedFirm) -> tuple[str, date, date, str]:
    return firm.establishment.value, firm.valid_from, firm.valid_until, firm.certified_by
