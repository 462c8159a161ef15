# SPDX-License-Identifier: EUPL-1.2
"""Follows the log for the console: new entries in order become rows and counts (`broker.storage.projected`).

Only the replica that holds the leader's lock follows. Nothing waits for it: it reads what was committed, and what it
writes follows from the log alone, so it may stop anywhere, be done twice, or start again from the first entry. While
many exchanges come in it gives way to them, for a minute at most.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from itertools import islice
from typing import Any, TypeAlias

import structlog

from broker.policy.active import stored_bundle
from broker.storage.asked_port import AskedCount, AskedKey, AskedMode
from broker.storage.port import LogRow, Store
from broker.storage.projected import (
    ACKNOWLEDGE,
    DELAYABLE,
    DENIED,
    ENDS,
    FOLLOW_UP,
    NOTED,
    PARTLY,
    RELEASED,
    Batch,
    ExchangeRow,
    Shape,
    day_bucket,
    day_of,
    month_bucket,
)
from sluis.errors import NotFound, SluisError
from sluis.policy.rules import Notice

log = structlog.get_logger("broker.projection")

LOCK = "projection"
PORTION = 250  # the log's writer waits for no more than this, on SQLite
BUSY = 250  # entries a second
PATIENCE = 60.0  # seconds that it gives way
UNKNOWN = "?"
_MEMBERS = ("operation", "sender", "recipient", "agreement", "kind", "purpose", "policy")
_DECIDED = ("result", "rule", "reason", "policy", "notice")

# The category of a field under the rules with a digest.
CategoryOf: TypeAlias = Callable[[str, str], str]


class Projection:
    """Keeps the exchange index close behind the log."""

    def __init__(
        self, store: Store, interval: float = 1.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._interval = interval
        self._monotonic = monotonic
        self._size: int | None = None  # of the log, a round ago
        self._followed = 0.0
        self._fields = lru_cache(maxsize=64)(self._read_fields)

    async def run(self) -> None:
        """Follow until cancelled; trouble is logged and tried again."""
        while True:
            try:
                # No further than the log was then: one that grows quickly would never let go.
                if until := await asyncio.to_thread(self.due):
                    while await asyncio.to_thread(self.once, until):
                        pass
            except SluisError as error:
                log.warning("projection.failed", code=error.code, reason=error.message)
            await asyncio.sleep(self._interval)

    def due(self) -> int:
        """Up to which entry to follow now: the log's end, or 0 while it grows quickly and was not let go ahead long."""
        size, now = self._store.head().tree.size, self._monotonic()
        grown, self._size = size - (size if self._size is None else self._size), size
        if grown > BUSY * self._interval and now - self._followed < PATIENCE:
            return 0
        self._followed = now
        return size

    def once(self, until: int | None = None) -> bool:
        """Take in the next portion if this replica leads; whether there may be more before `until`."""
        if not self._store.try_lead(LOCK) or not self.advance():
            return False
        return until is None or self._store.exchange_index.position() < until

    def advance(self, portion: int = PORTION) -> bool:
        """Take in the next portion; whether it was full, so that there may be more.

        What comes in while the log grows waits for the next round: portions of a few entries would take the writer
        often, and cost twice as much an entry.
        """
        index = self._store.exchange_index
        start = index.position()
        rows = list(islice(self._store.entries(start, start + portion), portion))
        if not rows or not index.write(project(rows, index.rows_at, self._category)):
            return False
        return len(rows) == portion

    def _category(self, policy: str, field: str) -> str:
        return self._fields(policy).get(field, UNKNOWN)

    def _read_fields(self, policy: str) -> Mapping[str, str]:
        try:
            bundle = stored_bundle(self._store, policy)
        except NotFound:
            return {}
        return {name: spec.category.value for name, spec in bundle.catalog.fields.items()}


