# SPDX-License-Identifier: EUPL-1.2
"""A decision in a sentence, Dutch and English, from the labels of the catalogue. It adds nothing to it."""

from collections.abc import Iterable
from dataclasses import dataclass

from broker.decide.model import Decision, Effect, FactState, Reason
from sluis.policy.bundle import Bundle
from sluis.policy.rules import RuleEffect
from sluis.policy.schema import Labelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The same sentences in both languages."""

    dutch: str
    english: str


def explain(decision: Decision, bundle: Bundle) -> Explanation:
    """Put a decision into words."""
    return Explanation(
        dutch=_Words("dutch", bundle).sentence(decision), english=_Words("english", bundle).sentence(decision)
    )


_PHRASES = {
    "dutch": {
        "permit": "Toegestaan op grond van {basis}.",
        "deny": "Geweigerd: {reasons}.",
        "rule": "Regel: {rules}.",
        "released": "Doorgelaten: {fields}.",
        "withheld": "Achtergehouden: {fields}.",
        "assumed": "Deze regel berust op een aanname en wacht op een juridisch oordeel.",
        "unknown": " (niet bekend)",
        "and": " en ",
    },
    "english": {
        "permit": "Permitted under {basis}.",
        "deny": "Denied: {reasons}.",
        "rule": "Rule: {rules}.",
        "released": "Released: {fields}.",
        "withheld": "Withheld: {fields}.",
        "assumed": "This rule rests on an assumption and awaits legal sign-off.",
        "unknown": " (not known)",
        "and": " and ",
    },
}


class _Words:
    """One language."""

    def __init__(self, language: str, bundle: Bundle) -> None:
        self._language = language
        self._phrases = _PHRASES[language]
        self._catalog = bundle.catalog
        self._prohibitions = {rule.id for rule in bundle.rules.values() if rule.effect is RuleEffect.PROHIBIT}

    def sentence(self, decision: Decision) -> str:
        """All that is to be said, sentence by sentence."""
        if decision.effect is Effect.PERMIT:
            permits = (rule for rule in decision.rules if rule.id not in self._prohibitions)
            basis = self._list(dict.fromkeys(text for rule in permits for text in rule.basis))
            parts = [self._say("permit", basis=basis)]
        else:
            reasons = "; ".join(self._reason(reason) for reason in decision.reasons)
            parts = [self._say("deny", reasons=reasons)]
        if decision.rules:
            parts.append(self._say("rule", rules=", ".join(rule.id for rule in decision.rules)))
        if decision.released:
            parts.append(self._say("released", fields=self._list(map(self._field, decision.released))))
        if decision.effect is Effect.PERMIT and decision.withheld:
            fields = (f"{self._field(item.name)} ({self._code(item.code)})" for item in decision.withheld)
            parts.append(self._say("withheld", fields=self._list(fields)))
        if decision.assumed:
            parts.append(self._phrases["assumed"])
        return " ".join(parts)

    def _say(self, phrase: str, **words: str) -> str:
        return self._phrases[phrase].format(**words)

    def _label(self, entry: Labelled | None, otherwise: str) -> str:
        if entry is None:
            return otherwise
        return entry.dutch if self._language == "dutch" else entry.english

    def _field(self, name: str) -> str:
        return self._label(self._catalog.fields.get(name), name)

    def _code(self, code: str) -> str:
        return self._label(self._catalog.reasons.get(code), code)

    def _reason(self, reason: Reason) -> str:
        text = self._code(reason.code)
        if names := reason.params.get("fields"):
            text += f" ({self._list(map(self._field, names.split(',')))})"
        if reason.params.get("state") == FactState.UNKNOWN:
            text += self._phrases["unknown"]
        return text

    def _list(self, items: Iterable[str]) -> str:
        words = list(items)
        return self._phrases["and"].join(filter(None, (", ".join(words[:-1]), words[-1] if words else "")))
