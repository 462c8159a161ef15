# SPDX-License-Identifier: EUPL-1.2
"""What parties say of signals afterwards: questions, feedback, attention, corrections, recalls, and who is told."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from sluis.followup import Act
from tests.simulation.stage import LATEST, TROUBLE, Stage
from tests.simulation.trouble import Trouble

DONE = {"outcome": "CONFIRMED"}
INTERIM = {"outcome": "RECEIVED"}


class FollowUpRules(Stage):
    """The rest of a signal's life. Of signals that were refused, destroyed or taken back it is played too."""

    @rule(
        number=LATEST,
        act=st.sampled_from([Act.RECALL, Act.RECTIFY]),
        trouble=TROUBLE,
        stranger=st.sampled_from([False, False, True]),
        old_key=st.sampled_from([False, False, True]),
    )
    def takes_back(self, number: int, act: Act, trouble: Trouble, stranger: bool, old_key: bool) -> None:
        """A sender recalls or rectifies; never blocked, unless it said as much before. Nobody else does."""
        if signal := self.any_signal(number):
            other = self.cast.body if signal.sender != self.cast.body.oin else self.cast.nla
            by = other if stranger else self.play.actors[signal.sender]
            assert self.play.say(act, signal, by, trouble, old_key=old_key) != "sent" or not stranger

    @rule(number=LATEST, days=st.integers(1, 400), extra=st.booleans(), trouble=TROUBLE)
    def corrects(self, number: int, days: int, extra: bool, trouble: Trouble) -> None:
        """A sender puts a right signal in the place of a wrong one, also of an epoch that was closed; once."""
        if signal := self.any_signal(number, permitted=True):
            expires = self.model.now() + days * 86_400_000
            self.play.correct(signal, trouble, expires_ms=expires, extra=extra, severe=signal.severe)

    @rule(
        number=LATEST,
        trouble=TROUBLE,
        act=st.sampled_from([Act.FEEDBACK, Act.ASK, Act.ATTEND]),
        final=st.booleans(),
        stranger=st.sampled_from([False, False, False, True]),
    )
    def tells_or_asks_the_sender(
        self, number: int, trouble: Trouble, act: Act, final: bool, stranger: bool
    ) -> None:
        """A holder gives feedback, asks, or says that a person looked; who never received it has nothing to say."""
        if signal := self.any_signal(number, released=number < 15):
            codes = {Act.FEEDBACK: DONE if final else INTERIM}.get(act)
            by = self.cast.other_body if stranger else self.play.actors[signal.recipient]
            self.play.say(act, signal, by, trouble, codes=codes)

    @precondition(lambda self: any(duty.act != "fulfil" for duty in self.model.duties))
    @rule(number=LATEST, again=st.booleans(), trouble=TROUBLE)
    def does_what_is_due(self, number: int, again: bool, trouble: Trouble) -> None:
        """A party answers, attends or gives feedback, in time or late; a second answer to a question is refused."""
        due = [duty for duty in self.model.duties if duty.act != "fulfil"]
        duty = due[number % len(due)]
        signal, by = self.model.signals[duty.signal_id], self.play.actors[duty.debtor]
        for _ in range(1 + again):
            self.play.say(Act(duty.act), signal, by, trouble, refers_to=duty.follow_up)

    @rule(trouble=TROUBLE, who=st.sampled_from(["nla", "sna", "body"]))
    def hears(self, trouble: Trouble, who: str) -> None:
        """A party reads what others told it, does it, and answers; a stop does not keep it from that."""
        actor = getattr(self.cast, who)
        if actor.oin not in self.model.revoked:
            self.play.hear(actor, trouble)
