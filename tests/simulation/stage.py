# SPDX-License-Identifier: EUPL-1.2
"""What every machine of the simulation stands on: the play, and what must be true after each step.

G5 nothing moves without a rule, G6 only permitted fields, G7 logged before its effect, G8 the log only grows, G9
nothing acknowledged is lost or comes twice, G10 what was called back or has ended is gone. Each is held against the
model, which is worked out apart from the broker's code.
"""

import os
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from tempfile import mkdtemp
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from broker.storage.follow_up_port import FollowUpView
from broker.storage.retention_port import LegalHold
from evaluator.shares import EvaluatorShares
from sluis.envelope import KeptField
from sluis.errors import SluisError
from sluis.followup import FollowUp
from sluis.merkle import CompactRange, leaf_hash
from sluis.v1 import envelope_pb2
from sluis.wire import envelope_from_wire
from tests.actors import Actor
from tests.simulation.epochs import Epochs, seed_file
from tests.simulation.matching import Matching
from tests.simulation.model import AGREEMENT, DAY, Listed, Signal
from tests.simulation.play import Play
from tests.simulation.process import expect
from tests.simulation.signals import FIRMS
from tests.simulation.trouble import Trouble
from tests.unit.match_samples import pseudonym_of

TROUBLE = st.sampled_from(Trouble)
FIRM = st.sampled_from(sorted(FIRMS))
SOME = st.integers(0, 20)
DAYS = st.integers(1, 400)
LATEST = st.one_of(st.just(-1), st.integers(-3, 20))  # the newest more often than others
TEMPLATE: list[Path] = []
TOLD = (  # of these operations each entry must be accounted for
    "signal.",
    "match.",
    "watch.hit",
    "followup.",
    "epoch.",
    "key.",
)


