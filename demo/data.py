# SPDX-License-Identifier: EUPL-1.2
"""Invented input files for the demo: `certified.csv` and `fines.csv`, the same for the same seed and day.

Every date is relative to `today`, so each outcome occurs whenever the demo runs: fines that may be sent;
fines on firms without a valid certificate, too old, or for a provision that is not listed; repeated rows;
and rows with each error that the file can hold. The BSNs are from the test range 9999.
`DemoData.canaries` are values that may show up in no byte at the broker or an evaluator.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Final

from adapters.certified_register import COLUMNS as CERTIFIED_COLUMNS
from adapters.fines import COLUMNS as FINE_COLUMNS
from demo import names
from demo.firms import Certificate, FirmMaker, Register, make_register
from sluis.identifiers import passes_eleven_proof

LISTED: Final = (("WML", "7"), ("WML", "7a"), ("WML", "13"), ("WML", "15"), ("WML", "18b(2)"))
LISTED_UNTIL_JULY_2026: Final = (
    ("Wav", "2(1)"),
    ("Wav", "2a"),
    ("Wav", "15"),
    ("Wav", "15a"),
    ("Waadi", "7a(1)"),
)
NEVER_LISTED: Final = ("WML", "8")
WORKER: Final = "Katarzyna Wisniewska-Kowalczyk"
MIN_FIRMS: Final = 200
MIN_FINES: Final = 100
# Eight digits also occur by chance in much hexadecimal text, so only a few KvK numbers are searched for.
_CANARY_KVKS: Final = 3
_CANARY_FIRMS_OF_EACH_KIND: Final = 7
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoData:
    """Where the files are, who certifies, and what must never leave the participants."""

    certified: Path
    fines: Path
    bodies: tuple[str, ...]
    canaries: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _FineRow:
    establishment: str
    law: str
    article: str
    count: int
    found_on: date
    decided_on: date

    def row(self) -> list[str]:
        found_on, decided_on = self.found_on.isoformat(), self.decided_on.isoformat()
        return [self.establishment, self.law, self.article, str(self.count), found_on, decided_on]


def write_demo_data(
    folder: Path, *, today: date, seed: int = 2026, firms: int = 3_000, fines: int = 400
) -> DemoData:
    """Write both files into a folder that exists; `firms` and `fines` count the rows, bad ones among them.

    `certified.csv` is as a spreadsheet saves it (BOM, CRLF), `fines.csv` as a script does (LF).
    """
    if firms < MIN_FIRMS or fines < MIN_FINES:
        raise ValueError(f"every outcome takes at least {MIN_FIRMS} firms and {MIN_FINES} fines")
    random = Random(seed)
    maker = FirmMaker(random, today)
    bsns = _test_bsns(random, 6)
    bad = _bad_certificates([maker.valid() for _ in range(19)], bsns)
    repeats = max(2, firms // 200)
    register = make_register(maker, random, today, firms - repeats - len(bad))
    certified_rows = [certificate.row() for certificate in register.certificates]
    certified_rows += [certificate.row() for certificate in random.sample(register.certificates, repeats)]
    certified_rows += bad
    play = _Fines(random, today, register)
    unknown = [maker.valid() for _ in range(max(10, fines // 12))]
    fine_rows = play.rows(fines, unknown, bsns)
    data = DemoData(
        certified=folder / "certified.csv",
        fines=folder / "fines.csv",
        bodies=names.BODIES,
        canaries=_canaries(play.shown, unknown, bsns),
    )
    for rows in (certified_rows, fine_rows):
        random.shuffle(rows)
    _write(data.certified, CERTIFIED_COLUMNS, certified_rows, encoding="utf-8-sig", line_end="\r\n")
    _write(data.fines, FINE_COLUMNS, fine_rows, encoding="utf-8", line_end="\n")
    return data


class _Fines:
    """Fines on the firms of a register; `shown` gathers some firms of each outcome, for the canaries."""

    def __init__(self, random: Random, today: date, register: Register) -> None:
        self._random = random
        self._today = today
        self._register = register
        self._oldest = _two_years_before(today)
        self.shown: list[Certificate] = []

    def rows(self, count: int, unknown: list[Certificate], bsns: Sequence[str]) -> list[list[str]]:
        """Make `count` rows of every outcome, in an order that shows nothing."""
        random = self._random
        fined = random.sample(self._register.valid, max(40, count // 2))
        lapsed = random.sample(self._register.not_valid, max(9, count // 14))
        bad = [row for firm in fined[:1] for row in self._bad(self._fine(firm), bsns)]
        repeats = max(2, count // 25)
        fines = [
            *(self._fine(firm) for firm in unknown),
            *(self._fine(firm) for firm in lapsed),
            *(self._too_old(firm) for firm in fined[-count // 12 :]),
            *(self._not_listed(firm) for firm in fined[-count // 6 : -count // 12]),
            *(self._fine(firm) for firm in self._register.certificates[:4]),  # the day's boundaries
            *self._on_the_boundary(fined[1]),
        ]
        while len(fines) < count - repeats - len(bad):
            fines.append(self._fine(random.choice(fined[: -count // 6])))
        again = [replace(fine, count=fine.count + 1) for fine in random.sample(fines, repeats)]
        for firms in (fined[:14], lapsed, fined[-count // 12 :], fined[-count // 6 : -count // 12]):
            self.shown += firms[:_CANARY_FIRMS_OF_EACH_KIND]
        return [*(fine.row() for fine in fines + again), *bad]

    def _fine(self, firm: Certificate) -> _FineRow:
        """Make a fine that may be sent when the firm has a valid certificate."""
        decided_on = self._today - timedelta(days=self._random.randint(0, 720))
        return self._decided(firm, self._random.choice(LISTED), decided_on)

    def _too_old(self, firm: Certificate) -> _FineRow:
        decided_on = self._oldest - timedelta(days=self._random.randint(1, 700))
        return self._decided(firm, self._random.choice(LISTED), decided_on)

    def _not_listed(self, firm: Certificate) -> _FineRow:
        provision = self._random.choice((*LISTED_UNTIL_JULY_2026, NEVER_LISTED))
        decided_on = self._today - timedelta(days=self._random.randint(0, 720))
        return self._decided(firm, provision, decided_on)

    def _on_the_boundary(self, firm: Certificate) -> list[_FineRow]:
        """Make fines decided today, on the last day that counts, and on the day before that."""
        days = (self._today, self._oldest, self._oldest - _DAY)
        first = [self._decided(firm, LISTED[0], day) for day in days]
        return [
            *first,
            *(self._decided(firm, p, self._today) for p in (*LISTED_UNTIL_JULY_2026, NEVER_LISTED)),
        ]

    def _decided(self, firm: Certificate, provision: tuple[str, str], decided_on: date) -> _FineRow:
        return _FineRow(
            establishment=firm.establishment,
            law=provision[0],
            article=provision[1],
            count=self._random.choice((1, 1, 1, 2, 2, 3, 4, 6, 11, 27)),
            found_on=decided_on - timedelta(days=self._random.randint(0, 240)),
            decided_on=decided_on,
        )

    def _bad(self, fine: _FineRow, bsns: Sequence[str]) -> list[list[str]]:
        """Spoil a good row in every way in which one can be spoilt."""
        tomorrow = (self._today + _DAY).isoformat()
        row = fine.row()
        return [
            *(_with(row, 0, text) for text in ("", fine.establishment[1:], bsns[0], f"NL{bsns[1]}B01")),
            *(_with(row, 1, text) for text in ("wml", "Arbeidstijdenwet")),
            *(_with(row, 2, text) for text in ("artikel 7", "18b lid 2")),
            *(_with(row, 3, text) for text in ("0", "-1", "2,5", "1000001", "drie")),
            *(_with(row, 4, text) for text in (f"{fine.found_on:%d-%m-%Y}", tomorrow)),
            *(_with(row, 5, text) for text in ("2026-02-30", "", tomorrow)),
            _with(row, 5, (fine.found_on - _DAY).isoformat()),
            row[:5],
            [*row, f"t.n.v. {WORKER}, BSN {bsns[2]}"],
        ]


def _bad_certificates(firms: list[Certificate], bsns: Sequence[str]) -> list[list[str]]:
    """Spoil good rows, one each, in every way in which one can be spoilt."""
    rows = [firm.row() for firm in firms]
    changes = [
        (0, ""),
        (1, ""),
        (3, ""),
        (8, ""),
        (0, f"{WORKER} (BSN {bsns[3]})"),
        (1, f"{firms[5].address}, t.a.v. {_grouped(bsns[4])}"),
        (2, "0123 AB"),
        (2, "3011 SS"),
        (4, bsns[5]),
        (4, rows[9][4][1:]),
        (5, rows[10][4]),
        (5, ""),
        (6, "01-01-2026"),
        (6, "2025-02-29"),
        (7, "onbepaald"),
        (7, (firms[15].valid_from - _DAY).isoformat()),
        (7, "2200-01-01"),
    ]
    bad = [_with(row, place, text) for row, (place, text) in zip(rows, changes, strict=False)]
    return [*bad, rows[17][:-1], [*rows[18], f"BSN bestuurder {bsns[0]}"]]


def _canaries(
    fined: Sequence[Certificate], unknown: Sequence[Certificate], bsns: Sequence[str]
) -> tuple[str, ...]:
    firms = [firm for firm in fined if firm.name.isascii() and '"' not in firm.name]
    planted = [
        *(firm.name for firm in firms),
        *(firm.establishment for firm in firms),
        *(firm.establishment for firm in unknown[:10]),
        *(firm.address for firm in firms if len(firm.address) >= 12),
        *(firm.kvk for firm in firms[:_CANARY_KVKS]),
        *bsns,
        _grouped(bsns[4]),
        WORKER,
    ]
    return tuple(dict.fromkeys(planted))


def _test_bsns(random: Random, count: int) -> list[str]:
    passing = [text for number in range(100_000) if passes_eleven_proof(text := f"9999{number:05}")]
    return random.sample(passing, count)


def _grouped(bsn: str) -> str:
    return f"{bsn[:4]}.{bsn[4:6]}.{bsn[6:]}"


def _with(row: list[str], place: int, text: str) -> list[str]:
    return [*row[:place], text, *row[place + 1 :]]


def _two_years_before(day: date) -> date:
    if (day.month, day.day) == (2, 29):
        return date(day.year - 2, 2, 28)
    return day.replace(year=day.year - 2)


def _write(
    path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]], *, encoding: str, line_end: str
) -> None:
    with path.open("w", encoding=encoding, newline="") as stream:
        writer = csv.writer(stream, delimiter=";", lineterminator=line_end)
        writer.writerow(columns)
        writer.writerows(rows)
