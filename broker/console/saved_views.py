# SPDX-License-Identifier: EUPL-1.2
"""Choices that an officer keeps under a name of her own; nobody else sees them.

What is kept is the query of an address that the page of exchanges itself would make: each word has its filter's form.
A choice without days goes along with the calendar.
"""

from collections.abc import Mapping, Sequence
from re import Pattern
from urllib.parse import urlencode

from broker.console.people import Officer
from broker.storage.console_port import ConsoleStore, ConsoleView
from sluis.errors import InvalidInput
from sluis.identifiers import find_hidden_identifiers

MAX_VIEWS = 50
MAX_NAME = 60


class SavedViews:
    """One officer's views."""

    def __init__(self, store: ConsoleStore, officer: Officer) -> None:
        self._store = store
        self._officer = officer

    def all(self) -> Sequence[ConsoleView]:
        """Her views by name."""
        return self._store.views(self._officer.organisation, self._officer.reference)

    def keep(self, name: str, words: Mapping[str, str], forms: Mapping[str, Pattern[str]]) -> str:
        """Keep those of the words that have a form, and return the query.

        Raises InvalidInput `malformed-request` for a word of another form, a name that will not do, or too many
        views; `hidden-identifier` for a name that holds a person's number.
        """
        name = check_name(name)
        chosen = {key: words[key] for key in forms if words.get(key)}
        for key, value in chosen.items():
            if not forms[key].fullmatch(value):
                raise InvalidInput("malformed-request", where=key)
        kept = {row.name for row in self.all()} | {name}
        if len(kept) > MAX_VIEWS:
            raise InvalidInput("malformed-request", f"at most {MAX_VIEWS} views are kept", where="name")
        query = urlencode(chosen)
        self._store.put_view(
            ConsoleView(
                organisation=self._officer.organisation,
                reference=self._officer.reference,
                name=name,
                query=query,
            )
        )
        return query

    def drop(self, name: str) -> None:
        """Forget a view, if it is there."""
        self._store.drop_view(self._officer.organisation, self._officer.reference, name)


def check_name(text: str) -> str:
    """The name of a view. Raises InvalidInput `malformed-request`, `hidden-identifier`."""
    name = " ".join(text.split())
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise InvalidInput("malformed-request", f"a name of 1 to {MAX_NAME} characters is due", where="name")
    if find_hidden_identifiers(name):
        raise InvalidInput("hidden-identifier", where="name")
    return name
