# SPDX-License-Identifier: EUPL-1.2
"""The numbers by which firms, establishments, people and addresses are known, with their checks.

    kvk 8 digits        rsin 9 digits, 11-proof       lhn  9 digits (11-proof) L 2 digits
    vestiging 12        bsn  9 digits, 11-proof       btw  NL 9 digits B 2 digits, 11-proof or mod 97
    vnr 10              bag 16 digits, object type    oin 20 digits        postcode 1234AB
    persoon             a key derived from name and date of birth (sluis/persons)

A value is kept as text (leading zeros count) in one normal form, so equal subjects give equal
pseudonyms. An RSIN and a BSN share one number space: the type is part of the identifier.
The value of an `Identifier` is never in its repr nor in an error. Whether a number was ever
issued is not known here.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Self

from sluis.encoding import lp
from sluis.errors import Defect, InvalidInput


class IdentifierType(StrEnum):
    """Which register a number belongs to."""

    KVK = "kvk"
    VESTIGING = "vestiging"
    RSIN = "rsin"
    BSN = "bsn"
    LHN = "lhn"
    BTW = "btw"
    BAG = "bag"
    VNR = "vnr"
    OIN = "oin"
    POSTCODE = "postcode"
    PERSOON = "persoon"


_FORMS: Final = MappingProxyType(
    {
        IdentifierType.KVK: (re.compile(r"[0-9]{8}"), "8 digits are due"),
        IdentifierType.VESTIGING: (re.compile(r"[0-9]{12}"), "12 digits are due"),
        IdentifierType.RSIN: (re.compile(r"[0-9]{9}"), "9 digits are due"),
        IdentifierType.BSN: (re.compile(r"[0-9]{9}"), "9 digits are due"),
        IdentifierType.LHN: (re.compile(r"[0-9]{9}L[0-9]{2}"), "9 digits, L and 2 digits are due"),
        IdentifierType.BTW: (re.compile(r"NL[0-9]{9}B[0-9]{2}"), "NL, 9 digits, B and 2 digits are due"),
        IdentifierType.BAG: (re.compile(r"[0-9]{16}"), "16 digits are due"),
        IdentifierType.VNR: (re.compile(r"[0-9]{10}"), "10 digits are due"),
        IdentifierType.OIN: (re.compile(r"[0-9]{20}"), "20 digits are due"),
        IdentifierType.POSTCODE: (
            re.compile(r"[1-9][0-9]{3}(?!SA|SD|SS)[A-Z]{2}"),
            "4 digits and 2 letters are due",
        ),
        IdentifierType.PERSOON: (
            re.compile(r"[EPSGD]:[A-Za-z-]{1,190}:[0-9x]{8}"),
            "a key of sluis/persons is due",
        ),
    }
)
_WRITTEN_IN_CAPITALS: Final = frozenset({IdentifierType.LHN, IdentifierType.BTW, IdentifierType.POSTCODE})
# Residence, mooring, stand, building, address designation, public space.
_BAG_OBJECTS: Final = frozenset({"01", "02", "03", "10", "20", "30"})
_SHORT_BSN: Final = re.compile(r"[0-9]{8}")
_SPACED_POSTCODE: Final = re.compile(r"(.{4}) (.{2})")

_DIGITS: Final = re.compile(r"\d+")
# A full stop, a dash of any kind, a soft hyphen, a space of any kind; at most three in a row.
_GROUP_SEPARATOR: Final = re.compile("[.\\-\u00ad\u200b\u2010-\u2015\u2212\\s]{1,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """A well-formed identifier in normal form; the constructor takes no other.

    Raises InvalidInput `identifier-format` or `identifier-check`.
    """

    type: IdentifierType
    value: str = field(repr=False)

    def __post_init__(self) -> None:
        form, due = _FORMS[self.type]
        if not form.fullmatch(self.value):
            raise InvalidInput("identifier-format", due)
        if not _passes_check(self.type, self.value):
            raise InvalidInput("identifier-check")

    @classmethod
    def parse(cls, type: IdentifierType, text: str) -> Self:
        """Read an identifier as people write it.

        Takes off surrounding spaces; writes letters as capitals; puts the leading zero back on a BSN of
        eight digits; takes the space out of a postcode. Raises as the constructor does.
        """
        value = text.strip()
        if type in _WRITTEN_IN_CAPITALS and value.isascii():
            value = value.upper()
        if type is IdentifierType.BSN and _SHORT_BSN.fullmatch(value):
            value = "0" + value
        if type is IdentifierType.POSTCODE and (split := _SPACED_POSTCODE.fullmatch(value)):
            value = split[1] + split[2]
        return cls(type=type, value=value)

    def oprf_input(self) -> bytes:
        """Return the bytes that are pseudonymised: lp(type, value)."""
        if self.type is IdentifierType.POSTCODE:
            raise Defect("defect", "a postcode is not the subject of a signal")
        return lp(self.type, self.value)


class Oin(str):
    """The number of an organisation in the exchange: 20 digits, public.

    The register behind the first eight digits is not checked: the certificate proves who bears the number.
    """

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        """Take 20 digits. Raises InvalidInput `identifier-format`."""
        Identifier(type=IdentifierType.OIN, value=value)
        return super().__new__(cls, value)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an OIN, taking off surrounding spaces. Raises InvalidInput `identifier-format`."""
        return cls(text.strip())


def passes_eleven_proof(digits: str) -> bool:
    """Tell whether nine ASCII digits, not all zero, pass the weighted sum 9..2,-1 modulo 11."""
    if len(digits) != 9 or not (digits.isascii() and digits.isdigit()) or digits == "000000000":
        return False
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=True)) % 11 == 0


def find_hidden_identifiers(text: str) -> list[tuple[int, int]]:
    """Find what may be a citizen service number in free text: spans (start, end), which may overlap.

    Nine digits that pass the 11-proof, in one group or in several split by dots, dashes or spaces
    (`9999.90.019`). A group counts whole, so nine digits out of ten are not a hit. Any script's digits count.
    """
    groups = [match.span() for match in _DIGITS.finditer(text)]
    return [span for first in range(len(groups)) if (span := _nine_digits(text, groups, first))]


def _nine_digits(text: str, groups: list[tuple[int, int]], first: int) -> tuple[int, int] | None:
    start, previous_end = groups[first]
    digits = ""
    for begin, end in groups[first : first + 9]:
        if begin != start and not _GROUP_SEPARATOR.fullmatch(text, previous_end, begin):
            return None
        if len(digits) + end - begin > 9:
            return None
        digits += "".join(str(int(digit)) for digit in text[begin:end])
        if len(digits) == 9:
            return (start, end) if passes_eleven_proof(digits) else None
        previous_end = end
    return None


def _passes_check(type: IdentifierType, value: str) -> bool:
    match type:
        case IdentifierType.RSIN | IdentifierType.BSN:
            return passes_eleven_proof(value)
        case IdentifierType.LHN:
            return passes_eleven_proof(value[:9])
        case IdentifierType.BTW:
            # A legal person's holds its RSIN; since 2020 a sole trader's holds no BSN but passes mod 97-10.
            return passes_eleven_proof(value[2:11]) or _mod_97(value) == 1
        case IdentifierType.BAG:
            return value[4:6] in _BAG_OBJECTS
        case _:
            return True


def _mod_97(value: str) -> int:
    # ISO 7064: A counts as 10, B as 11 ... Z as 35.
    return int("".join(str(int(character, 36)) for character in value)) % 97
