# SPDX-License-Identifier: EUPL-1.2
"""Invented firms and their certificates, for `demo.data`.

Most certificates are valid today; some have lapsed, some are yet to begin, some firms were renewed or
went from one certification body to another. The first few stand on the boundary of a day.
KvK numbers start with 00 and establishment numbers with 0999, which no register has issued.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

from demo import names

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A row of `certified.csv`."""

    name: str
    address: str
    postcode: str
    city: str
    kvk: str
    establishment: str
    valid_from: date
    valid_until: date
    body: str

    def row(self) -> list[str]:
        """Return the cells in the order of the file."""
        return [
            self.name,
            self.address,
            self.postcode,
            self.city,
            self.kvk,
            self.establishment,
            self.valid_from.isoformat(),
            self.valid_until.isoformat(),
            self.body,
        ]


class FirmMaker:
    """Makes firms that differ in name, KvK number and establishment number."""

    def __init__(self, random: Random, today: date) -> None:
        self._random = random
        self._today = today
        self._used: set[str] = set()

    def valid(self) -> Certificate:
        """Make a firm with a certificate that holds today."""
        begun = self._random.randint(0, 1_000)
        return self._firm(begun, self._random.randint(0, 1_400))

    def lapsed(self) -> Certificate:
        """Make a firm whose only certificate has ended."""
        ended = self._random.randint(1, 700)
        return self._firm(ended + self._random.randint(365, 1_100), -ended)

    def future(self) -> Certificate:
        """Make a firm whose only certificate is yet to begin."""
        begins = self._random.randint(1, 90)
        return self._firm(-begins, begins + 1_095)

    def earlier(self, certificate: Certificate, *, moved: bool) -> Certificate:
        """Make the certificate that this one followed, at the same body or at another."""
        body = certificate.body
        if moved:
            body = self._random.choice([other for other in names.BODIES if other != body])
        ended = min(certificate.valid_from, self._today) - _DAY
        return replace(certificate, valid_from=ended - timedelta(days=1_094), valid_until=ended, body=body)

    def on_the_boundary(self) -> list[Certificate]:
        """Make firms whose certificate begins or ends today, ended yesterday or begins tomorrow."""
        return [self._firm(0, 1_094), self._firm(1_094, 0), self._firm(1_095, -1), self._firm(-1, 1_095)]

    def _firm(self, days_since_start: int, days_to_end: int) -> Certificate:
        random = self._random
        city, first, last = random.choice(names.PLACES)
        letters = "".join(random.choices(names.POSTCODE_LETTERS, k=2))
        if letters in ("SA", "SD", "SS"):
            letters = "AA"
        return Certificate(
            name=self._fresh(self._name),
            address=f"{random.choice(names.STREETS)} {random.randint(1, 480)}",
            postcode=f"{random.randint(first, last)} {letters}",
            city=city,
            kvk=self._fresh(lambda: f"00{random.randrange(1_000_000):06}"),
            establishment=self._fresh(lambda: f"0999{random.randrange(100_000_000):08}"),
            valid_from=self._today - timedelta(days=days_since_start),
            valid_until=self._today + timedelta(days=days_to_end),
            body=random.choice(names.BODIES),
        )

    def _name(self) -> str:
        random = self._random
        stem = random.choice(names.STEMS) + random.choice(names.GROUNDS).lower()
        return f"{stem} {random.choice(names.TRADES)} {random.choice(names.LEGAL_FORMS)}"

    def _fresh(self, make: Callable[[], str]) -> str:
        while (text := make()) in self._used:
            pass
        self._used.add(text)
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """The certificates of a register, and its firms by whether they have a valid one today."""

    certificates: tuple[Certificate, ...]
    valid: tuple[Certificate, ...]
    not_valid: tuple[Certificate, ...]


def make_register(maker: FirmMaker, random: Random, today: date, count: int) -> Register:
    """Make `count` certificates, somewhat fewer firms."""
    certificates = maker.on_the_boundary()
    # Names that need quotes in a CSV, or are no ASCII.
    for name in (
        'Uitzendbureau "De Wulp" B.V.',
        "Grutto; Zonen & Dochters V.O.F.",
        "Zeeëend Café-krachten B.V.",
    ):
        certificates.append(replace(maker.valid(), name=name))
    while len(certificates) < count:
        chance = random.random()
        if chance < 0.09:
            certificates.append(maker.lapsed())
        elif chance < 0.12:
            certificates.append(maker.future())
        else:
            certificate = maker.valid()
            certificates.append(certificate)
            if chance > 0.92 and len(certificates) < count:
                certificates.append(maker.earlier(certificate, moved=chance > 0.97))
    valid = {
        firm.establishment: firm for firm in certificates if firm.valid_from <= today <= firm.valid_until
    }
    return Register(
        certificates=tuple(certificates),
        valid=tuple(valid.values()),
        not_valid=tuple(firm for firm in certificates if firm.establishment not in valid),
    )
