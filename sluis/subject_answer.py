# SPDX-License-Identifier: EUPL-1.2
"""The answer to a data subject (AVG art. 15(1)) made of entries of the log: as data, and as a draft of a letter.

{"format": "sluis-subject-answer/1", "organisation": {"oin": OIN, "name": "..."}, "made_at": "...",
 "automated_decision": false,
 "domains_asked": 4, "domains_not_asked": [{"agreement", "recipient", "epoch", "code"}],
 "exchanges": [{"exchange", "time", "direction": "sent" | "received", "source", "recipient", "state", "kind", "purpose",
   "legal_basis", "categories", "fields", "retention", "kept_until", "log_indexes", "hold_back": null | {"grounds"}}]}

It holds no identifier of the subject and no value of a field: those stand in the organisation's own files. Where the
duty to tell is put off or forbidden, `hold_back` says so: an officer decides (UAVG art. 41), never this program.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from sluis.policy.bundle import Bundle
from sluis.policy.dutch import day, period, series

FORMAT = "sluis-subject-answer/1"
STATES = {
    "delivered": "verstrekt",
    "waiting": "klaargezet en nog niet verstrekt",
    "refused": "geweigerd en niet verstrekt",
}
CATEGORIES = {
    "organisation": "gegevens over een organisatie (bij een eenmanszaak ook persoonsgegevens)",
    "personal": "persoonsgegevens",
    "bsn": "burgerservicenummer",
    "address": "adresgegevens",
    "meta": "gegevens over de melding zelf, zoals een datum",
    "special": "bijzondere persoonsgegevens (AVG artikel 9)",
    "criminal": "strafrechtelijke gegevens (AVG artikel 10)",
}


class Entry(Protocol):
    """An entry of the log with its index."""

    @property
    def log_index(self) -> int: ...
    @property
    def content(self) -> Mapping[str, Any]: ...


class Exchange(Protocol):
    """An exchange about the subject, its entries oldest first."""

    @property
    def exchange(self) -> str: ...
    @property
    def expires_at_ms(self) -> int: ...
    @property
    def entries(self) -> tuple[Entry, ...]: ...


def exchange_answer(found: Exchange, oin: str, names: Mapping[str, str], bundle: Bundle) -> dict[str, Any]:
    """What is told of one exchange, from the entry that went furthest."""
    decided = [entry for entry in found.entries if "decision" in entry.content]
    first, last = decided[0].content, decided[-1].content
    catalog = bundle.catalog
    kind, purpose = catalog.kinds.get(last["kind"]), catalog.purposes.get(last["purpose"])
    released = [catalog.fields[name] for name in last["released"] if name in catalog.fields]
    duties = last["obligations"]
    return {
        "exchange": found.exchange,
        "time": first["time"],
        "direction": "sent" if first["sender"] == oin else "received",
        "source": {"oin": first["sender"], "name": names.get(first["sender"], "")},
        "recipient": {"oin": first["recipient"], "name": names.get(first["recipient"], "")},
        "state": _state(last),
        "kind": kind.dutch if kind else last["kind"],
        "purpose": purpose.dutch if purpose else last["purpose"],
        "legal_basis": sorted({article for rule in last["rules"] for article in rule["basis"]}),
        "categories": sorted({CATEGORIES[field.category.value] for field in released}),
        "fields": [field.dutch for field in released],
        "retention": period(duties["retention"]) if "retention" in duties else "",
        "kept_until": datetime.fromtimestamp(found.expires_at_ms / 1000, UTC).date().isoformat(),
        "log_indexes": [entry.log_index for entry in found.entries],
        "hold_back": _hold_back(duties),
    }


def _state(entry: Mapping[str, Any]) -> str:
    if entry["decision"] != "permit":
        return "refused"
    return "waiting" if entry.get("outcome") == "on_match" else "delivered"


def _hold_back(duties: Mapping[str, str]) -> dict[str, list[str]] | None:
    grounds = [ground for ground in duties.get("delay_grounds", "").split(",") if ground]
    if grounds or duties.get("notice") == "must-not-inform":
        return {"grounds": grounds}
    return None


def letter(answer: Mapping[str, Any]) -> str:
    """A draft of the letter in Dutch; brackets mark what the officer fills in or decides."""
    told = [item for item in answer["exchanges"] if item["hold_back"] is None]
    lines = [
        "CONCEPT. Lees, vul aan wat tussen rechte haken staat, en verstuur daarna pas.",
        "",
        f"{answer['organisation']['name'] or '[naam van uw organisatie]'}",
        "[adres van de betrokkene]",
        "",
        "Onderwerp: uw verzoek om inzage (artikel 15 AVG)",
        "",
        "Geachte heer of mevrouw [naam],",
        "",
        "U vroeg welke gegevens over u wij met andere organisaties hebben uitgewisseld via de voorziening Sluis.",
        "Het logboek van Sluis noemt u niet bij naam of nummer. Wij hebben het doorzocht met een code die alleen",
        "wij uit uw nummer konden berekenen.",
        "",
        *_summary(told),
        *(line for number, item in enumerate(told, 1) for line in _paragraph(number, item)),
        "Er is over u geen besluit genomen dat alleen op geautomatiseerde verwerking berust. Sluis beslist of",
        "gegevens mogen worden doorgegeven. Het neemt geen besluit over u.",
        "",
        "U kunt ons vragen gegevens te verbeteren of te wissen, of het gebruik ervan te beperken. U kunt ook",
        "bezwaar maken. Bent u het niet eens met dit antwoord, dan kunt u [bezwaar maken bij ... binnen zes weken]",
        "en een klacht indienen bij de Autoriteit Persoonsgegevens.",
        "",
        "Met vriendelijke groet,",
        "[naam en functie]",
    ]
    return "\n".join(lines) + "\n"


def _summary(told: list[dict[str, Any]]) -> list[str]:
    if not told:
        return ["Wij vonden geen uitwisseling over u die nog aan u is te koppelen.", ""]
    word = "uitwisseling" if len(told) == 1 else "uitwisselingen"
    return [f"Wij vonden {len(told)} {word}.", ""]


def _paragraph(number: int, item: Mapping[str, Any]) -> list[str]:
    moment = day(datetime.fromisoformat(item["time"]).date())
    lines = [
        f"{number}. {moment}: {item['kind']} ({STATES[item['state']]})",
        f"   Van: {item['source']['name'] or item['source']['oin']}",
        f"   Aan: {item['recipient']['name'] or item['recipient']['oin']}",
        f"   Waarvoor: {item['purpose']}",
        f"   Op grond van: {series(item['legal_basis']) if item['legal_basis'] else 'geen'}",
    ]
    if item["fields"]:
        lines += [
            f"   Welke gegevens: {series(item['fields'])}",
            f"   Soort gegevens: {series(item['categories'])}",
        ]
    if item["retention"]:
        lines.append(f"   Bewaartermijn bij de ontvanger: {item['retention']}")
    return [*lines, "   De inhoud: [neem over uit uw eigen dossier]", ""]


def officer_note(answer: Mapping[str, Any]) -> str:
    """What stays with the officer: what she decides on, and what was not searched."""
    marked = [item for item in answer["exchanges"] if item["hold_back"] is not None]
    lines = ["Voor de functionaris. Niet meesturen.", ""]
    if marked:
        lines += [
            f"Aantal uitwisselingen waarvan het inlichten mag of moet wachten: {len(marked)}.",
            "Beslis zelf of artikel 41 UAVG grond geeft om ze weg te laten. Zo niet, neem ze dan op in de brief.",
            "",
            *(line for number, item in enumerate(marked, 1) for line in _marked(number, item)),
        ]
    for item in answer["domains_not_asked"]:
        domain = f"{item['agreement']}, ontvanger {item['recipient']}, periode {item['epoch']}"
        lines.append(f"Niet doorzocht: {domain} ({item['code']}).")
    lines += [
        "Geweigerde aanbiedingen zijn nooit bewaard en dus niet te vinden.",
        "Wat vernietigd is, is niet meer te koppelen.",
        "Antwoord binnen een maand na ontvangst (artikel 12 lid 3 AVG).",
    ]
    return "\n".join(lines) + "\n"


def _marked(number: int, item: Mapping[str, Any]) -> list[str]:
    grounds = (
        series(item["hold_back"]["grounds"]) if item["hold_back"]["grounds"] else "in de regel niet genoemd"
    )
    first, *rest = _paragraph(number, item)
    return [f"{first} [BESLISSEN; gronden van UAVG {grounds}]", *rest]


def header(oin: str, name: str, made_at: datetime) -> dict[str, Any]:
    """The beginning of an answer."""
    return {
        "format": FORMAT,
        "organisation": {"oin": oin, "name": name},
        "made_at": made_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "automated_decision": False,
    }
