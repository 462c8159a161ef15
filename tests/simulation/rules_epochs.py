# SPDX-License-Identifier: EUPL-1.2
"""Epochs: announced, begun, closed, compromised, retired; seeds destroyed; parties that missed it."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.simulation.signals import FIRMS
from tests.simulation.stage import LATEST, TROUBLE, Stage
from tests.simulation.trouble import Trouble

MOST_EPOCHS = 5


class EpochRules(Stage):
    """What operator and evaluators do."""

    @precondition(lambda self: len(self.epochs.names) < MOST_EPOCHS)
    @rule(days=st.sampled_from([0, 0, 1, 20]), loaded=st.booleans(), by=st.sampled_from([2, 2, 2, 1]))
    def announces_an_epoch(self, days: int, loaded: bool, by: int) -> None:
        """A rotation on schedule: seeds, keys, announcement, registers; not with the keys of one evaluator."""
        name = self.epochs.new_name()
        self.epochs.publish(name, by=by)
        if not self.epochs.announce(name, self.epochs.coming(days)) and loaded:
            self._load(name)
        self.world.clock.move(minutes=10)

    @precondition(lambda self: len(self.epochs.names) < MOST_EPOCHS)
    @rule(loaded=st.booleans(), number=LATEST)
    def rotates_in_an_emergency(self, loaded: bool, number: int) -> None:
        """A seed is suspected: its epoch closes, and another begins."""
        name = self.epochs.new_name()
        self.epochs.publish(name)
        if not self.epochs.rotate(name, self.any_epoch(number)) and loaded:
            self._load(name)
        self.world.clock.move(minutes=10)

    @precondition(lambda self: len(self.model.ages) > 1)
    @rule(number=LATEST, silent=st.booleans())
    def closes_an_epoch(self, number: int, silent: bool) -> None:
        """A seed is suspected, or both are: then nobody asks any more."""
        self.epochs.compromise(self.any_epoch(number), silent=silent)

    @rule(number=st.integers(0, MOST_EPOCHS - 1))
    def retires_an_epoch(self, number: int) -> None:
        """By hand: refused while something is left or may come."""
        self.epochs.retire(self.any_epoch(number))

    @rule(who=st.sampled_from([0, 1]), number=st.integers(0, 20), trouble=TROUBLE, honest=st.booleans())
    def destroys_a_seed(self, who: int, number: int, trouble: Trouble, honest: bool) -> None:
        """An evaluator's people try to; the log must say that nothing is left. Nor may they state what is not so."""
        if not honest:
            self.epochs.state_too_early(who, self.any_epoch(number))
            return
        retired = [age.name for age in self.model.ages.values() if age.retired]
        name = retired[number % len(retired)] if retired and number < 15 else self.any_epoch(number)
        self.epochs.destroy(who, name, trouble)

    def _load(self, name: str) -> None:
        for recipient in (self.cast.sna, self.cast.body):
            self.play.register(*FIRMS, epoch=name, to=recipient)
