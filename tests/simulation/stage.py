# SPDX-License-Identifier: EUPL-1.2
"""What every machine of the simulation stands on: the play, what happened before, and what rules share.

What must be true after each step is in `guarantees.py`.
"""

import os
import shutil
from datetime import timedelta
from pathlib import Path
from tempfile import mkdtemp

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from broker.storage.retention_port import LegalHold
from sluis.errors import SluisError
from sluis.merkle import leaf_hash
from sluis.v1 import envelope_pb2
from tests.actors import Actor
from tests.simulation.epochs import Epochs
from tests.simulation.guarantees import check_all, nothing_is_lost
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
LATEST = st.one_of(st.just(-1), SOME, SOME)  # the newest more often than others
TEMPLATE: list[Path] = []


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
            self.all_is_well()
            nothing_is_lost(self.play)
        finally:
            self.matching.close()
            self.play.close()
            shutil.rmtree(self.folder)

    @invariant()
    def all_is_well(self) -> None:
        """What must be true at every moment."""
        check_all(self.play, self.epochs)

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
