# SPDX-License-Identifier: EUPL-1.2
"""The certification body's questions in the play, with its real kit: plain, or private with digests of deposits.

The kit's client base holds firms about whom nothing ever lies, so that some are found in a digest for nothing. What
a digest must hold is the model's to say; its body is read here by the description in `sluis/deposit_digest.py` alone.
"""

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sluis.deposit_digest import DigestHeader
from sluis.errors import SluisError
from sluis.v1 import envelope_pb2, exchange_pb2
from tests.actors import Actor
from tests.simulation.model import AGREEMENT as STOPPED_AGREEMENT
from tests.simulation.model import DAY, Model, Signal
from tests.simulation.play import Play
from tests.simulation.process import expect
from tests.simulation.signals import FIRMS
from tests.simulation.trouble import Dying, Trouble
from tests.unit.match_samples import Body, firms, pseudonym_of
from tests.world import AGREEMENT, KIND, PURPOSE, Refused

CLIENTS = [*FIRMS.values(), *firms(60, first=1000)]
Part = exchange_pb2.FetchDigestResponse
Change = Callable[[Part], Iterable[Part]]


@dataclass(slots=True)
class Layer:
    """A digest that the kit has: its values are the first bits of pseudonyms."""

    since: int
    until: int
    bits: int
    values: frozenset[int]


def values_of(header: DigestHeader, body: bytes) -> frozenset[int]:
    """The values in a body: numbers of values per bucket, and then their low parts."""
    low_bits = 8 * header.width
    buckets = 1 << max(0, header.bits - low_bits)
    counts = struct.unpack_from(f"<{buckets}I", body)
    code = {1: "B", 2: "H", 4: "I", 8: "Q"}[header.width]
    lows = iter(struct.unpack_from(f"<{header.count}{code}", body, 4 * buckets))
    return frozenset(
        bucket << low_bits | next(lows) for bucket, count in enumerate(counts) for _ in range(count)
    )


def first_bits(pseudonym: bytes, bits: int) -> int:
    """The value of a pseudonym."""
    return int.from_bytes(pseudonym[:8]) >> (64 - bits)


@dataclass(frozen=True, slots=True)
class Question:
    """A question by hand, its answer, and when that was given."""

    pseudonym: bytes
    by: Actor
    key: str
    epoch: str
    digest: int
    answer: exchange_pb2.MatchAnswer
    at_ms: int


