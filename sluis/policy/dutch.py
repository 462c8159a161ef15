# SPDX-License-Identifier: EUPL-1.2
"""Plain Dutch for what a rule holds as a number, a date or a code."""

import re
from collections.abc import Iterable
from datetime import date

from sluis.policy.catalog import Category
from sluis.policy.laws import Mark
from sluis.policy.rules import LegalBasis, Operation, Status

_MONTHS = (
    *("januari", "februari", "maart", "april", "mei", "juni"),
    *("juli", "augustus", "september", "oktober", "november", "december"),
)
_ORDINALS = (
    *("eerste", "tweede", "derde", "vierde", "vijfde", "zesde", "zevende", "achtste", "negende", "tiende"),
    *("elfde", "twaalfde", "dertiende", "veertiende", "vijftiende", "zestiende", "zeventiende", "achttiende"),
    *("negentiende", "twintigste"),
)

STATUS = {Status.IN_FORCE: "van kracht", Status.ASSUMED: "aangenomen", Status.DRAFT: "ontwerp, geldt niet"}

OPERATION = {
    Operation.PUSH: "De afzender stuurt een signaal, verzegeld voor de ontvanger.",
    Operation.RELEASE: "Een signaal dat klaarligt komt vrij als de ontvanger ernaar vraagt en er een treffer is.",
    Operation.QUESTION: "De afzender vraagt of er signalen zijn. Er gaan alleen pseudoniemen mee.",
    Operation.WATCH: (
        "De afzender laat een lijst achter en hoort het als er een signaal binnenkomt over wie erop staat. "
        "Er gaan alleen pseudoniemen mee."
    ),
    Operation.REGISTER: "De afzender laadt een register. Er gaan alleen pseudoniemen en datums mee.",
    Operation.ASK: "De ontvanger van een signaal stelt daarover een vraag aan de afzender. Er gaan alleen codes mee.",
    Operation.ANSWER: "Wie een signaal stuurde, beantwoordt een vraag daarover. Er gaan alleen codes mee.",
}

CATEGORY = {
    Category.ORGANISATION: "over de onderneming",
    Category.PERSONAL: "over personen",
    Category.BSN: "burgerservicenummer, of een nummer dat ernaar verwijst",
    Category.SPECIAL: "bijzondere persoonsgegevens",
    Category.CRIMINAL: "strafrechtelijke gegevens",
    Category.ADDRESS: "adres",
    Category.META: "over het signaal zelf",
}

SUBJECT = {
    "kvk": "een onderneming, herkend aan het KvK-nummer",
    "vestiging": "een vestiging van een onderneming, herkend aan het vestigingsnummer",
    "rsin": "een rechtspersoon, herkend aan het RSIN",
    "bsn": "een persoon, herkend aan het burgerservicenummer",
    "lhn": "een werkgever, herkend aan het loonheffingennummer",
    "btw": "een onderneming, herkend aan het btw-nummer",
    "bag": "een adres, herkend aan het BAG-nummer",
    "vnr": "een vreemdeling, herkend aan het V-nummer",
    "oin": "een organisatie, herkend aan het OIN",
    "persoon": "een persoon zonder nummer, herkend aan sleutels uit naam en geboortedatum",
}

HANDLING = {
    "H0": "De gegevens zijn openbaar.",
    "H1": "De ontvanger gebruikt de gegevens alleen voor dit doel.",
    "H2": "De ontvanger gebruikt de gegevens alleen voor dit doel en geeft ze niet door.",
    "H3": "De ontvanger gebruikt de gegevens alleen voor dit doel en houdt ze geheim. Dat is een plicht uit de wet.",
    "H4": "De ontvanger gebruikt de gegevens alleen voor dit doel en houdt ze voorlopig ook voor de betrokkene stil.",
}

# The interests of UAVG 41(1), in short.
DELAY_GROUND = {
    "a": "de nationale veiligheid",
    "b": "de landsverdediging",
    "c": "de openbare veiligheid",
    "d": "het voorkomen, onderzoeken of vervolgen van strafbare feiten",
    "e": "een ander zwaarwegend algemeen belang, zoals belastingen of sociale zekerheid",
    "f": "de onafhankelijkheid van de rechter en lopende procedures",
    "g": "het optreden tegen schending van beroepsregels",
    "h": "toezicht of inspectie door een overheidsorgaan",
    "i": "de bescherming van de betrokkene of van de rechten van anderen",
    "j": "het innen van een vordering",
}

