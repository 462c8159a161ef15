# SPDX-License-Identifier: EUPL-1.2
"""Failures that the simulation found, or would have found before they were mended, as steps that anyone can read.

Each fails again when its mend is taken out. After the steps of a test all of `guarantees.py` is looked at, and at its
end everybody reads what is left.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from sluis.followup import Act
from tests.simulation.epochs import FIRST
from tests.simulation.guarantees import kept_fields
from tests.simulation.model import Signal
from tests.simulation.rules_world import WorldRules
from tests.simulation.signals import FIRMS
from tests.simulation.trouble import Trouble

FIRM, OTHER, _ = FIRMS


class Scene(WorldRules):
    """A play without a machine."""

    def fine(self, firm: str = FIRM, days: int = 365, **made: Any) -> Signal:
        """The inspectorate sends a fine to the foundation."""
        made = {"epoch": FIRST, **made, "expires_ms": self.days(days)}
        signal = self.play.seal(firm, by=self.cast.nla, to=self.cast.sna, **made)
        assert self.play.push(signal) == "permit"
        return signal

    def fact(self, firm: str = FIRM, days: int = 365, **made: Any) -> tuple[Signal, str]:
        """The foundation deposits a fact for the certification body; with the answer to that."""
        made = {"epoch": FIRST, **made, "expires_ms": self.days(days)}
        signal = self.play.seal(firm, by=self.cast.sna, to=self.cast.body, **made)
        return signal, self.play.push(signal)

    def takes_in(self) -> None:
        """The foundation reads and confirms."""
        self.play.read(self.cast.sna)
        self.play.acknowledge(self.cast.sna)

    def passes(self, days: int) -> None:
        """Days go by, and what has ended is destroyed."""
        self.world.clock.move(days=days)
        self.play.sweep()


@pytest.fixture
def scene() -> Iterator[Scene]:
    """Parties, a broker, and the first epoch."""
    scene = Scene()
    yield scene
    scene.all_is_well()
    scene.teardown()


def test_what_was_called_back_after_its_end_is_not_passed_on(scene: Scene) -> None:
    """The broker had destroyed it, so it noted no recall: a copy went on to somebody who was never told."""
    fine = scene.fine(days=1)
    scene.takes_in()
    scene.passes(days=2)
    assert fine.gone
    assert scene.play.say(Act.RECALL, fine, scene.cast.nla) == "sent"
    _, told = scene.fact(previous=fine.signal_id)
    assert told == "signal-withdrawn"


def test_a_correction_keeps_the_end_that_a_lost_certificate_gave(scene: Scene) -> None:
    """The right signal got the whole term, and its six months began when it was corrected."""
    fine = scene.fine(days=900)
    scene.play.register(epoch=FIRST, to=scene.cast.sna)  # the certificate is lost
    scene.passes(days=1)
    scene.passes(days=100)
    right = scene.play.correct(fine, expires_ms=scene.days(900))
    assert right is not None
    scene.all_is_well()
    assert right.until_ms == fine.until_ms
    scene.passes(days=90)
    assert (fine.gone, right.gone) == (True, True)


def test_what_has_ended_does_not_come_back_with_its_certificate(scene: Scene) -> None:
    """A hold kept it beyond the six months; then the certificate was there again, and it could be asked for again."""
    fine = scene.fine(days=900)
    scene.is_held(number=-1, twice=False, party=True)
    scene.play.register(epoch=FIRST, to=scene.cast.sna)  # the certificate is lost
    for days in (1, 100, 84):
        scene.passes(days)
        scene.play.register(epoch=FIRST, to=scene.cast.sna)
    assert fine.until_ms <= scene.model.now()
    scene.play.register(FIRM, epoch=FIRST, to=scene.cast.sna)
    scene.passes(days=1)
    scene.all_is_well()
    assert fine.until_ms <= scene.model.now()
    scene.is_let_go(number=0)
    scene.passes(days=1)
    assert fine.gone


def test_the_right_fact_reaches_whoever_watches(scene: Scene) -> None:
    """A correction said that what the body had was wrong, and what is right lay there until it asked by itself."""
    scene.watch_list([FIRM], FIRST, days=60)
    wrong, _ = scene.fact()
    right = scene.play.correct(wrong, expires_ms=scene.days(90))
    assert right is not None
    taken_in = [scene.play.opened(view, scene.cast.body) for view in scene.play.read(scene.cast.body)]
    assert [envelope.header.signal_id for envelope in taken_in] == [right.signal_id]


def test_a_rectified_fact_that_waits_goes_out_no_more(scene: Scene) -> None:
    """A rectification binds as a recall does: what lies in a mailbox or a deposit stays there."""
    fact, _ = scene.fact()
    fine = scene.fine()
    for signal in (fact, fine):
        assert scene.play.say(Act.RECTIFY, signal, scene.play.actors[signal.sender]) == "sent"
    assert scene.play.read(scene.cast.sna) == []
    assert scene.matching.ask(FIRM, FIRST, scene.cast.body) == ""
    assert scene.play.read(scene.cast.body) == []


def test_no_digest_is_given_of_an_epoch_whose_questions_were_stopped(scene: Scene) -> None:
    """A digest is a question about everyone in it: where nobody asks any more, it told all the same."""
    scene.fact()
    scene.epochs.compromise(FIRST, silent=True)
    assert scene.matching.fetch(scene.cast.body, FIRST) == "epoch-closed"


def test_a_digest_tells_nothing_of_what_was_taken_back_or_has_ended(scene: Scene) -> None:
    """It told of both, and the kit claimed them."""
    ends, _ = scene.fact(FIRM, days=1)
    wrong, _ = scene.fact(OTHER)
    scene.play.say(Act.RECALL, wrong, scene.cast.sna)
    scene.world.clock.move(days=2)  # and nothing was destroyed yet
    assert scene.model.lying(FIRST) == []
    assert scene.matching.match([FIRST], Trouble.NONE, private=True) == ""
    assert not ends.gone


def test_what_is_under_a_hold_stays_whole_when_it_is_called_back(scene: Scene) -> None:
    """A recall left only hashes of what two officers had kept for a court."""
    fine = scene.fine(days=30)
    scene.is_held(number=0, twice=False, party=False)
    assert scene.model.is_held(fine)
    assert scene.play.say(Act.RECALL, fine, scene.cast.nla) == "sent"
    assert kept_fields(scene.play, fine)
    scene.passes(days=60)
    assert not fine.gone
    scene.is_let_go(number=0)
    scene.passes(days=1)
    assert fine.gone


def test_a_register_that_is_held_proves_nothing_after_its_term(scene: Scene) -> None:
    """A hold keeps and opens nothing; but a register that nobody had renewed went on proving certificates."""
    scene.fact()
    scene.is_held(number=-1, twice=False, party=True)
    scene.passes(days=190)
    assert scene.play.push(scene.play.seal(FIRM, by=scene.cast.nla, to=scene.cast.sna, epoch=FIRST)) == "deny"
    kept = set(scene.world.store.retention.registers())
    assert len(kept) == 2
    scene.is_let_go(number=0)
    scene.passes(days=1)
    assert not kept & set(scene.world.store.retention.registers())


def test_whoever_missed_a_rotation_loses_nothing(scene: Scene) -> None:
    """Sealed before the change it is taken after it; sealed after it in the closed epoch, it is sealed anew."""
    early = scene.play.seal(
        FIRM, by=scene.cast.nla, to=scene.cast.sna, epoch=FIRST, expires_ms=scene.days(90)
    )
    scene.epochs.believed(scene.cast.nla)
    scene.epochs.publish("next")
    scene.epochs.announce("next", scene.model.now())
    for recipient in (scene.cast.sna, scene.cast.body):
        scene.play.register(*FIRMS, epoch="next", to=recipient)
    scene.world.clock.move(days=1)
    assert scene.play.push(early) == "permit"
    assert scene.epochs.believed(scene.cast.nla) == FIRST
    late = scene.play.seal(FIRM, by=scene.cast.nla, to=scene.cast.sna, epoch=FIRST, expires_ms=scene.days(90))
    assert scene.play.push(late) == "epoch-closed"
    scene.epochs.learn(scene.cast.nla)
    assert scene.epochs.believed(scene.cast.nla) == "next"
    scene.fine(epoch="next")
    assert len(scene.play.read(scene.cast.sna)) == 2
