# SPDX-License-Identifier: EUPL-1.2
"""Questions: by the kit, plain and with digests, by hand, in closed epochs, under false digests; watch lists."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from sluis.deposit_digest import DigestHeader
from sluis.signing import SigningKey
from tests.simulation.matching import Part
from tests.simulation.stage import FIRM, LATEST, SOME, TROUBLE, Stage
from tests.simulation.trouble import Trouble

HOW = (
    "a bit of the body",
    "another domain",
    "another epoch",
    "another signature",
    "an earlier place",
    "cut short",
)
STRANGERS = ("nla", "sna", "body", "other_body")  # one of them is none


class MatchingRules(Stage):
    """What the certification body asks."""

    @rule(
        trouble=TROUBLE,
        private=st.sampled_from([True, True, False]),
        fresh=st.booleans(),
        then=st.lists(FIRM, max_size=1),
    )
    def asks_about_all_clients(self, trouble: Trouble, private: bool, fresh: bool, then: list[str]) -> None:
        """The kit asks in every live epoch that it knows; when it missed that one was closed, it catches up.

        When a fact is deposited then, it asks once more: of a digest it fetches what was added.
        """
        body = self.cast.body
        if not self.knows(body, fresh=fresh):
            return
        if fresh and self.heard(body):
            assert self.epochs.to_ask(body) == self.model.to_ask()
        told = self.matching.match(self.epochs.to_ask(body), trouble, private=private)
        if told == "epoch-closed":
            assert not fresh
            self.epochs.learn(body)
            assert (
                self.matching.match(self.epochs.to_ask(body), Trouble.NONE, private=private) != "epoch-closed"
            )
        for firm in then:
            self.all_is_well()
            self.world.clock.move(hours=1)
            epochs = self.epochs.to_ask(body)
            signal = self.play.seal(firm, by=self.cast.sna, to=body, epoch=(epochs or ["1999"])[-1])
            if not told and self.play.push(signal) == "permit":
                self.matching.match(epochs, Trouble.NONE, private=private)

    @rule(firm=FIRM, number=LATEST, trouble=TROUBLE, other=st.booleans(), made_in=SOME)
    def asks_about_one(self, firm: str, number: int, trouble: Trouble, other: bool, made_in: int) -> None:
        """A question about one firm, in any epoch; another body, or a pseudonym of another epoch, finds nothing."""
        by = self.cast.other_body if other else self.cast.body
        epoch = "1999" if number == 20 else self.any_epoch(number)
        self.matching.ask(firm, epoch, by, trouble, made_in=self.any_epoch(made_in) if made_in < 5 else "")

    @rule(firm=FIRM, number=LATEST, place=SOME, other=st.booleans(), made_in=SOME)
    def claims(self, firm: str, number: int, place: int, other: bool, made_in: int) -> None:
        """A claim by hand under a digest that was given, or one that was not, or to another, or of another epoch."""
        epoch = self.any_epoch(number)
        given = sorted(self.matching.given)
        digest = given[place % len(given)][0] if given and place < 15 else self.world.size - 1 - place % 5
        by = self.cast.other_body if other else self.cast.body
        made_in_epoch = self.any_epoch(made_in) if made_in < 5 else ""
        self.matching.ask(firm, epoch, by, digest=digest, made_in=made_in_epoch)

    @rule(how=st.sampled_from([*HOW, *HOW, *STRANGERS]), number=LATEST, firm=FIRM)
    def a_digest_is_not_for_all(self, how: str, number: int, firm: str) -> None:
        """Nobody gets a digest of another's domain, and under one that was changed on its way nothing is claimed."""
        epoch = self.any_epoch(number)
        if how in STRANGERS:
            self.matching.fetch(getattr(self.cast, how), epoch)
            return
        self.play.push(self.play.seal(firm, by=self.cast.sna, to=self.cast.body, epoch=epoch))
        key = SigningKey.generate() if how == "another signature" else self.world.receipt_key

        def change(part: Part) -> Iterable[Part]:
            if part.HasField("start") and part.start.header:
                header = DigestHeader.decode(part.start.header)
                changes: dict[str, dict[str, Any]] = {
                    "another domain": {"recipient": self.cast.other_body.oin},
                    "another epoch": {"epoch": "1999"},
                    "an earlier place": {"until": max(header.until - 1, header.since)},
                }
                part.start.header = replace(header, **changes.get(how, {})).encode()
                part.start.signature = key.sign(part.start.header)
            if part.body and how == "a bit of the body":
                part.body = part.body[:-1] + bytes([part.body[-1] ^ 1])
            return [] if part.body and how == "cut short" else [part]

        self.matching.tampered(epoch, change)

    @rule(
        firms=st.lists(FIRM, max_size=3, unique=True),
        days=st.one_of(st.integers(0, 92), st.integers(93, 100)),
        number=LATEST,
    )
    def watches(self, firms: list[str], days: int, number: int) -> None:
        """The body leaves a watch list, renews it, or takes it back; not too long, and of no more than its clients."""
        self.watch_list(firms, self.any_epoch(number), days)
