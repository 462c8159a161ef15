# SPDX-License-Identifier: EUPL-1.2
"""A second opinion: what a run must report, counted from the two CSV files alone.

Nothing of the product is imported and the rules are written out again from the agreement, so that a
mistake there does not repeat itself here. Slow and plain on purpose.
"""

import csv
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

CERTIFIED = [
    *("naam", "adres", "postcode", "plaats", "kvk", "vestigingsnr"),
    *("certificaat_van", "certificaat_tot", "certificerende_instelling"),
]
FINES = ["vestigingsnr", "wet", "artikel", "aantal", "datum_constatering", "datum_boetebeschikking"]

FROM_JULY_2026 = ["WML 7", "WML 7a", "WML 13", "WML 15", "WML 18b(2)"]
UNTIL_JUNE_2026 = [*FROM_JULY_2026, "Waadi 7a(1)", "Wav 2(1)", "Wav 2a", "Wav 15", "Wav 15a"]

DIGITS = "0123456789"
CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def count(certified: Path, fines: Path, today: date) -> dict[str, Any]:
    """Count everything that the report of a run must say."""
    register, certificates = tally(
        certified, CERTIFIED, certificate_fault, ("vestigingsnr", *CERTIFIED[6:]), today
    )
    key = ("vestigingsnr", "wet", "artikel", "datum_boetebeschikking")
    push, imposed = tally(fines, FINES, fine_fault, key, today)

    bodies_now: dict[str, set[str]] = {}
    for row in certificates:
        if row["certificaat_van"] <= today.isoformat() <= row["certificaat_tot"]:  # ISO dates sort as text
            bodies_now.setdefault(row["vestigingsnr"], set()).add(row["certificerende_instelling"])

    denied: dict[str, int] = {}
    fined = set()
    permitted = 0
    for row in imposed:
        reason = why_not(row, bodies_now, today)
        if reason:
            denied[reason] = denied.get(reason, 0) + 1
        else:
            permitted += 1
            fined.add(row["vestigingsnr"])

    clients = {(row["certificerende_instelling"], row["vestigingsnr"]) for row in certificates}
    hits = sum(1 for body, firm in clients if firm in fined and body in bodies_now.get(firm, ()))
    return {
        "register": register,
        "push": {**push, "permitted": permitted, "denied": denied},
        "match": {"asked": len(clients), "hits": hits, "misses": len(clients) - hits},
        "delivered": permitted,
    }


def why_not(fine: dict[str, str], bodies_now: dict[str, set[str]], today: date) -> str:
    """Give the first reason why this fine may not be sent, or nothing."""
    listed = FROM_JULY_2026 if today >= date(2026, 7, 1) else UNTIL_JUNE_2026
    if f"{fine['wet']} {fine['artikel']}" not in listed:
        return "PROVISION_NOT_LISTED"
    if fine["vestigingsnr"] not in bodies_now:
        return "NO_CERTIFICATE"
    leap_day = (today.month, today.day) == (2, 29)
    oldest = date(today.year - 2, today.month, 28 if leap_day else today.day)
    return "LOOKBACK" if fine["datum_boetebeschikking"] < oldest.isoformat() else ""


def tally(
    path: Path, columns: list[str], fault_of: Any, key: tuple[str, ...], today: date
) -> tuple[Any, Any]:
    """Read a file: the counts for the report, and the rows that count."""
    rows, duplicates, rejected, good, seen = 0, 0, [], [], set()
    with open(path, encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, delimiter=";")
        header = [name.strip() for name in next(reader)]
        before = reader.line_num
        for cells in reader:
            line, before = before + 1, reader.line_num
            if not cells or (len(cells) == 1 and not cells[0].strip()):
                continue
            rows += 1
            if len(cells) != len(header):
                rejected.append({"line": line, "column": "", "code": "row-shape"})
                continue
            row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
            column, code = fault_of(row, today)
            if code:
                rejected.append({"line": line, "column": column, "code": code})
            elif tuple(row[name] for name in key) in seen:
                duplicates += 1
            else:
                seen.add(tuple(row[name] for name in key))
                good.append(row)
    return {"rows": rows, "accepted": len(good), "duplicates": duplicates, "rejected": rejected}, good


