# SPDX-License-Identifier: EUPL-1.2
"""Words of the rules in the officer's language."""

from broker.console.pages import Context
from broker.console.texts import Language
from sluis.policy.schema import Labelled


def word(context: Context, label: Labelled) -> str:
    """What a word of the catalogue means."""
    return label.dutch if context.language is Language.DUTCH else label.english


def party_name(context: Context, oin: str) -> str:
    """The name of a participant."""
    party = context.reader.party(oin)
    return party.name if party else context.t("frame.unknown_party")
