# SPDX-License-Identifier: EUPL-1.2
"""Every operation that the broker enters into its log, with its outcomes, and who may read such an entry.

The only list of them: `Step.log` enters nothing else, and the console must have a sentence for each in both
languages. What their members mean stands in docs/log-format.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from sluis.followup import Act


class Readers(StrEnum):
    """Who may read an entry in the console. The supervisory authority reads all of them."""

    PARTIES = "parties"  # officers of its sender and recipient
    OFFICE = "office"  # officers of the organisation that it is about, or whose officer or kit did it
    EVERYONE = "everyone"  # whoever signs in: no exchange, nobody's reading, no reason given about somebody


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation; without an outcome of its own, that is empty."""

    readers: Readers
    outcomes: frozenset[str] = frozenset({""})


def _of_parties(*outcomes: str) -> Operation:
    return Operation(Readers.PARTIES, frozenset(outcomes))


_OFFICE = Operation(Readers.OFFICE)
_EVERYONE = Operation(Readers.EVERYONE)
_QUESTION = _of_parties("sent", "refused")

OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType(
    {
        "signal.push": _of_parties("mailbox", "on_match", "refused"),
        "signal.correct": _of_parties("mailbox", "on_match"),
        "signal.release": _of_parties("released", "refused"),
        "signal.acknowledge": _of_parties("delivered"),
        "signal.destroy": _of_parties("destroyed"),
        "match.question": _of_parties("answered", "refused"),
        "match.digest": _of_parties("given", "refused"),
        "watch.load": _of_parties("in-force", "refused", "taken-back"),
        "watch.hit": _of_parties("answered", "refused"),
        "register.load": _of_parties("in-force", "refused"),
        "register.destroy": _of_parties("destroyed"),
        "register.lapse": _of_parties("held"),
        "retention.shorten": _of_parties("shortened"),
        "retention.restore": _of_parties("restored"),
        **{f"followup.{act}": _of_parties("sent") for act in Act},
        f"followup.{Act.ASK}": _QUESTION,
        f"followup.{Act.ANSWER}": _QUESTION,
        "followup.notify": _of_parties("told"),
        "followup.acknowledge": _of_parties("delivered"),
        **dict.fromkeys(("hold.set", "hold.lift", "log.read", "subject.find"), _OFFICE),
        **dict.fromkeys(("console.link", "console.read", "finding.draw", "finding.open"), _OFFICE),
        **dict.fromkeys(
            ("finding.assign", "finding.conclude", "finding.confirm", "finding.send-back"), _OFFICE
        ),
        **dict.fromkeys(("policy.propose", "policy.approve", "officer.retire"), _OFFICE),
        **dict.fromkeys(("party.stop", "party.resume", "card.revoke", "stop.set", "stop.lift"), _OFFICE),
        **dict.fromkeys(("epoch.announce", "epoch.compromise", "key.publish"), _EVERYONE),
        **dict.fromkeys(("key.retire", "key.destroy", "party.admit", "officer.enrol"), _EVERYONE),
        **dict.fromkeys(("policy.install", "policy.activate", "retention.confirm-clock"), _EVERYONE),
        "link.destroy": Operation(Readers.EVERYONE, frozenset({"destroyed"})),
    }
)


def is_known(operation: object, outcome: object) -> bool:
    """Whether the broker has such an entry."""
    found = OPERATIONS.get(operation) if isinstance(operation, str) else None
    return found is not None and outcome in found.outcomes
