# SPDX-License-Identifier: EUPL-1.2
"""Signals: sent, deposited, repeated, delivered, acknowledged late, and what is refused at the door."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from sluis.errors import SluisError, Unavailable
from tests.actors import Actor
from tests.simulation import model_follow_ups as after
from tests.simulation.model import DAY, MINUTE, Signal, months_after
from tests.simulation.play import Sent
from tests.simulation.process import expect
from tests.simulation.stage import DAYS, FIRM, LATEST, TROUBLE, Stage
from tests.simulation.trouble import Trouble

PAST_THE_FOUNDATION, BEHIND_THE_LOG = "past the foundation", "to a broker whose clock is behind its log"
WRONG: dict[str, dict[str, Any]] = {
    "clock ahead": {"created": 6 * MINUTE},
    "clock a little ahead": {"created": 4 * MINUTE},
    "clock behind": {"created": -31 * DAY},
    "sealed long ago": {"created": -29 * DAY},
    "expired": {"created": -DAY, "expires": 0},
    "signed with the key before": {"old_key": True},
    "H5": {"investigation": True},
    "a field too many, and strict": {"extra": True, "strict": True},
    "an epoch that is not there": {"epoch": "1999"},
}


class SignalRules(Stage):
    """What senders and recipients do with signals."""

    @rule(
        firm=FIRM, trouble=TROUBLE, days=DAYS, severe=st.booleans(), extra=st.booleans(), fresh=st.booleans()
    )
    def sends(self, firm: str, trouble: Trouble, days: int, severe: bool, extra: bool, fresh: bool) -> None:
        """The inspectorate sends a fine to the foundation."""
        made = {"severe": severe, "extra": extra, "expires_ms": self.model.now() + days * DAY}
        self._sealed(self.cast.nla, self.cast.sna, firm, trouble, fresh, made)

    @rule(firm=FIRM, trouble=TROUBLE, days=DAYS, severe=st.booleans(), fresh=st.booleans(), number=LATEST)
    def deposits(
        self, firm: str, trouble: Trouble, days: int, severe: bool, fresh: bool, number: int
    ) -> None:
        """The foundation deposits a fact for a certification body, passed on from a fine that it holds if it can."""
        copies = [one for one in self.play.holder(self.cast.sna).copies if one in self.model.signals]
        previous = copies[number % len(copies)] if copies and number % 4 else None
        made = {"severe": severe, "expires_ms": self.model.now() + days * DAY, "previous": previous}
        firm = self.model.signals[previous].firm if previous else firm
        self._sealed(self.cast.sna, self.cast.body, firm, trouble, fresh, made)

    def _sealed(
        self, by: Actor, to: Actor, firm: str, trouble: Trouble, fresh: bool, made: dict[str, Any]
    ) -> None:
        """Seal in the epoch that the sender believes in; one that was refused as closed is sealed anew."""
        if not self.knows(by, fresh=fresh):
            return
        told = "epoch-closed"
        for attempt in range(2):
            epoch = self.epochs.believed(by)
            if epoch is None:
                return
            told = self.play.push(self.play.seal(firm, by=by, to=to, epoch=epoch, **made), trouble)
            if told != "epoch-closed" or not self.heard(by):
                break
            assert not fresh, "who knows the epochs of now seals in one that takes signals"
            assert not attempt
            self.epochs.learn(by)
        assert told not in ("unknown-epoch", "epoch-not-begun", "clock-skew", "signal-expired")

    @rule(
        firm=FIRM,
        wrong=st.sampled_from([*sorted(WRONG), PAST_THE_FOUNDATION, BEHIND_THE_LOG]),
        deposit=st.booleans(),
        number=LATEST,
    )
    def sends_what_should_not_pass(self, firm: str, wrong: str, deposit: bool, number: int) -> None:
        """A clock that disagrees, an expired signal, data of an investigation, another epoch than the present one."""
        now, how = self.model.now(), dict(WRONG.get(wrong, {}))
        by, to = (self.cast.sna, self.cast.body) if deposit else (self.cast.nla, self.cast.sna)
        made: dict[str, Any] = {
            "epoch": how.pop("epoch", self.any_epoch(number)),
            "created_ms": now + how.pop("created", 0),
            "expires_ms": now + how.pop("expires", 90 * DAY),
            **how,
        }
        if wrong == PAST_THE_FOUNDATION:
            by, to, made["wrong_channel"] = self.cast.nla, self.cast.body, True
        signal = self.play.seal(firm, by=by, to=to, **made)
        if wrong == BEHIND_THE_LOG:
            self._pushed_to_a_broker_that_is_behind(signal, by)
        else:
            told = self.play.push(signal)
            assert told != "permit" or not how.keys() - {"old_key"}

    def _pushed_to_a_broker_that_is_behind(self, signal: Signal, by: Actor) -> None:
        """A broker whose clock is behind its log does nothing, and says so."""
        if not self.heard(by):
            return
        size, now = self.world.size, self.world.clock.now
        newest = self.world.store.head().last_time_ms
        self.world.clock.now = datetime.fromtimestamp(newest / 1000 - 3600, UTC)
        with pytest.raises(Unavailable) as caught:
            self.play.run(self.world.push(self.play.envelopes[signal.signal_id]))
        self.world.clock.now = now
        assert (caught.value.code, self.world.size) == ("clock-behind-log", size)

    @rule(number=LATEST, what=st.sampled_from(["push", "follow-up", "question"]))
    def repeats(self, number: int, what: str) -> None:
        """What was answered is sent again: one effect, the first answer, however late and in which epoch."""
        size = self.world.size
        if what == "question" and (questions := self.matching.questions):
            self.matching.ask_again(questions[number % len(questions)])
        elif what == "follow-up" and self.play.sent:
            sent = self.play.sent[number % len(self.play.sent)]
            expect(self.play.send_again(sent), self._answer_to_a_repeated(sent))
        elif signal := self.any_signal(number):
            self._pushed_again(signal)
        assert self.world.size == size

    def _pushed_again(self, signal: Signal) -> None:
        if signal.replaces or not self.heard(self.play.actors[signal.sender]):
            return
        if signal.permitted and signal.gone:
            with pytest.raises(SluisError) as caught:
                self.play.push_again(signal)
            assert caught.value.code == "signal-exists"
        elif signal.permitted or signal.expires_ms > self.model.now():  # else the refusal may be forgotten
            assert self.play.push_again(signal)

    def _answer_to_a_repeated(self, sent: Sent) -> str:
        statement = sent.statement
        if refused := self.model.caller(sent.by.oin, owed=statement.act not in after.DECIDED):
            return refused
        if statement.act == "correct" and self.model.signals[statement.signal_id].gone:
            return "follow-up-exists"  # its answer went with the signal
        forgotten = sent.denied and self.model.now() > months_after(sent.at_ms, 12)
        return "clock-skew" if forgotten else "repeated"

    @rule(
        trouble=TROUBLE,
        who=st.sampled_from(["sna", "body"]),
        how=st.sampled_from([("read", "confirm"), ("read",), ("confirm",)]),
    )
    def reads_the_mailbox(self, trouble: Trouble, who: str, how: tuple[str, ...]) -> None:
        """A recipient takes in what waits; it may confirm that much later, when it has ended, or never."""
        actor: Actor = getattr(self.cast, who)
        if not self.heard(actor):
            with pytest.raises(SluisError) as caught:
                self.play.read(actor)
            assert caught.value.code == self.model.caller(actor.oin)
            return
        for view in self.play.read(actor) if "read" in how else ():
            entry = json.loads(view.entry)
            assert (entry["decision"], entry["recipient"]) == ("permit", actor.oin)  # G5
            assert entry["rules"]
        if "confirm" in how:
            self.play.acknowledge(actor, trouble)