def certificate_fault(row: dict[str, str], today: date) -> tuple[str, str]:
    """Give the first column that is wrong and its code, or two empty texts."""
    for column in CERTIFIED:
        text = row[column]
        code = ""
        if column in ("naam", "adres", "plaats", "certificerende_instelling"):
            code = "column-missing" if text == "" else "hidden-identifier" if holds_bsn(text) else ""
        elif column == "postcode":
            letters = text[4:].removeprefix(" ").upper()
            good = number(text[:4], 4) and text[0] != "0" and len(letters) == 2 and len(text) <= 7
            good = (
                good and all(letter in CAPITALS for letter in letters) and letters not in ("SA", "SD", "SS")
            )
            code = "" if good else "identifier-format"
        elif column == "kvk":
            code = "" if number(text, 8) else "identifier-format"
        elif column == "vestigingsnr":
            code = "" if number(text, 12) else "identifier-format"
        elif day(text) is None:
            code = "date-format"
        elif column == "certificaat_tot" and text < row["certificaat_van"]:
            code = "date-order"
        if code:
            return column, code
    return "", ""


def fine_fault(row: dict[str, str], today: date) -> tuple[str, str]:
    """Give the first column that is wrong and its code, or two empty texts."""
    if not number(row["vestigingsnr"], 12):
        return "vestigingsnr", "identifier-format"
    if row["wet"] not in ("WML", "Wav", "Waadi"):
        return "wet", "unknown-value"
    if not is_article(row["artikel"]):
        return "artikel", "unknown-value"
    amount = row["aantal"]
    if not number(amount, len(amount)) or amount[:1] in ("", "0") or int(amount[:9]) > 1_000_000:
        return "aantal", "number-format"
    for column in ("datum_constatering", "datum_boetebeschikking"):
        when = day(row[column])
        if when is None:
            return column, "date-format"
        if when > today:
            return column, "date-future"
    if row["datum_boetebeschikking"] < row["datum_constatering"]:
        return "datum_boetebeschikking", "date-order"
    return "", ""


def number(text: str, length: int) -> bool:
    """Is this exactly so many ASCII digits?"""
    return len(text) == length and all(character in DIGITS for character in text)


def day(text: str) -> date | None:
    """Read YYYY-MM-DD, from 1900 to 2199."""
    if len(text) != 10 or text[4] != "-" or text[7] != "-":
        return None
    parts = text.split("-")
    if len(parts) != 3 or not all(number(part, len(part)) for part in parts):
        return None
    try:
        when = date(*map(int, parts))
    except ValueError:
        return None
    return when if 1900 <= when.year <= 2199 else None


def is_article(text: str) -> bool:
    """Is this an article such as 7a, 18b(2) or 2(1a)?"""
    head, bracket, tail = text.partition("(")
    if bracket and (tail[-1:] != ")" or not is_numbered(tail[:-1], digits=2, letters=1)):
        return False
    return is_numbered(head, digits=4, letters=2)


def is_numbered(text: str, *, digits: int, letters: int) -> bool:
    """Is this some digits, not starting with a zero, and then some small letters?"""
    figure = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    return (
        number(figure, len(figure))
        and 1 <= len(figure) <= digits
        and figure[0] != "0"
        and len(text) - len(figure) <= letters
    )


def holds_bsn(text: str) -> bool:
    """Does the text hold nine digits, alone or in groups, that pass the 11-proof?"""
    # Cut the text into groups of digits and what stands between them.
    pieces: list[str] = [""]
    for character in text:
        if pieces[-1] and character.isdecimal() != pieces[-1][-1].isdecimal():
            pieces.append("")
        pieces[-1] += character
    where = [place for place, piece in enumerate(pieces) if piece[:1].isdecimal()]
    joined = {
        place: len(pieces[place + 1]) <= 3 and all(c in ".-" or c.isspace() for c in pieces[place + 1])
        for place, _ in pairwise(where)
    }
    for start in range(len(where)):
        digits = ""
        for place in where[start:]:
            digits += "".join(str(int(c)) for c in pieces[place])
            if len(digits) == 9 and int(digits) > 0:
                total = sum(int(c) * (9 - i) for i, c in enumerate(digits[:8])) - int(digits[8])
                if total % 11 == 0:
                    return True
            if len(digits) >= 9 or not joined.get(place, False):
                break
    return False