def project(
    entries: Sequence[LogRow],
    rows_at: Callable[[Sequence[int]], Mapping[int, ExchangeRow]],
    category_of: CategoryOf,
) -> Batch:
    """What contiguous entries add; `rows_at` gives earlier rows, for what was delivered then."""
    parsed = [(row.log_index, entry) for row in entries if (entry := _read(row)) is not None]
    before = {int(entry["previous"]) for _, entry in parsed if _tells(entry)}
    start, end = entries[0].log_index, entries[-1].log_index + 1
    earlier = rows_at([index for index in before if index < start])
    taken: dict[int, ExchangeRow] = {}
    moved: dict[int, ExchangeRow] = {}
    seen: dict[tuple[object, ...], Shape] = {}  # most entries of a busy minute are alike
    for index, entry in parsed:
        if "decision" in entry:
            if (shape := seen.get(key := _shaping(entry))) is None:
                shape = seen[key] = shape_of(entry, category_of)
            taken[index] = _row(index, entry, shape)
            continue
        if not _tells(entry):
            taken[index] = replace(_row(index, entry, _noted(entry)), exchange="", previous=None)
            continue
        at = entry["previous"]
        signal = taken.get(at) or moved.get(at) or earlier.get(at)
        if signal is None:
            log.error("projection.entry-lost", log_index=index)
            continue
        if entry["operation"] == ACKNOWLEDGE:
            (taken if at in taken else moved)[at] = replace(
                signal, shape=_known(replace(signal.shape, acknowledged="yes"))
            )
        taken[index] = _row(index, entry, _told(signal.shape, entry))
    counter = _Counts()
    for row in taken.values():
        counter.add(row)
    for at, row in moved.items():
        counter.move(earlier[at], row, start)
    asked: dict[AskedKey, AskedCount] = {}
    for _, entry in parsed:
        if (question := _asked(entry)) is not None:
            asked[question[0]] = asked.get(question[0], AskedCount()).plus(question[1])
    return Batch(
        start=start,
        end=end,
        rows=list(taken.values()),
        acknowledged={at: row.shape for at, row in moved.items()},
        shapes=counter.shapes,
        counts=counter.by_bucket(),
        days=counter.days,
        asked=asked,
    )


def _read(row: LogRow) -> Mapping[str, Any] | None:
    """The entry, when it is of an exchange or noted. What no broker wrote is for the log's verifier to report."""
    try:
        entry = json.loads(row.entry.decode())
        operation = entry["operation"]
    except (ValueError, TypeError, KeyError):
        log.error("projection.entry-unreadable", log_index=row.log_index)
        return None
    return entry if operation in NOTED or "decision" in entry or _tells(entry) else None


def _tells(entry: Mapping[str, Any]) -> bool:
    """Whether it tells something of a signal, and decides nothing."""
    operation = entry["operation"]
    about = operation in (ACKNOWLEDGE, *ENDS) or (operation.startswith(FOLLOW_UP) and "previous" in entry)
    return about and "decision" not in entry


def _shaping(entry: Mapping[str, Any]) -> tuple[object, ...]:
    """All that `shape_of` looks at."""
    return (
        *(entry[name] for name in _MEMBERS),
        *(entry.get(name) for name in ("decision", "delivery", "outcome")),
        *((rule["id"], *rule["basis"]) for rule in entry["rules"]),
        *(reason["code"] for reason in entry["reasons"][:1]),
        tuple(entry["released"]),
        bool(entry["withheld"]),
        _notice(entry),
    )


def shape_of(entry: Mapping[str, Any], category_of: CategoryOf) -> Shape:
    """The shape of an entry that decides an exchange (docs/log-format.md, "The entry")."""
    released, rules, reasons = entry["released"], entry["rules"], entry["reasons"]
    # A refused release has the outcome `refused`, so these two were put into a mailbox.
    delivered = entry.get("outcome") in ("mailbox", "released")
    shape = Shape(
        **{name: entry[name] for name in _MEMBERS},
        result=_result(entry),
        rule=rules[0]["id"] if rules else "",
        reason=reasons[0]["code"] if reasons else "",
        delivery=entry.get("delivery", ""),
        outcome=entry.get("outcome", ""),
        acknowledged="no" if delivered else "",
        notice=_notice(entry),
        articles=tuple(sorted({article for rule in rules for article in rule["basis"]})),
        categories=tuple(sorted({category_of(entry["policy"], name) for name in released})),
    )
    return _known(shape)


