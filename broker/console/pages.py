# SPDX-License-Identifier: EUPL-1.2
"""The frame for pages. To add one:

1. views/<name>.py: `def show(context: Context) -> View` (or `async def`), and
   `PAGES = (Page(path="/x", name="x", handler=show, roles=OFFICERS, logged=True),)`; list PAGES in views/__init__.py.
2. templates/pages/<name>.html: `{% extends "base.html" %}` and fill the blocks `main` and, if you like, `lead`.
   `{% from "macros.html" import listing as table, twins, facets, chart, pager, message, form with context %}`.
3. texts/<name>.yaml: `page.<name>.title` and every other text, both languages; in a template `t("key", n=3)`.
4. Query parameters exist only when `filters` names them with a pattern; read `context.filters.get("sender", "")`.
5. Exchanges are read through `context.reader`, which holds her to her own organisation. Never the store.
   What may be there many times (`?field=a&field=b`) is in `repeated`, and read from `context.chosen`. `upload` is
   the most bytes of a form with files, which are in `context.files`.
6. `listed=True` gives .csv and .json, under a reason: return `View(..., listing=Listing(...))` with up to
   `context.limit` rows. A form posts to a Page with method="POST": `context.form`, and return a Redirect.
7. tests/unit/test_console_pages.py walks the table: add a line to its matrix.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias
from urllib.parse import urlencode

from broker.committer import Work
from broker.console.listing import Listing
from broker.console.people import Officer, Role, Session
from broker.console.reading import Reader
from broker.console.texts import Language, text_of
from broker.policy.library import Library
from sluis.note import VKey
from sluis.policy.bundle import Bundle

EVERYONE = frozenset(Role)
OFFICERS = frozenset({Role.OFFICER, Role.AUTHORITY})
AUTHORITY = frozenset({Role.AUTHORITY})

PAGE_ROWS = 50
EXPORT_ROWS = 100_000

# Patterns for filters, so that pages agree. None lets a number through that could be a person's.
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
OIN = re.compile(r"[0-9]{20}")
DAY = re.compile(r"20[0-9]{2}-[01][0-9]-[0-3][0-9]")
INDEX = re.compile(r"0|[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a handler shows: values for its template, and the list that has twins (in the template: `listing`)."""

    values: Mapping[str, Any] = field(default_factory=dict)
    listing: Listing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """Where the browser goes after a form; an address of ours."""

    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file to keep, as a page with method POST may give it."""

    name: str
    media_type: str
    content: bytes


Answer: TypeAlias = "View | Redirect | Download"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogKeys:
    """The verifier keys of the log and of its witnesses, as the broker was set up."""

    log: Sequence[VKey] = ()
    witnesses: Sequence[VKey] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """All that a page may use."""

    session: Session
    page: "Page"
    language: Language
    now: datetime
    bundle: Bundle
    reader: Reader
    library: Library
    submit: Callable[[Work[Any]], Awaitable[Any]]  # through the committer: what is written is logged
    keys: LogKeys = field(default_factory=LogKeys)
    filters: Mapping[str, str] = field(default_factory=dict)
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    limit: int = PAGE_ROWS
    path: str = ""

    @property
    def officer(self) -> Officer:
        """Who is signed in."""
        return self.session.officer

    def t(self, key: str, **values: object) -> str:
        """A text in her language."""
        return text_of(self.language, key, **values)

    def link(self, **changes: str) -> str:
        """The address of this page with other filters; an empty one is left out."""
        words = [(name, value) for name, value in ({**self.filters, **changes}).items() if value]
        words += [(name, value) for name, values in self.chosen.items() for value in values]
        return f"{self.path}?{urlencode(words)}" if words else self.path


Handler: TypeAlias = "Callable[[Context], Answer | Awaitable[Answer]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A line of the route table. `logged`: reading it is personal, and becomes an entry of the log."""

    path: str
    name: str
    handler: Handler
    roles: frozenset[Role]
    logged: bool
    method: str = "GET"
    filters: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    repeated: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    upload: int = 0
    listed: bool = False
    menu: bool = True

    @property
    def title(self) -> str:
        """The key of its title."""
        return f"page.{self.name}.title"


def moment_of(time_ms: int) -> datetime:
    """A moment from Unix milliseconds."""
    return datetime.fromtimestamp(time_ms / 1000, UTC)
