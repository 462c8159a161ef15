# SPDX-License-Identifier: EUPL-1.2
"""The part of YAML in which rules are written: mappings, lists and text, and nothing clever.

The last line is `...` (the end of a YAML document), so that a file that was cut short is never taken for a whole
one. Refused: anchors, aliases, tags, directives, a second document, a key twice, a key that is no text, a key
without a value, a byte order mark, other encodings than UTF-8, characters that cannot be seen, more than
1 MiB, deep nesting. Every scalar is text as it stands (`no`, `0o17` and `1:30` stay text); numbers and dates
are read by the schema. Every refusal is InvalidInput `malformed-rule` that names file and line.

It does *not* know what a rule is: see `sluis.policy.schema`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

from sluis.errors import InvalidInput

MAX_BYTES = 1 << 20
MAX_DEPTH = 12

Tree: TypeAlias = "str | list[Tree] | dict[str, Tree]"
Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file as read, with the line of each of its parts."""

    name: str
    value: Tree
    lines: dict[Path, int] = field(hash=False)

    def line(self, path: Path) -> int:
        """The line of the innermost part on `path`; steps that are not in the file are skipped."""
        known: Path = ()
        for step in path:
            if (*known, step) in self.lines:
                known = (*known, step)
        return self.lines.get(known, 1)

    def refusal(self, message: str, path: Path = ()) -> InvalidInput:
        """An error about a part of this file, to be raised."""
        return refusal(message, self.name, self.line(path))


def refusal(message: str, name: str, line: int) -> InvalidInput:
    """An error about a rule file, to be raised."""
    return InvalidInput("malformed-rule", message, where=f"{name}:{line}")


def load(data: bytes, name: str) -> Document:
    """Read one file. Raises InvalidInput `malformed-rule`."""
    if len(data) > MAX_BYTES:
        raise refusal(f"the file is larger than {MAX_BYTES} bytes; divide it", name, 1)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refusal(
            "the file is not UTF-8 text; save it as UTF-8", name, data[: error.start].count(b"\n") + 1
        ) from None
    if text.startswith("\ufeff"):
        raise refusal("the file begins with a byte order mark; save it as UTF-8 without one", name, 1)
    # The loader written in C is ten times faster; both produce the same events for this part of YAML.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = _Builder(name, yaml.parse(text, Loader=loader))
    try:
        return builder.document()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise refusal(f"the file is not valid YAML: {error.problem or 'cut short'}", name, line) from None
    except yaml.YAMLError:
        raise refusal(
            "the file is not valid YAML: it holds a control character; take it out", name, 1
        ) from None


class _Builder:
    """Turns parser events into a tree, so that no YAML type is ever guessed."""

    def __init__(self, name: str, events: Iterator[yaml.Event]) -> None:
        self._name = name
        self._events = events
        self._lines: dict[Path, int] = {}

    def document(self) -> Document:
        """Read the one document there may be."""
        self._next()  # start of stream
        start = self._next()
        if not isinstance(start, yaml.DocumentStartEvent):
            raise self._refuse("the file is empty", start)
        if start.version or start.tags:
            raise self._refuse("directives are not allowed; take out the lines that begin with `%`", start)
        value = self._node(self._next(), ())
        whole = getattr(self._next(), "explicit", False)
        end = self._next()
        if not isinstance(end, yaml.StreamEndEvent):
            raise self._refuse("a second document is not allowed; make it a file of its own", end)
        if not whole:
            line = max(self._lines.values())
            raise refusal("the last line is not `...`: the file was cut short, or lacks it", self._name, line)
        return Document(name=self._name, value=value, lines=self._lines)

    def _next(self) -> yaml.Event:
        return next(self._events)

    def _refuse(self, message: str, event: yaml.Event) -> InvalidInput:
        return refusal(message, self._name, self._line(event))

    @staticmethod
    def _line(event: yaml.Event) -> int:
        return event.start_mark.line + 1 if event.start_mark else 1

    def _node(self, event: yaml.Event, path: Path) -> Tree:
        self._lines.setdefault(path, self._line(event))
        if len(path) > MAX_DEPTH:
            raise self._refuse(
                f"nested more than {MAX_DEPTH} levels deep; bring it nearer to the margin", event
            )
        if isinstance(event, yaml.AliasEvent):
            raise self._refuse("an alias (`*name`) is not allowed; write it out", event)
        if not isinstance(event, yaml.ScalarEvent | yaml.SequenceStartEvent | yaml.MappingStartEvent):
            raise self._refuse("the file is not valid YAML", event)
        if event.anchor is not None:
            raise self._refuse("an anchor (`&name`) is not allowed; write it out", event)
        if event.tag is not None:
            raise self._refuse("a tag (`!name`) is not allowed; take it out", event)
        if isinstance(event, yaml.ScalarEvent):
            return self._text(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(path)
        return self._mapping(path)

    def _text(self, event: yaml.ScalarEvent) -> str:
        value: str = event.value
        if value == "" and not event.style:
            raise self._refuse("a value is missing; write one, or leave the key out", event)
        # What the eye does not see may turn a sentence around (CVE-2021-42574), or hide in an id.
        if not value.replace("\n", "").isprintable():
            raise self._refuse("a control character, or one that cannot be seen; take it out", event)
        return value

    def _list(self, path: Path) -> list[Tree]:
        items: list[Tree] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[str, Tree]:
        items: dict[str, Tree] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._node(event, (*path, ""))
            if not isinstance(key, str):
                raise self._refuse("a key must be text; a list or a mapping stands in its place", event)
            if key in items:
                raise self._refuse(f"the key `{key}` stands there twice; keep one of them", event)
            self._lines[(*path, key)] = self._line(event)
            items[key] = self._node(self._next(), (*path, key))
        return items
