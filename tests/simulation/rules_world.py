# SPDX-License-Identifier: EUPL-1.2
"""The world around them: time, certificates, stops, revocations, restarts, clocks that leap, legal holds."""

from datetime import timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from broker.retention.keeper import confirm_clock
from sluis.errors import Conflict, SluisError
from sluis.followup import Act
from sluis.hold import HoldScope
from tests.retention_world import Office, keeper
from tests.simulation.epochs import OFFICERS
from tests.simulation.model import AGREEMENT, WATCHING
from tests.simulation.process import expect
from tests.simulation.signals import FIRMS
from tests.simulation.stage import FIRM, LATEST, Stage

DAYS = st.sampled_from([1, 3, 30, 36, 100, 190])
WHO = st.sampled_from(["nla", "sna", "body"])


class WorldRules(Stage):
    """What happens to everybody."""

    @rule(
        days=DAYS,
        renewed=st.booleans(),
        hours=st.sampled_from([0, 5]),
        swept=st.sampled_from([True, True, False]),
    )
    def time_passes(self, days: int, renewed: bool, hours: int, swept: bool) -> None:
        """Days go by, and what is due becomes overdue. What has ended is destroyed, soon or later."""
        self.world.clock.move(days=days, hours=hours)
        if swept:
            self.play.sweep()
            self.epochs.keep()
        if renewed:
            self._renew(*FIRMS)

    @rule(
        firms=st.one_of(st.lists(FIRM, max_size=2, unique=True), st.just(sorted(FIRMS))),
        last=st.sampled_from([-3, 0, 10, 400]),
    )
    def certificates_change(self, firms: list[str], last: int) -> None:
        """The register holds other firms, or these until another day."""
        day = self.world.clock.now.date() + timedelta(days=last)
        self._renew(*firms, last_day=day.isoformat())
        self.play.sweep()

    def _renew(self, *firms: str, last_day: str = "2029-12-31") -> None:
        """The foundation keeps up its registers in every epoch where that can be done."""
        for name in self.model.ages:
            for recipient in (self.cast.sna, self.cast.body):
                self.play.register(*firms, epoch=name, to=recipient, last_day=last_day)

    @rule(what=st.sampled_from([AGREEMENT, WATCHING, "party", "party", "certificate"]), who=WHO)
    def is_stopped(self, what: str, who: str) -> None:
        """A stop of the agreement or a rule; of a party, which may still say what it owes; of all that it sends."""
        actor = getattr(self.cast, who)
        target = what if what in (AGREEMENT, WATCHING) else actor.oin
        if what == "certificate" and actor.oin not in self.model.revoked:
            self.play.revoke(actor)
        elif what != "certificate" and target not in self.model.stopped:
            self.play.stop(target)
        held = [one for one in self.model.signals.values() if one.released and one.recipient == actor.oin]
        for signal in held[:1]:
            self.play.say(Act.FEEDBACK, signal, actor, codes={"outcome": "RECEIVED"})
            self.play.say(Act.ASK, signal, actor)

    @precondition(lambda self: self.model.stopped or self.model.revoked)
    @rule()
    def all_goes_on(self) -> None:
        """Every stop is lifted."""
        for target in sorted(self.model.stopped):
            self.play.resume(target)
        for actor in self.parties:
            if actor.oin in self.model.revoked:
                self.play.reinstate(actor)

    @rule()
    def is_restarted(self) -> None:
        """A new process of the broker."""
        self.play.restart()

    @rule()
    def the_inspectorate_renews_its_keys(self) -> None:
        """From then on it signs with another key; messages are in flight under the one before."""
        self.play.renew_keys(self.cast.nla)

    @rule(confirmed=st.booleans(), days=st.sampled_from([3, 30]))
    def the_clock_leaps(self, confirmed: bool, days: int) -> None:
        """A clock that leapt destroys nothing, until an operator says which day it is."""
        self.world.store.retention.set_swept(self.world.clock.ms())
        self.world.clock.move(days=days)
        with pytest.raises(Conflict) as caught:
            self.play.run(keeper(self.world).sweep())
        assert caught.value.code == "clock-leapt"
        if confirmed:
            confirm_clock(self.world.store, self.world.clock, self.world.clock.now.date())
            self.play.sweep()

    @rule(number=LATEST, twice=st.sampled_from([False, False, True]), party=st.booleans())
    def is_held(self, number: int, twice: bool, party: bool) -> None:
        """Two officers keep a signal, or all of their party, from destruction; one of them alone cannot."""
        signal = self.any_signal(number)
        if signal is None:
            return
        nla, sna = self.cast.nla.oin, self.cast.sna.oin
        first, own = ("jz-1", nla) if signal.sender == nla else ("jz-2", sna)
        expected = "" if party or (signal.permitted and not signal.gone) else "not-found"
        expected = "party-stopped" if {nla, own} & self.model.stopped else expected
        expected = "approvals-missing" if twice else expected
        officers = ("fg-1", "fg-1") if twice else (first, "fg-1")
        target, scope = (own, HoldScope.PARTY) if party else (str(signal.signal_id), HoldScope.EXCHANGE)
        try:
            hold = self._office().hold(target, scope, officers=officers)
        except SluisError as error:
            expect(error.code, expected)
            return
        expect("", expected)
        self.holds[hold.hold_id] = (hold, officers)
        self.model.holds[hold.hold_id] = target

    @precondition(lambda self: self.holds)
    @rule(number=LATEST)
    def is_let_go(self, number: int) -> None:
        """The hold is lifted; what has ended goes with the next sweep."""
        if {self.cast.nla.oin, self.cast.sna.oin} & self.model.stopped:
            return
        hold, officers = self.holds.pop(list(self.holds)[number % len(self.holds)])
        self._office().lift(hold, officers=officers)
        del self.model.holds[hold.hold_id]

    def _office(self) -> Office:
        office = Office.__new__(Office)  # its officers are enrolled in the template
        office.world, office.keys = self.world, OFFICERS
        return office
