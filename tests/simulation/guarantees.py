# SPDX-License-Identifier: EUPL-1.2
"""The guarantees G5 to G10 at one moment: what the broker's database holds is what the model says that it must.

Most is read from the tables themselves, past the broker's own queries; mailboxes through the query that fills them.
"""

import sqlite3
from collections import Counter
from contextlib import closing
from typing import Any
from uuid import UUID

from evaluator.shares import EvaluatorShares
from sluis.envelope import KeptField
from sluis.merkle import CompactRange, leaf_hash
from sluis.v1 import envelope_pb2
from sluis.wire import envelope_from_wire
from tests.simulation.epochs import Epochs, seed_file
from tests.simulation.model import Signal
from tests.simulation.play import Play

TOLD = (
    "signal.",
    "match.",
    "watch.hit",
    "followup.",
    "epoch.",
    "key.",
)  # all entries of these must be accounted for
SIGNAL = "signal_id, envelope, redaction, pseudonym, retain_until_ms, destroyed_index, withdrawn_index"
DUTY = "act, debtor, creditor, signal_id, follow_up_id, due_at_ms"


def check_all(play: Play, epochs: Epochs) -> None:
    """All of what follows."""
    with closing(sqlite3.connect(play.world.folder / "broker.db")) as database:
        the_log_only_grows_and_tells_all(play)
        mailboxes_hold_what_they_must(play, database)
        each_duty_is_known(play, database)
        what_ended_is_gone(play, database)
    seeds_live_as_long_as_their_data(play, epochs)


def the_log_only_grows_and_tells_all(play: Play) -> None:
    """G7, G8: the log begins with what it was, its head is its root, and it tells exactly what was done."""
    told = Counter(_account(entry) for entry in play.new_entries() if _is_told(entry["operation"]))
    must = Counter(play.model.log)
    assert told == must, (told - must, must - told)
    play.model.log.clear()
    leaves = [leaf_hash(entry) for entry in play.world.raw_entries()]
    assert leaves[: len(play.seen)] == play.seen
    tree, _ = CompactRange().extend(leaves)
    assert tree.root() == play.world.store.head().tree.root()
    play.seen = leaves


def _is_told(operation: str) -> bool:
    return operation.startswith(TOLD) and operation != "key.publish"


def _account(entry: dict[str, Any]) -> tuple[str, str]:
    about_an_epoch = entry["operation"].startswith(("epoch.", "key."))
    return entry["operation"], entry["epoch"] if about_an_epoch else entry["outcome"]


def mailboxes_hold_what_they_must(play: Play, database: sqlite3.Connection) -> None:
    """G5, G9: what was permitted, has not ended and was not taken back waits for its recipient; nothing else does."""
    for party, actor in play.actors.items():
        assert {view.log_index for view in play.world.waiting(actor)} == play.model.mailbox(party)
    query = (
        "SELECT recipient, follow_up_id, signal_id FROM follow_up_delivery WHERE acknowledged_index IS NULL"
    )
    told = Counter((party, UUID(bytes=one), UUID(bytes=copy)) for party, one, copy in database.execute(query))
    must = Counter((party, one, copy) for party, waits in play.model.told.items() for one, copy in waits)
    assert told == must, (told - must, must - told)


def each_duty_is_known(play: Play, database: sqlite3.Connection) -> None:
    """What is owed, by whom, to whom and until when; who never does it is overdue."""
    owed = Counter(database.execute(f"SELECT {DUTY} FROM duty WHERE done_index IS NULL"))
    duties, now = play.model.duties, play.model.now()
    must = Counter(
        (
            duty.act,
            duty.debtor,
            duty.creditor,
            duty.signal_id.bytes,
            duty.follow_up.bytes if duty.follow_up else None,
            duty.due_ms,
        )
        for duty in duties
    )
    assert owed == must, (owed - must, must - owed)
    late = play.world.store.follow_ups.count_overdue("", now)
    assert late == Counter(duty.act for duty in duties if duty.due_ms < now)


def what_ended_is_gone(play: Play, database: sqlite3.Connection) -> None:
    """G10: each end is what it must be; of what has gone nothing is left, of what was taken back no field."""
    rows = {UUID(bytes=row[0]): row[1:] for row in database.execute(f"SELECT {SIGNAL} FROM signal")}
    answers, salts = (
        {index for (index,) in database.execute(f"SELECT log_index FROM {table}")}
        for table in ("first_answer", "entry_salt")
    )
    permitted = {signal.signal_id: signal for signal in play.model.signals.values() if signal.permitted}
    assert rows.keys() == permitted.keys()
    for signal_id, (envelope, redaction, pseudonym, until, destroyed, withdrawn) in rows.items():
        signal = permitted[signal_id]
        assert (destroyed is not None, withdrawn is not None) == (signal.gone, signal.taken_back)
        assert (signal.index in answers) == (not signal.gone and not signal.replaces)  # G9
        assert (signal.index in salts) == (not signal.gone)
        if signal.gone:
            assert (envelope, redaction, pseudonym) == (b"", b"", b"")
            continue
        assert until == signal.until_ms
        if signal.taken_back and not signal.was_held:
            assert not fields_in(envelope)
    query = "SELECT DISTINCT epoch FROM register_entry JOIN register_snapshot USING (snapshot_id)"
    retired = {age.name for age in play.model.ages.values() if age.retired}
    assert not {epoch for (epoch,) in database.execute(query)} & retired


def seeds_live_as_long_as_their_data(play: Play, epochs: Epochs) -> None:
    """G9, G10: no seed goes while a datum of its epoch is kept, and one that was destroyed is nowhere any more."""
    for actor in epochs.shares:
        seeds = set(EvaluatorShares.load(seed_file(play.world.folder, actor)).epochs)
        for age in play.model.ages.values():
            assert (age.name in seeds) == (actor.oin in age.seeds)
            assert age.name in seeds or not play.model.in_use(age.name)


def nothing_is_lost(play: Play) -> None:
    """G9, G10, once everybody has read all: what was permitted arrived, was taken back, or ended; no answer is due."""
    for signal in play.model.signals.values():
        if signal.permitted and not signal.deposit and not signal.taken_back:
            copies = play.holder(play.actors[signal.recipient]).copies
            assert signal.signal_id in copies or signal.until_ms <= play.model.now()
    assert not [duty for duty in play.model.duties if duty.act == "fulfil"]


def fields_in(envelope: bytes) -> list[KeptField]:
    """The sealed fields of an envelope as it is stored."""
    message = envelope_pb2.Envelope.FromString(envelope)
    return [one for one in envelope_from_wire(message).fields if isinstance(one, KeptField)]


def kept_fields(play: Play, signal: Signal) -> list[KeptField]:
    """The sealed fields of a signal that lie in the database."""
    with closing(sqlite3.connect(play.world.folder / "broker.db")) as database:
        query = "SELECT envelope FROM signal WHERE signal_id = ?"
        ((envelope,),) = database.execute(query, (signal.signal_id.bytes,)).fetchall()
    return fields_in(envelope)