def _notice(entry: Mapping[str, Any]) -> str:
    duties = entry.get("obligations", {})
    notice = str(duties.get("notice", ""))
    return DELAYABLE if notice == Notice.MUST and duties.get("delay_grounds") else notice


@lru_cache(maxsize=20_000)
def _known(shape: Shape) -> Shape:
    """The first that was equal, whose number is worked out already."""
    return shape


def _result(entry: Mapping[str, Any]) -> str:
    if entry["decision"] != "permit":
        return DENIED
    return PARTLY if entry["released"] and entry["withheld"] else RELEASED


def _told(signal: Shape, entry: Mapping[str, Any]) -> Shape:
    """A confirmation, follow-up or end is between the parties of its signal; it decided nothing."""
    shape = replace(
        signal,
        operation=entry["operation"],
        **dict.fromkeys((*_DECIDED, "delivery", "acknowledged"), ""),
        outcome=entry["outcome"],
        articles=(),
        categories=(),
    )
    return _known(shape)


def _noted(entry: Mapping[str, Any]) -> Shape:
    """The shape of an entry about no exchange: who it is about, and which sort it is."""
    party = str(entry.get("reader") or entry.get("party") or "")
    outcome = str(entry.get("scope", ""))
    if "found" in entry:
        outcome = "found" if entry["found"] else "nothing"
    shape = Shape(
        operation=entry["operation"],
        sender=party,
        recipient=party,
        agreement="",
        kind="",
        purpose="",
        result="",
        rule="",
        reason="",
        policy="",
        delivery="",
        outcome=outcome,
        acknowledged="",
    )
    return _known(shape)


def _asked(entry: Mapping[str, Any]) -> tuple[AskedKey, AskedCount] | None:
    """What an answered question, or a digest that was given, adds to the counts of its day."""
    if entry.get("outcome") not in ("answered", "given"):
        return None
    mode = AskedMode.CLAIM if "digest" in entry else AskedMode.PLAIN
    if entry["operation"] == "match.digest":
        mode = AskedMode.DIGEST
    elif entry["operation"] != "match.question":
        return None
    key = AskedKey(
        day=day_of(round(datetime.fromisoformat(entry["time"]).timestamp() * 1000)),
        participant=entry["recipient"],
        agreement=entry["agreement"],
        kind=entry["kind"],
        mode=mode,
    )
    asked = entry.get("signals" if mode is AskedMode.DIGEST else "asked", 0)
    return key, AskedCount(questions=1, asked=int(asked), hits=int(entry.get("hits", 0)))


def _row(index: int, entry: Mapping[str, Any], shape: Shape) -> ExchangeRow:
    moment = datetime.fromisoformat(entry["time"])
    return ExchangeRow(
        log_index=index,
        time_ms=round(moment.timestamp() * 1000),
        exchange=entry.get("exchange", ""),
        previous=entry.get("previous"),
        shape=shape,
    )


class _Counts:
    """Collects the shapes, counts and days of a batch."""

    def __init__(self) -> None:
        self.shapes: dict[int, tuple[int, Shape]] = {}
        self._counts: Counter[tuple[date, int]] = Counter()
        self.days: dict[int, int] = {}

    def add(self, row: ExchangeRow) -> None:
        """Count a new row."""
        self.shapes.setdefault(row.shape.shape_id, (row.log_index, row.shape))
        day = day_of(row.time_ms)
        self.days.setdefault(day_bucket(day), row.log_index)
        if row.shape.decided:
            self._counts[day, row.shape.shape_id] += 1

    def move(self, before: ExchangeRow, after: ExchangeRow, since: int) -> None:
        """Count an earlier row under another shape, on the day on which it was logged."""
        self.shapes.setdefault(after.shape.shape_id, (since, after.shape))
        if before.shape != after.shape:
            day = day_of(after.time_ms)
            self._counts[day, before.shape.shape_id] -= 1
            self._counts[day, after.shape.shape_id] += 1

    def by_bucket(self) -> dict[tuple[int, int], int]:
        """What was counted, for days and for months."""
        found: Counter[tuple[int, int]] = Counter()
        for (day, shape_id), entries in self._counts.items():
            for bucket in (day_bucket(day), month_bucket(day)):
                found[bucket, shape_id] += entries
        return dict(found)