MARK = {
    Mark.VERIFIED: "De tekst van dit artikel is gelezen.",
    Mark.TEXT_2017: "Dit artikel is alleen gelezen in een oude tekst (2015-2017).",
    Mark.RECALLED: "De tekst van dit artikel is niet gelezen; wat hier staat is algemene kennis.",
    Mark.ASSUMED: "De tekst van dit artikel is niet gelezen; wat hier staat is aangenomen.",
}

# What an article of the GDPR says, for those on which rules rest most.
_GDPR = {
    "6(1)(a)": "toestemming",
    "6(1)(c)": "een plicht uit de wet",
    "6(1)(e)": "een taak van algemeen belang of openbaar gezag",
    "6(1)(f)": "een gerechtvaardigd belang",
    "6(3)": "de wet die de plicht of de taak geeft",
    "6(4)": "een ander doel dan waarvoor is verzameld",
    "9(1)": "het verbod op bijzondere persoonsgegevens",
    "10": "strafrechtelijke gegevens",
    "22": "besluiten door een computer alleen",
    "22(1)": "besluiten door een computer alleen",
    "87": "het nationale identificatienummer",
    "89": "statistiek en onderzoek",
}


def day(value: date) -> str:
    """A date such as `1 juli 2026`."""
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def days(first: date, last: date | None) -> str:
    """From when until when, both days included."""
    if last is None:
        return f"vanaf {day(first)}"
    return f"van {day(first)} tot en met {day(last)}"


def period(value: str) -> str:
    """A period such as `P6M` as `6 maanden`."""
    number, unit = int(value[1:-1]), value[-1]
    one, more = {"Y": ("jaar", "jaar"), "M": ("maand", "maanden"), "D": ("dag", "dagen")}[unit]
    return f"{number} {one if number == 1 else more}"


def series(items: Iterable[str], last: str = "en") -> str:
    """An enumeration: `a, b en c`; with semicolons when an item has a comma, or the last word, of its own."""
    words = list(items)
    if len(words) < 2:
        return "".join(words)
    if any("," in word or f" {last} " in word for word in words):
        return f"{'; '.join(words[:-1])}; {last} {words[-1]}"
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def article(number: str, paragraph: str | None = None, part: str | None = None) -> str:
    """An article such as `artikel 14b, derde lid, onderdeel b`."""
    steps = [f"artikel {number}"]
    if paragraph is not None:
        ordinal = paragraph.isdigit() and 0 < int(paragraph) <= len(_ORDINALS)
        steps.append(f"{_ORDINALS[int(paragraph) - 1]} lid" if ordinal else f"lid {paragraph}")
    if part is not None:
        steps.append(f"onderdeel {part}")
    return ", ".join(steps)


def cited(basis: LegalBasis, title: str) -> str:
    """A legal basis in full: the official title, the short one and the article."""
    return f"{title} ({basis.law}), {article(basis.article, basis.paragraph, basis.part)}"


def provision(value: str) -> str:
    """A provision as rules list it, `Waadi 7a(1)`, as `Waadi artikel 7a, eerste lid`; other words as they are."""
    match = re.fullmatch(r"([A-Za-z]+) ([0-9a-z:.]+)(?:\(([0-9]+[a-z]?)\))?(?:\(([a-z])\))?", value)
    if match is None:
        return value
    return f"{match[1]} {article(match[2], match[3], match[4])}"


def in_order(values: Iterable[str]) -> list[str]:
    """Words in the order of the alphabet, numbers in them by size: `WML 7` before `WML 13`."""
    return sorted(values, key=lambda value: [part.zfill(9) for part in re.findall(r"[0-9]+|[^0-9]+", value)])


def gdpr(citation: str) -> str:
    """An article of the GDPR, with what it is about when that is known: `artikel 10: ...`."""
    match = re.fullmatch(r"([0-9]+)(?:\(([0-9]+)\))?(?:\(([a-z])\))?", citation)
    if match is None:
        return f"artikel {citation}"
    about = _GDPR.get(citation)
    return article(match[1], match[2], match[3]) + (f": {about}" if about else "")


def capital(words: str) -> str:
    """The same words with a capital first."""
    return words[:1].upper() + words[1:]


def sentence(words: str) -> str:
    """The same words as a sentence: a capital first, a full stop last."""
    return (
        capital(words.strip()) if words.rstrip().endswith((".", "!", "?")) else f"{capital(words.strip())}."
    )
