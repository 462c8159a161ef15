# SPDX-License-Identifier: EUPL-1.2
"""A decision in sentences, Dutch and English, from the labels of the catalogue. It adds nothing to it."""

from collections.abc import Iterable
from dataclasses import dataclass

from broker.decide.model import Decision, Effect, FactState, Reason
from broker.decide.near import NearMiss
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


def explain_near_miss(miss: NearMiss, bundle: Bundle) -> Explanation:
    """Say which permit nearly applied, and what it lacks."""
    return Explanation(
        dutch=_Words("dutch", bundle).near_miss(miss), english=_Words("english", bundle).near_miss(miss)
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
        "from": " (geldt vanaf {day})",
        "until": " (gold tot en met {day})",
        "draft": " (ontwerp)",
        "most": " (ten hoogste {most})",
        "near": "Bijna van toepassing: {rule}. Wat ontbreekt: {missing}.",
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
        "from": " (from {day})",
        "until": " (until {day})",
        "draft": " (a draft)",
        "most": " (at most {most})",
        "near": "Nearly applied: {rule}. Missing: {missing}.",
        "and": " and ",
    },
}


class _Words:
    """One language."""

    def __init__(self, language: str, bundle: Bundle) -> None:
        self._language = language
        self._phrases = _PHRASES[language]
        self._catalog = bundle.catalog
        self._rules = bundle.rules
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
            parts.append(self._say("rule", rules="; ".join(self._rule(rule.id) for rule in decision.rules)))
        if decision.released:
            parts.append(self._say("released", fields=self._list(map(self._field, decision.released))))
        if decision.effect is Effect.PERMIT and decision.withheld:
            fields = (f"{self._field(item.name)} ({self._code(item.code)})" for item in decision.withheld)
            parts.append(self._say("withheld", fields=self._list(fields)))
        if decision.assumed:
            parts.append(self._phrases["assumed"])
        return " ".join(parts)

    def near_miss(self, miss: NearMiss) -> str:
        """What a permit lacks."""
        missing = "; ".join(self._reason(reason) for reason in miss.missing)
        return self._say("near", rule=self._rule(miss.rule.id), missing=missing)

    def _rule(self, rule_id: str) -> str:
        """The rule by its title, which is Dutch, and its id."""
        rule = self._rules.get(rule_id)
        return f"{rule.title} [{rule_id}]" if rule and self._language == "dutch" else rule_id

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
        if most := reason.params.get("most"):
            text += self._say("most", most=most)
        if reason.params.get("draft") == "True":
            text += self._phrases["draft"]
        elif day := reason.params.get("until"):
            text += self._say("until", day=day)
        elif day := reason.params.get("from"):
            text += self._say("from", day=day)
        return text

    def _list(self, items: Iterable[str]) -> str:
        words = list(items)
        return self._phrases["and"].join(filter(None, (", ".join(words[:-1]), words[-1] if words else "")))
