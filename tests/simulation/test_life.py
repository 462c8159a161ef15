# SPDX-License-Identifier: EUPL-1.2
"""Any sequence of what parties do, with crashes, a lossy network and time that passes: the guarantees hold.

The invariants are those of the design: G5 nothing moves without a rule, G6 only permitted fields, G7 logged before
its effect, G8 the log only grows, G9 nothing acknowledged is lost or comes twice, G10 what is called back or has
ended is gone.
"""

import json
import shutil
from collections import Counter
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sluis.envelope import KeptField
from sluis.errors import SluisError
from sluis.followup import Act
from sluis.merkle import CompactRange
from tests.actors import START
from tests.retention_world import kept, row
from tests.simulation.play import FIRMS, Play, Sent, Trouble
from tests.world import AGREEMENT, CLAIMS, DAY_MS, make_database

TROUBLE = st.sampled_from(Trouble)
FIRM = st.sampled_from(FIRMS)
SOME = st.integers(0, 20)

# A failure shows the steps that led to it as they were drawn: shrinking them takes many minutes.
PHASES = tuple(phase for phase in Phase if phase is not Phase.shrink)

TEMPLATE: list[Path] = []


class Life(RuleBasedStateMachine):
    """Plays; `lives` says what is known of each signal."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp(prefix="sluis-simulation-"))
        self.play = Play(self.folder, TEMPLATE[0])
        self.world, self.cast = self.play.world, self.play.world.cast
        self.stopped = False
        self.play.register(*FIRMS)

    def teardown(self) -> None:
        """Let everybody read what is left, look once more, and end."""
        try:
            if self.stopped:
                self.goes_on()
            for actor in (self.cast.sna, self.cast.body, self.cast.nla):
                self.play.take_in(actor, Trouble.NONE)
                self.play.hear(actor, Trouble.NONE)
            self._nothing_is_lost()
            self._whoever_was_told_has_answered()
        finally:
            self.play.close()
            shutil.rmtree(self.folder)

    # signals

    @rule(firm=FIRM, trouble=TROUBLE, days=st.integers(1, 400), severe=st.booleans())
    def sends(self, firm: bytes, trouble: Trouble, days: int, severe: bool) -> None:
        """The inspectorate sends a fine to the foundation."""
        claims = {**CLAIMS, **({"severity": "4"} if severe else {})}
        expires = self.world.clock.ms() + days * DAY_MS
        envelope = self.world.envelope(firm, expires_at_ms=expires, claims=claims)
        self._pushed(self.play.push(envelope, trouble))

    @rule(firm=FIRM, trouble=TROUBLE, days=st.integers(1, 400), number=SOME)
    def deposits(self, firm: bytes, trouble: Trouble, days: int, number: int) -> None:
        """The foundation deposits a fact for a certification body, passed on from a fine that it holds if it can."""
        first = self._held_by(self.cast.sna, number)
        changes: dict[str, Any] = {"expires_at_ms": self.world.clock.ms() + days * DAY_MS}
        if first:
            changes["previous"] = first.signal_id
        envelope = self.world.deposit(firm, **changes)
        if first and first.taken_back:
            with pytest.raises(SluisError) as caught:
                self.play.push(envelope, trouble)
            assert caught.value.code == "signal-withdrawn"
        else:
            self._pushed(self.play.push(envelope, trouble))

    @rule(number=SOME)
    def repeats(self, number: int) -> None:
        """A push that was answered is sent again: one effect, the first answer."""
        sent = self._any(number)
        # First answers end with what they are about; until then they count, however old the signal is.
        if sent and kept(self.world, sent.index)[1]:
            size = self.world.size
            assert self.play.push_again(sent)
            assert self.world.size == size

    @rule(trouble=TROUBLE, foundation=st.booleans())
    def reads_the_mailbox(self, trouble: Trouble, foundation: bool) -> None:
        """A recipient takes in what waits; nothing that was called back is among it."""
        actor = self.cast.sna if foundation else self.cast.body
        for view in self.play.take_in(actor, trouble):
            released = set(json.loads(view.entry)["released"])
            envelope = self.play.opened(view, actor)
            assert {item.name for item in envelope.fields if isinstance(item, KeptField)} <= released  # G6
            assert not self.play.sent[envelope.header.signal_id].taken_back  # G10

    @rule(firm=FIRM, trouble=TROUBLE)
    def asks(self, firm: bytes, trouble: Trouble) -> None:
        """The certification body asks about a firm."""
        hits = self.play.ask(firm, trouble)
        assert not (hits and self.stopped)  # G5

    @rule(firms=st.lists(FIRM, max_size=3, unique=True), days=st.integers(0, 90))
    def watches(self, firms: list[bytes], days: int) -> None:
        """The certification body leaves a watch list, or takes it back."""
        until = self.world.clock.now.date().toordinal() + days
        last_day = type(self.world.clock.now.date()).fromordinal(until).isoformat()
        assert self.play.watch(firms, last_day) or self.stopped or not firms or self._few_registered(firms)

    # the rest of their life

    @rule(number=SOME, act=st.sampled_from([Act.RECALL, Act.RECTIFY]), trouble=TROUBLE)
    def takes_back(self, number: int, act: Act, trouble: Trouble) -> None:
        """A sender recalls or rectifies; never blocked, unless it said as much before."""
        sent = self._any(number, permitted=True)
        if sent is None:
            return
        said = self.play.say(act, sent.signal_id, sent.sender, trouble)
        if isinstance(said, SluisError):
            assert said.code == "contradicts-earlier"
        else:  # either way the broker hands it out no more
            for one in self._with_copies(sent):
                one.taken_back = True

    @rule(number=SOME, trouble=TROUBLE)
    def recalls_what_another_sent(self, number: int, trouble: Trouble) -> None:
        """Only its sender takes a signal back."""
        sent = self._any(number, permitted=True)
        if sent:
            other = self.cast.body if sent.sender is not self.cast.body else self.cast.nla
            said = self.play.say(Act.RECALL, sent.signal_id, other, trouble)
            assert isinstance(said, SluisError)
            assert said.code == "not-the-sender"

    @rule(number=SOME, trouble=TROUBLE, act=st.sampled_from([Act.FEEDBACK, Act.ASK]))
    def tells_or_asks_the_sender(self, number: int, trouble: Trouble, act: Act) -> None:
        """A holder gives feedback or asks; a signal that never reached it is none of its business."""
        sent = self._any(number)
        if sent:
            said = self.play.say(act, sent.signal_id, sent.recipient, trouble)
            if sent.signal_id not in self.play.holder(sent.recipient).copies and isinstance(said, SluisError):
                assert said.code == "not-a-holder"

    @rule(trouble=TROUBLE, who=st.sampled_from(["nla", "sna", "body"]))
    def hears(self, trouble: Trouble, who: str) -> None:
        """A party reads what others told it, does it, and answers."""
        self.play.hear(getattr(self.cast, who), trouble)

    # the world around them

    @rule(days=st.sampled_from([1, 3, 30, 100, 200]))
    def time_passes(self, days: int) -> None:
        """Days go by, and what has ended is destroyed."""
        self.world.clock.move(days=days)
        self.play.sweep()
        self._what_ended_is_gone()
        self.play.register(*FIRMS)

    @rule(firms=st.lists(FIRM, min_size=1, max_size=3, unique=True))
    def certificates_change(self, firms: list[bytes]) -> None:
        """The register holds other firms."""
        self.play.register(*firms)

    @precondition(lambda self: not self.stopped)
    @rule()
    def is_stopped(self) -> None:
        """An emergency stop of the agreement."""
        self.world.operator.stop("agreement", AGREEMENT, "INCIDENT")
        self.stopped = True

    @precondition(lambda self: self.stopped)
    @rule()
    def goes_on(self) -> None:
        """The stop is lifted."""
        self.world.operator.resume("agreement", AGREEMENT, "SOLVED")
        self.stopped = False

    @rule()
    def is_restarted(self) -> None:
        """A new process of the broker."""
        self.play.restart()

    # what must be true at every moment

    @invariant()
    def the_log_only_grows(self) -> None:
        """G8: the log begins with what it was, and its head is the root of its entries."""
        leaves = self.play.leaves()
        assert leaves[: len(self.play.seen)] == self.play.seen
        tree, _ = CompactRange().extend(leaves)
        assert tree.root() == self.world.store.head().tree.root()
        self.play.seen = leaves

    @invariant()
    def nothing_moves_without_a_rule(self) -> None:
        """G5, G7: whoever has something in its mailbox has an entry that permitted it, under a rule."""
        entries = self.world.entries()
        for actor in (self.cast.sna, self.cast.body):
            for view in self.world.waiting(actor):
                entry = entries[view.log_index]
                assert (entry["decision"], bool(entry["rules"])) == ("permit", True)
                assert entry["recipient"] == actor.oin

    # what is looked at now and then

    def _pushed(self, sent: Sent) -> None:
        entry = self.world.entries(sent.index)[0]
        assert (entry["operation"], entry["exchange"]) == ("signal.push", str(sent.signal_id))  # G7
        assert sent.permitted == (entry["decision"] == "permit")
        assert not (sent.permitted and self.stopped)  # G5
        pushed = [each["exchange"] for each in self.world.entries() if each["operation"] == "signal.push"]
        assert pushed.count(str(sent.signal_id)) == 1  # G9: however often it was sent

    def _nothing_is_lost(self) -> None:
        """G9: what a sender was told is permitted reached its recipient once, or was taken back, or ended."""
        releases = Counter(
            entry["exchange"]
            for entry in self.world.entries()
            if entry["operation"] == "signal.release" and entry["outcome"] == "released"
        )
        now = self.world.clock.ms()
        for sent in self.play.sent.values():
            if not sent.permitted or sent.taken_back:
                continue
            copies = self.play.holder(sent.recipient).copies
            if sent.envelope.header.delivery.value == "mailbox":
                ended = row(self.world, sent.signal_id)["retain_until_ms"] <= now
                assert sent.signal_id in copies or ended or sent.envelope.header.expires_at_ms <= now
            elif sent.signal_id in copies:
                assert releases[str(sent.signal_id)] >= 1

    def _whoever_was_told_has_answered(self) -> None:
        """G10: once everybody has read what it was told, nobody owes what is to be done with a copy."""
        assert not [duty for duty in self._duties() if duty.act == "fulfil"]

    def _duties(self) -> list[Any]:
        return self.play._run(self.world.duties(self.cast.nla)) + self.play._run(
            self.world.duties(self.cast.sna)
        )

    def _what_ended_is_gone(self) -> None:
        """G10: of a signal whose end has come nothing is left but that it was there."""
        now = self.world.clock.ms()
        for sent in self.play.sent.values():
            if sent.permitted:
                left = row(self.world, sent.signal_id)
                if left["retain_until_ms"] <= now:
                    assert (left["envelope"], left["redaction"], left["pseudonym"]) == (b"", b"", b"")
                    assert left["destroyed_index"] is not None

    def _any(self, number: int, *, permitted: bool = False) -> Sent | None:
        found = [sent for sent in self.play.sent.values() if sent.permitted or not permitted]
        return found[number % len(found)] if found else None

    def _held_by(self, actor: Any, number: int) -> Sent | None:
        keeps = self.play.holder(actor)
        found = [self.play.sent[each] for each in keeps.copies if each not in keeps.gone]
        return found[number % len(found)] if found else None

    def _with_copies(self, first: Sent) -> list[Sent]:
        found, ids = [first], {first.signal_id}
        for sent in self.play.sent.values():
            if sent.envelope.header.previous in ids and sent.permitted:
                found.append(sent)
                ids.add(sent.signal_id)
        return found

    def _few_registered(self, firms: list[bytes]) -> bool:
        return self.world.entries()[-1]["reasons"][0]["code"] == "WATCH_TOO_LARGE"


@pytest.fixture(scope="module", autouse=True)
def template(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The database that every run begins with."""
    # Time passes for years, and nobody there changes epochs: the one of the beginning goes on.
    TEMPLATE[:] = [make_database(tmp_path_factory.mktemp("simulation"), last_epoch=START.year)]


def test_the_guarantees_hold_whatever_happens() -> None:
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=PHASES,
        ),
    )