class Stage(RuleBasedStateMachine):
    """A play, and its invariants."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp(prefix="sluis-simulation-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")))
        self.play = Play(self.folder, TEMPLATE[0])
        self.world, self.cast, self.model = self.play.world, self.play.cast, self.play.model
        self.parties = (self.cast.nla, self.cast.sna, self.cast.body, self.cast.other_body)
        self.epochs = Epochs(self.play, TEMPLATE[0])
        self.matching = Matching(self.play, self.folder)
        self.holds: dict[str, tuple[LegalHold, tuple[str, str]]] = {}
        self.play.seen = [leaf_hash(entry) for entry in self.world.raw_entries()]
        for recipient in (self.cast.sna, self.cast.body):
            self.play.register(*FIRMS, epoch=self.epochs.names[0], to=recipient)

    @initialize(
        fines=st.lists(st.tuples(FIRM, st.booleans(), DAYS), min_size=1, max_size=3),
        facts=st.lists(st.tuples(FIRM, st.booleans(), DAYS), min_size=1, max_size=3),
        watched=st.sampled_from([None, "before", "after"]),
        read=st.booleans(),
        asked=st.sampled_from([None, False, True]),
    )
    def some_time_went_by(
        self,
        fines: list[tuple[str, bool, int]],
        facts: list[tuple[str, bool, int]],
        watched: str | None,
        read: bool,
        asked: bool | None,
    ) -> None:
        """Signals were exchanged before the story begins, so that it has something to go on with."""
        sna, body, epoch = self.cast.sna, self.cast.body, self.epochs.names[0]
        for actor in self.parties[:3]:
            self.epochs.known[actor.oin] = self.epochs.learn(self.cast.nla)
        made = self.play.seal
        for firm, severe, days in fines:
            self.play.push(
                made(firm, by=self.cast.nla, to=sna, epoch=epoch, severe=severe, expires_ms=self.days(days))
            )
        if read:
            self.play.read(sna)
            self.play.acknowledge(sna)
        if watched == "before":
            self.watch_list(sorted(FIRMS), epoch, 60)
        copies = [self.model.signals[one] for one in self.play.holder(sna).copies]
        for number, (firm, severe, days) in enumerate(facts):
            first = copies[number] if number < len(copies) else None
            self.play.push(
                made(
                    first.firm if first else firm,
                    by=sna,
                    to=body,
                    epoch=epoch,
                    severe=severe,
                    expires_ms=self.days(days),
                    previous=first.signal_id if first else None,
                )
            )
        if watched == "after":
            self.watch_list(sorted(FIRMS), epoch, 60)
        if asked is not None:
            self.matching.match([epoch], Trouble.NONE, private=asked)

    def days(self, number: int) -> int:
        """A moment so many days from now."""
        return self.model.now() + number * DAY

    def watch_list(self, firms: list[str], epoch: str, days: int) -> None:
        """The body leaves a watch list, renews it, or takes it back."""
        last_day = self.model.today + timedelta(days=days)
        expected = self.model.watches(epoch, firms, last_day)
        pseudonyms = [pseudonym_of(FIRMS[firm], epoch) for firm in firms]
        try:
            answer = self.play.run(
                self.world.watch(*pseudonyms, epoch=epoch, valid_until=last_day.isoformat())
            )
            told = "permit" if answer.decision.effect == envelope_pb2.EFFECT_PERMIT else "deny"
        except SluisError as error:
            told = error.code
        expect(told, expected)
        if not firms and told in ("permit", "deny"):
            self.model.watched.pop(epoch, None)  # it is taken back whatever a rule says
        elif told == "permit":
            days_of = dict.fromkeys(firms, last_day)
            self.model.watched[epoch] = Listed(last_days=days_of, loaded_ms=self.model.now())

    def teardown(self) -> None:
        """Let everybody read what is left, look once more, and end."""
        try:
            for target in sorted(self.model.stopped):
                self.play.resume(target)
            for actor in self.parties[:3]:
                if actor.oin in self.model.revoked:
                    self.play.reinstate(actor)
            for actor in self.parties[:3]:
                self.play.read(actor)
                self.play.acknowledge(actor)
                self.play.hear(actor)
            self.play.hear(self.cast.nla)  # what the others answered
            self.play.hear(self.cast.sna)
            self.what_lies_where_is_what_must()
            self._nothing_is_lost()
        finally:
            self.matching.close()
            self.play.close()
            shutil.rmtree(self.folder)

    def _nothing_is_lost(self) -> None:
        """G9, G10: what was permitted arrived, was taken back, or ended; whoever was told has answered."""
        for signal in self.model.signals.values():
            if signal.permitted and not signal.deposit and not signal.taken_back:
                copies = self.play.holder(self.play.actors[signal.recipient]).copies
                assert signal.signal_id in copies or signal.until_ms <= self.model.now()
        assert not [duty for duty in self.model.duties if duty.act == "fulfil"]

    # what must be true at every moment

    @invariant()
    def all_is_well(self) -> None:
        """All of what follows."""
        self.the_log_only_grows_and_tells_all()
        self.what_lies_where_is_what_must()
        self.each_duty_is_known_to_both()
        self.what_ended_is_gone()
        self.seeds_live_as_long_as_their_data()

    def the_log_only_grows_and_tells_all(self) -> None:
        """G7, G8: the log begins with what it was, its head is its root, and it tells exactly what was done."""
        told = Counter(
            (
                entry["operation"],
                entry["epoch"] if entry["operation"][:4] in ("epoc", "key.") else entry["outcome"],
            )
            for entry in self.play.new_entries()
            if entry["operation"].startswith(TOLD) and entry["operation"] != "key.publish"
        )
        assert told == Counter(self.model.log), (
            told - Counter(self.model.log),
            Counter(self.model.log) - told,
        )
        self.model.log.clear()
        leaves = [leaf_hash(entry) for entry in self.world.raw_entries()]
        assert leaves[: len(self.play.seen)] == self.play.seen
        tree, _ = CompactRange().extend(leaves)
        assert tree.root() == self.world.store.head().tree.root()
        self.play.seen = leaves

    def what_lies_where_is_what_must(self) -> None:
        """G5, G9: mailboxes hold what was permitted, has not ended and was not taken back: no more, no less."""
        for actor in self.parties:
            waiting = self.world.waiting(actor)
            assert {view.log_index for view in waiting} == self.model.mailbox(actor.oin)
            told = self.world.store.follow_ups.mailbox(actor.oin, -1, 1000)
            assert Counter(map(_of_view, told)) == Counter(self.model.told.get(actor.oin, []))

    def each_duty_is_known_to_both(self) -> None:
        """What is owed, by whom, to whom and until when; who never answers is overdue."""
        rows = self.world.store.follow_ups.duties("", due_before=None, after=(-1, -1), limit=1000)
        owed = Counter(
            (duty.act, duty.debtor, duty.creditor, duty.signal_id, duty.follow_up_id, duty.due_at_ms)
            for _, duty in rows
        )
        must = Counter(
            (
                duty.act,
                duty.debtor,
                duty.creditor,
                duty.signal_id.bytes,
                duty.follow_up.bytes if duty.follow_up else None,
                duty.due_ms,
            )
            for duty in self.model.duties
        )
        assert owed == must, (owed - must, must - owed)
        now = self.model.now()
        late = self.world.store.follow_ups.count_overdue("", now)
        assert sum(late.values()) == sum(duty.due_ms < now for duty in self.model.duties)

    def what_ended_is_gone(self) -> None:
        """G10: each end is what it must be; of what has gone nothing is left, of what was taken back no field."""
        with closing(sqlite3.connect(self.world.folder / "broker.db")) as database:
            columns = (
                "signal_id, envelope, redaction, pseudonym, retain_until_ms, destroyed_index, withdrawn_index"
            )
            rows = {UUID(bytes=row[0]): row[1:] for row in database.execute(f"SELECT {columns} FROM signal")}
            entries = database.execute(
                "SELECT epoch FROM register_entry JOIN register_snapshot USING (snapshot_id) GROUP BY epoch"
            ).fetchall()
            answers = {row[0] for row in database.execute("SELECT log_index FROM first_answer")}
        permitted = {signal.signal_id: signal for signal in self.model.signals.values() if signal.permitted}
        assert rows.keys() == permitted.keys()
        for signal_id, (envelope, redaction, pseudonym, until, destroyed, withdrawn) in rows.items():
            signal = permitted[signal_id]
            assert (destroyed is not None) == signal.gone
            assert (withdrawn is not None) == signal.taken_back
            assert (signal.index in answers) == (not signal.gone and not signal.replaces)  # G9
            if signal.gone:
                assert (envelope, redaction, pseudonym) == (b"", b"", b"")
                continue
            assert until == signal.until_ms
            if signal.taken_back and not signal.was_held:
                assert not _fields_in(envelope)
        assert not {row[0] for row in entries} & {age.name for age in self.model.ages.values() if age.retired}

    def seeds_live_as_long_as_their_data(self) -> None:
        """G10, G9: no seed goes while a datum of its epoch is kept, and one that was destroyed is nowhere any more."""
        for actor in self.cast.evaluators:
            seeds = set(EvaluatorShares.load(seed_file(self.world.folder, actor)).epochs)
            for age in self.model.ages.values():
                assert (age.name in seeds) == (actor.oin in age.seeds)
                assert age.name in seeds or not self.model.in_use(age.name)

    def kept_fields(self, signal: Signal) -> list[KeptField]:
        """The sealed fields that lie in the database."""
        with closing(sqlite3.connect(self.world.folder / "broker.db")) as database:
            query = "SELECT envelope FROM signal WHERE signal_id = ?"
            (row,) = database.execute(query, (signal.signal_id.bytes,)).fetchall()
        return _fields_in(row[0])

    # what rules share

    def any_signal(self, number: int, *, permitted: bool = False, released: bool = False) -> Signal | None:
        """One of those that were offered."""
        found = [
            signal
            for signal in self.model.signals.values()
            if (signal.permitted or not permitted) and (signal.released or not released)
        ]
        return found[number % len(found)] if found else None

    def any_epoch(self, number: int) -> str:
        """One of those that were announced."""
        names = list(self.model.ages)
        return names[number % len(names)]

    def heard(self, actor: Actor) -> bool:
        """Whether the broker hears a party at all."""
        return not self.model.caller(actor.oin)

    def knows(self, actor: Actor, *, fresh: bool) -> bool:
        """Let a party ask for the epochs, if it would and can; False for one that knows of none."""
        if fresh and self.heard(actor):
            self.epochs.learn(actor)
        return actor.oin in self.epochs.known

    @property
    def stopped_agreement(self) -> bool:
        """Whether new exchange under the agreement is stopped."""
        return AGREEMENT in self.model.stopped


def _of_view(view: FollowUpView) -> tuple[UUID, UUID]:
    return FollowUp.decode(view.statement).follow_up_id, UUID(bytes=view.signal_id)


def _fields_in(envelope: bytes) -> list[KeptField]:
    message = envelope_pb2.Envelope.FromString(envelope)
    return [one for one in envelope_from_wire(message).fields if isinstance(one, KeptField)]
