# SPDX-License-Identifier: EUPL-1.2
"""How pages name flows, and where the figures lead: the page of exchanges with the same choice."""

import math
from collections.abc import Mapping
from datetime import date
from urllib.parse import urlencode

from broker.console.pages import Context
from broker.console.texts import Language
from broker.oversight.anomalies import Anomaly, Flow
from broker.policy.change.words import Text, Words

_MONTHS = {
    Language.DUTCH: "januari februari maart april mei juni juli augustus september oktober november december",
    Language.ENGLISH: "January February March April May June July August September October November December",
}


class Named:
    """Names for one page, in its language; a word that nothing knows is shown as it stands."""

    def __init__(self, context: Context, parties: Mapping[str, str]) -> None:
        self._context = context
        self._parties = parties
        self._words = Words(context.bundle)

    def text(self, text: Text) -> str:
        """A text in the language of the page."""
        return text.dutch if self._context.language is Language.DUTCH else text.english

    def party(self, oin: str) -> str:
        """A participant by name."""
        return self._parties.get(oin) or self._context.t("frame.unknown_party")

    def kind(self, word: str) -> str:
        """A kind of signal."""
        return self.text(self._words.kind(word))

    def purpose(self, word: str) -> str:
        """A purpose."""
        return self.text(self._words.purpose(word))

    def function(self, word: str) -> str:
        """The function of an officer."""
        return self.text(self._words.word("functions", word))

    def agreement(self, word: str) -> str:
        """An agreement by its title."""
        found = self._context.bundle.agreements.get(word)
        return found.title if found else word

    def role(self, word: str) -> str:
        """A sort of participant."""
        return self.text(self._words.role(word))

    def day(self, day: date) -> str:
        """A day as people say it."""
        return f"{day.day} {_MONTHS[self._context.language].split()[day.month - 1]} {day.year}"

    def sentence(self, found: Anomaly) -> str:
        """An anomaly in one sentence."""
        flow, band = found.flow, found.band
        key = f"anomaly.{found.kind}"
        if band is not None:
            key += ".none" if band.high == 0 else ""
        at = found.at
        return self._context.t(
            key,
            day=self.day(found.day),
            sender=self.party(flow.sender),
            recipient=self.party(flow.recipient),
            kind=self.kind(flow.kind),
            count=found.count,
            low=math.floor(band.low) if band else "",
            high=math.ceil(band.high) if band else "",
            before=self.purpose(found.before) if found.before else "",
            purpose=self.purpose(found.purpose) if found.purpose else "",
            asked=found.asked,
            time=f"{at:%H:%M}" if at else "",
        )


def exchanges_link(**chosen: str) -> str:
    """The address of the page of exchanges under a choice."""
    return f"/uitwisselingen?{urlencode({name: value for name, value in chosen.items() if value})}"


def flow_link(flow: Flow) -> str:
    """The address of a flow on the time line."""
    chosen = {"sender": flow.sender, "recipient": flow.recipient, "kind": flow.kind}
    return f"/tijdlijn?{urlencode(chosen)}"


def anomaly_link(found: Anomaly) -> str:
    """Where one can look at what stands out."""
    if found.log_index is not None:
        return f"/uitwisseling/{found.log_index}"
    flow, day = found.flow, found.day.isoformat()
    operation = "match.question" if found.kind.startswith("look-ups") else "signal.push"
    result = "denied" if found.kind == "refusals" else ""
    return exchanges_link(
        sender=flow.sender,
        recipient=flow.recipient,
        kind=flow.kind,
        operation=operation,
        result=result,
        **{"from": day, "until": day},
    )
