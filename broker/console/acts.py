# SPDX-License-Identifier: EUPL-1.2
"""One entry of the log in a sentence, also of what is no exchange: epochs, keys, participants, rules, reading."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from broker.console.labels import UNKNOWN, Labels
from broker.console.pages import Context
from broker.console.render import grouped, time_text
from broker.console.story import headline
from broker.console.texts import has_text

_OIN = re.compile(r"[0-9]{20}")
# What a sentence may name, beside counts; what an entry lacks is shown as a question mark.
WORDS = (
    *(
        "agreement",
        "begins",
        "count",
        "day",
        "epoch",
        "evaluator",
        "from_index",
        "of",
        "officer",
        "organisation",
    ),
    *("party", "questions", "reader", "recipient", "registers", "scope", "target"),
)
_PARTIES = ("evaluator", "organisation", "party", "reader", "recipient")


def told(context: Context, entry: Mapping[str, Any]) -> str:
    """What happened, in a sentence or two."""
    return headline(entry, context.language, words_of(context, entry))


def words_of(context: Context, entry: Mapping[str, Any]) -> dict[str, str]:
    """Every word that a sentence may name, in the language of the page."""
    labels = Labels(context)
    said = {name: str(entry.get(name, UNKNOWN)) for name in WORDS}
    for name in _PARTIES:
        if _OIN.fullmatch(said[name]):
            said[name] = labels.party(said[name])
    for name in ("count", "registers"):
        if isinstance(entry.get(name), int):
            said[name] = grouped(entry[name], context.language)
    if "from" in entry:
        said["from_index"] = grouped(entry["from"], context.language)
    if "begins" in entry:
        said["begins"] = time_text(datetime.fromisoformat(entry["begins"]), context.language)
    if "agreement" in entry:
        said["agreement"] = labels.of("agreement", said["agreement"])
    if "of" in entry:
        said["of"] = labels.of("operation", said["of"])
    for name, key in (
        ("scope", f"scope.{said['scope']}"),
        ("questions", f"story.epoch.questions.{said['questions']}"),
    ):
        if has_text(key):
            said[name] = context.t(key)
    return said
