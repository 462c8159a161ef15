# SPDX-License-Identifier: EUPL-1.2
"""What the words of an exchange are called for people: parties by name, the rest by the catalogue or the texts."""

from collections.abc import Callable, Collection, Mapping
from functools import cached_property

from broker.console.pages import Context, moment_of
from broker.console.texts import Language, has_text
from sluis.policy.schema import Labelled

UNKNOWN = "?"
_DIGEST_LETTERS = 12


class Labels:
    """The labels of one page, in its language; a word that nothing knows is shown as it stands."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._parties: dict[str, str] = {}
        catalog = context.bundle.catalog
        self._by_facet: Mapping[str, Callable[[str], str]] = {
            "sender": self.party,
            "recipient": self.party,
            "agreement": self._agreement,
            "kind": lambda word: self._label(catalog.kinds.get(word), word),
            "purpose": lambda word: self._label(catalog.purposes.get(word), word),
            "reason": lambda word: self._label(catalog.reasons.get(word), word),
            "rule": self._rule,
            "policy": self._policy,
        }

    def expect(self, oins: Collection[str]) -> None:
        """Look up the names of participants of which the page tells, all at once."""
        wanted = set(oins) - self._parties.keys() - {UNKNOWN}
        names = self._context.reader.names(wanted) if wanted else {}
        self._parties |= {oin: names.get(oin) or self._context.t("frame.unknown_party") for oin in wanted}

    def of(self, facet: str, word: str) -> str:
        """The label of a value under a facet."""
        if word == UNKNOWN:
            return self._context.t("label.unknown")
        if facet in self._by_facet:
            return self._by_facet[facet](word)
        key = f"label.{facet}.{word}"
        return self._context.t(key) if has_text(key) else word

    def party(self, oin: str) -> str:
        """A participant by name."""
        if oin == UNKNOWN:
            return self._context.t("label.unknown")
        self.expect([] if oin in self._parties else [oin])
        return self._parties[oin]

    @cached_property
    def _since(self) -> Mapping[str, int]:
        return {row.digest: row.at_ms for row in reversed(self._context.reader.activations())}

    def _policy(self, digest: str) -> str:
        short = digest.removeprefix("sha256:")[:_DIGEST_LETTERS]
        if digest not in self._since:
            return short
        day = moment_of(self._since[digest]).date().isoformat()
        return self._context.t("label.policy", day=day, short=short)

    def _agreement(self, word: str) -> str:
        found = self._context.bundle.agreements.get(word)
        return found.title if found else word

    def _rule(self, word: str) -> str:
        found = self._context.bundle.rules.get(word)
        return found.title if found else word

    def _label(self, word: Labelled | None, otherwise: str) -> str:
        if word is None:
            return otherwise
        return word.dutch if self._context.language is Language.DUTCH else word.english