@dataclass(slots=True)
class Matching:
    """The body's kit and what it has fetched, by epoch."""

    play: Play
    folder: Path
    layers: dict[str, list[Layer]] = field(default_factory=dict)
    given: set[tuple[int, str]] = field(default_factory=set)  # where a digest ends, and of which epoch it is
    questions: list[Question] = field(default_factory=list)
    kit: Any = None
    _start: int = 0  # where the log was when the question was asked
    _fetched: list[Part] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.kit = Body(self.play.world, self.folder)

    def close(self) -> None:
        """Close the kit's files."""
        self.kit.close()

    @property
    def model(self) -> Model:
        """What must be true."""
        return self.play.model

    # the kit's own questions

    def match(self, epochs: list[str], trouble: Trouble, *, private: bool) -> str:
        """Ask about all clients in these epochs; returns what it was refused with."""
        expected, self._start = self._refusal(epochs), self.play.world.size
        self.kit.epochs, self.kit.asked, self.kit.kept = epochs, [], []
        self.kit.change = self._record
        # The first stream breaks before its first answer.
        self.kit.lose = [0] if trouble is Trouble.ANSWER_LOST else []
        try:
            report = self._match(trouble, private=private)
        except (Refused, SluisError) as error:
            told = error.error.code if isinstance(error, Refused) else error.code
            assert told == expected[0], (told, expected)
            self._refused(expected, private=private)
            return told
        assert not expected[0], expected
        holder = self.play.holder(self.play.cast.body)
        for signal in self.kit.kept:
            assert holder.copies.setdefault(signal.header.signal_id, 1), "what was destroyed came again"
        claimed = [self._asked(epoch, private=private) for epoch in epochs]
        assert report.claimed == (sum(claimed) if private else None)
        return ""

    def _match(self, trouble: Trouble, *, private: bool) -> Any:
        if trouble not in (Trouble.DIES_BEFORE, Trouble.DIES_AFTER):
            return self.play.run(self.kit.match(CLIENTS, private=private, anew=True))
        try:
            with Dying(after=trouble is Trouble.DIES_AFTER):
                return self.play.run(self.kit.match(CLIENTS, private=private, anew=True))
        except (Refused, SluisError) as error:
            code = error.error.code if isinstance(error, Refused) else error.code
            if code != "storage-unavailable":
                raise
            if private and trouble is Trouble.DIES_AFTER:
                self.model.log.append(("match.digest", "refused" if self._denied else "given"))
                if not self._denied:
                    self._note_given(self.kit.epochs[0])
        self.play.restart()
        return self.play.run(self.kit.match(CLIENTS, private=private))

    @property
    def _denied(self) -> bool:
        return STOPPED_AGREEMENT in self.model.stopped

    def _refusal(self, epochs: list[str]) -> tuple[str, int]:
        """The code with which a run ends, and how many epochs were asked before."""
        if refused := self.model.caller(self.model.body):
            return (refused, 0) if epochs else ("", 0)
        for done, epoch in enumerate(epochs):
            if refused := self.model.questions(epoch):
                return refused, done
            if self._denied:
                return "not-your-role", done
        return "", len(epochs)

    def _refused(self, expected: tuple[str, int], *, private: bool) -> None:
        code, done = expected
        if code == "not-your-role":
            self.model.log.append(("match.digest" if private else "match.question", "refused"))
        assert done == 0 or code != "not-your-role"
        for epoch in self.kit.epochs[:done]:
            self._asked(epoch, private=private)

    def _asked(self, epoch: str, *, private: bool) -> int:
        """What one epoch's question must have done; returns how many clients were named in it."""
        frames = [frame for frame in self.kit.asked if frame.epoch == epoch]
        named = {
            frame.pseudonyms[at : at + 16] for frame in frames for at in range(0, len(frame.pseudonyms), 16)
        }
        mine = {pseudonym_of(client, epoch) for client in CLIENTS}
        if private:
            self._check_layers(epoch)
            assert named == {one for one in mine if self.found(epoch, one)}
        else:
            assert named == mine
        if named:
            firms = [firm for firm, one in FIRMS.items() if pseudonym_of(one, epoch) in named]
            met = self.model.asked(epoch, firms)
            self._released(met, acknowledged=True)
            self.model.log.append(("match.question", "answered"))
            hits = len({signal.firm for signal, released in met if released})
            counts = [entry for entry in self._mine("match.question") if entry["asked"] == len(named)]
            expected = (hits, len(named) - hits if private else None)
            assert expected in [(entry["hits"], entry.get("missed")) for entry in counts]
        return len(named)

    def _released(self, met: list[tuple[Signal, bool]], *, acknowledged: bool) -> None:
        """Each release stands in the log and owes what it owes; a refused one is a miss that says nothing."""
        places = {
            entry["index"]: entry["exchange"]
            for entry in self._mine("signal.release")
            if entry["outcome"] == "released"
        }
        for signal, released in met:
            self.model.log.append(("signal.release", "released" if released else "refused"))
            if not released:
                continue
            mine = [index for index, exchange in places.items() if exchange == str(signal.signal_id)]
            assert len(mine) == 1, "released once, whatever broke"
            self.model.deliver(signal, mine[0])
            if acknowledged:
                signal.waiting.remove(mine[0])
                self.model.log.append(("signal.acknowledge", "delivered"))

    def _mine(self, operation: str) -> list[dict[str, Any]]:
        """The entries of an operation since the question was asked."""
        entries = self.play.new_entries()
        return [one for one in entries if one["operation"] == operation and one["index"] >= self._start]

    # digests

    def found(self, epoch: str, pseudonym: bytes) -> bool:
        """Whether the kit's digests hold a pseudonym, or one like it."""
        return any(first_bits(pseudonym, layer.bits) in layer.values for layer in self.layers.get(epoch, []))

    def _record(self, part: Part) -> list[Part]:
        self._fetched.append(Part.FromString(part.SerializeToString()))
        return [part]

    def _check_layers(self, epoch: str) -> None:
        """Take in what was fetched in this epoch: it must hold what lies there now, and nothing else."""
        fetched, self._fetched = self._fetched, []
        starts = [place for place, part in enumerate(fetched) if part.HasField("start") and part.start.header]
        for place, until in zip(starts, [*starts[1:], len(fetched)], strict=True):
            header = DigestHeader.decode(fetched[place].start.header)
            if header.epoch != epoch:
                self._fetched += fetched[place:until]
                continue
            body = b"".join(part.body for part in fetched[place + 1 : until])
            layers = self.layers.setdefault(epoch, [])
            if header.since == 0:
                layers.clear()
            else:
                assert layers[-1].until == header.since
            lying = [signal for signal in self.model.lying(epoch) if signal.index >= header.since]
            values = values_of(header, body)
            assert values == {first_bits(self._pseudonym(signal), header.bits) for signal in lying}
            layers.append(Layer(header.since, header.until, header.bits, values))
            self.given.add((header.until, epoch))
            self.model.log.append(("match.digest", "given"))
        assert all(self.found(epoch, self._pseudonym(signal)) for signal in self.model.lying(epoch))

    def _pseudonym(self, signal: Signal) -> bytes:
        return pseudonym_of(FIRMS[signal.firm], signal.epoch)

    def tampered(self, epoch: str, change: Change) -> str:
        """Ask with a digest that somebody changed on the way: nothing is claimed."""
        self.kit.epochs, self.kit.asked, self.kit.change = [epoch], [], change
        expected = self._refusal([epoch])[0]
        try:
            self.play.run(self.kit.match(CLIENTS, private=True, anew=True))
            told = ""
        except (Refused, SluisError) as error:
            told = error.error.code if isinstance(error, Refused) else error.code
        if not expected or expected == "not-your-role":
            self.model.log.append(("match.digest", "refused" if expected else "given"))
            if not expected:
                self._note_given(epoch)
        assert told == (expected or "digest-wrong")
        assert not self.kit.asked
        return told

    # questions by hand

    def ask(
        self,
        firm: str,
        epoch: str,
        by: Actor,
        trouble: Trouble = Trouble.NONE,
        *,
        digest: int = 0,
        made_in: str = "",
    ) -> str:
        """Ask about a firm without the kit, by its pseudonym of this epoch or of another; returns the refusal."""
        model, world, key = self.model, self.play.world, self.play.world.key()
        expected = model.caller(by.oin) or (
            "unknown-digest" if digest and not self._is_digest(digest, epoch, by) else model.questions(epoch)
        )
        pseudonym, self._start = pseudonym_of(FIRMS[firm], made_in or epoch), world.size
        try:
            answer = self.play.call(
                trouble, lambda: world.ask(pseudonym, by=by, key=key, epoch=epoch, digest_index=digest)
            )
        except SluisError as error:
            return expect(error.code, expected)
        expect("", expected)
        permitted = answer.decision.effect == envelope_pb2.EFFECT_PERMIT
        assert permitted != self._denied
        own = by is self.play.cast.body and (made_in or epoch) == epoch
        met = model.asked(epoch, [firm]) if permitted and own else []
        self._released(met, acknowledged=False)
        model.log.append(("match.question", "answered" if permitted else "refused"))
        released = [signal for signal, moves in met if moves]
        assert len(answer.hits) == len(released)
        self._check_missed(answer, digest, hit=bool(released))
        self.questions.append(Question(pseudonym, by, key, epoch, digest, answer, model.now()))
        return "" if permitted else "deny"

    def ask_again(self, question: Question) -> None:
        """The same question under its key gets the same answer for a day, whatever was closed or stopped since."""
        expected = self.model.caller(question.by.oin)
        if self.model.now() >= question.at_ms + DAY:
            return
        call = self.play.world.ask(
            question.pseudonym,
            by=question.by,
            key=question.key,
            epoch=question.epoch,
            digest_index=question.digest,
        )
        try:
            assert self.play.run(call) == question.answer
            expect("", expected)
        except SluisError as error:
            expect(error.code, expected)

    def _check_missed(self, answer: exchange_pb2.MatchAnswer, digest: int, *, hit: bool) -> None:
        """A claim that was found for nothing is a miss, and the log counts it as one."""
        (entry,) = [one for one in self.play.new_entries() if one["index"] == answer.receipt.log_index]
        assert entry["hits"] == hit
        assert (entry.get("digest"), entry.get("missed")) == ((digest, 1 - hit) if digest else (None, None))

    def _is_digest(self, index: int, epoch: str, by: Actor) -> bool:
        return by is self.play.cast.body and (index, epoch) in self.given

    def _note_given(self, epoch: str) -> None:
        """A digest of an epoch was made, whatever came of it: a claim may name it."""
        (index,) = [
            entry["index"] for entry in self.play.new_entries() if entry["operation"] == "match.digest"
        ]
        self.given.add((index, epoch))

    def fetch(self, by: Actor, epoch: str) -> str:
        """Fetch a digest without the kit, and throw it away; returns what it was refused with."""
        request = exchange_pb2.FetchDigestRequest(
            agreement=AGREEMENT, kind=KIND, purpose=PURPOSE, epoch=epoch
        )
        cast = self.play.cast
        has_domain = by in (cast.body, cast.sna)
        expected = self.model.caller(by.oin) or (
            self.model.questions(epoch) if has_domain else "unknown-epoch"
        )
        denied = self._denied or by is not cast.body
        try:
            made = self.play.run(self.play.world.broker.matching.digests.make(by.caller, request))
        except SluisError as error:
            return expect(error.code, expected)
        expect("", expected)
        self.model.log.append(("match.digest", "refused" if denied else "given"))
        assert bool(made.body) == bool(made.start.header) == (not denied)
        if not denied:
            self._note_given(epoch)
        return ""
