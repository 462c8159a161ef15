# SPDX-License-Identifier: EUPL-1.2
"""Choices that an officer keeps under a name of her own; nobody else sees them.

What is kept is the query of an address that the page of exchanges itself would make: each word has its filter's form.
A choice without days goes along with the calendar. A choice may be a watch: then Vandaag says what is new in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from re import Pattern
from urllib.parse import urlencode

from broker.console.people import Officer
from broker.storage.console_port import ConsoleStore, ConsoleView
from sluis.errors import InvalidInput, NotFound
from sluis.identifiers import find_hidden_identifiers

MAX_VIEWS = 50
MAX_WATCHES = 10  # each is a question to the index when Vandaag opens
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
        kept = {row.name: row for row in self.all()}
        if len(kept.keys() | {name}) > MAX_VIEWS:
            raise InvalidInput("malformed-request", f"at most {MAX_VIEWS} views are kept", where="name")
        query = urlencode(chosen)
        self._store.put_view(
            ConsoleView(
                organisation=self._officer.organisation,
                reference=self._officer.reference,
                name=name,
                query=query,
                watched_from=kept[name].watched_from if name in kept else None,
            )
        )
        return query

    def watch(self, name: str, watched_from: int | None) -> ConsoleView:
        """Let what stands in the log from an entry on be new to her; with None, watch no longer.

        Raises NotFound for a name that she has not, InvalidInput `malformed-request` for too many watches.
        """
        rows = {row.name: row for row in self.all()}
        if name not in rows:
            raise NotFound("not-found")
        watched = {row.name for row in rows.values() if row.watched_from is not None}
        if watched_from is not None and len(watched | {name}) > MAX_WATCHES:
            raise InvalidInput("malformed-request", f"at most {MAX_WATCHES} views are watched", where="name")
        row = replace(rows[name], watched_from=watched_from)
        self._store.put_view(row)
        return row

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
