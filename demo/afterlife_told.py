# SPDX-License-Identifier: EUPL-1.2
"""What came of the afterlife: whether it holds, in words for people, and for the report file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from adapters.certified_register import CertifiedFirm
from demo.cast import CastMember
from sluis.client.receiver import ReceivedSignal
from sluis.client.sender import PushOutcome

ZONE = ZoneInfo("Europe/Amsterdam")


def by_chance(asked: int) -> int:
    """How many of these clients a digest may name for nothing: it names one in 256 to 512, on purpose.

    With 500 clients there are more than this once in a million days.
    """
    return 10 + asked // 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A firm that one body certifies, and all the firms that are this body's clients."""

    body: CastMember
    firm: CertifiedFirm
    clients: Sequence[CertifiedFirm]


@dataclass(slots=True)
class TakenBack:
    """A signal that its sender took back, in words of the catalogue; who has yet to answer, and until when."""

    log_index: int = 0
    pushed_index: int = 0
    holders: int = 0
    receipts: dict[str, str] = field(default_factory=dict)  # what each holder did, by OIN
    open: dict[str, datetime] = field(default_factory=dict)  # who still owes a receipt, by OIN
    statement: UUID | None = None  # by which it was taken back
    late: list[str] | None = None  # whose receipt is overdue, by OIN; none: nobody looked
    copies: list[bool] = field(default_factory=list)  # of each holder that answered: its file shows it

    def report(self) -> dict[str, object]:
        """It as the report file holds it."""
        return {
            "log_index": self.log_index,
            "holders": self.holders,
            "receipts": sorted(self.receipts.values()),
            "open": len(self.open),
            "overdue": len(self.late or []),
        }


@dataclass(slots=True)
class Afterlife:
    """What came of the three fines, as the parties and the log tell it."""

    private: Client
    watched: Client
    pushes: list[PushOutcome] = field(default_factory=list)
    # through a digest
    asked: int = 0
    claimed: int = 0
    fined: int = 0  # clients of whom the foundation knows a fine
    digest_bytes: int = 0
    found: ReceivedSignal | None = None
    # by a watch list
    watch_index: int = 0
    watching: int = 0
    told: ReceivedSignal | None = None
    # a question, and feedback
    question_index: int = 0
    answer: str = ""
    answer_index: int = 0
    feedback_index: int = 0
    owed: tuple[int, int] = (0, 0)  # feedback due on that signal, before and after
    rectified: TakenBack = field(default_factory=TakenBack)
    recalled: TakenBack = field(default_factory=TakenBack)
    # what ended
    ended_index: int = 0
    destroyed: dict[str, Any] = field(default_factory=dict)  # the record in the log
    destroyed_index: int = 0
    emptied: bool = False
    copy: str = ""
    copy_gone: bool = False

    def failures(self) -> list[str]:
        """What does not hold of it; empty when all is well."""
        held = {
            "a fine of the afterlife was refused": all(one.permitted for one in self.pushes),
            "the digest hid a hit": self.found is not None and self.claimed >= 1,
            "the broker saw more than the digest holds": self.claimed <= self.fined + by_chance(self.asked),
            "the watch did not fire": self.told is not None and self.watching == len(self.watched.clients),
            "the question was not answered": self.answer == "NOT_OPEN" and self.answer_index > 0,
            "feedback did not close": self.owed == (1, 0),
            "the rectification did not reach two recipients": self.rectified.holders == 2
            and sorted(self.rectified.receipts.values()) == ["MARKED", "MARKED"]
            and self.rectified.copies == [True, True]
            and not self.rectified.open,
            "the recall is not open for one of two": self.recalled.holders == 2
            and list(self.recalled.receipts.values()) == ["DESTROYED"]
            and self.recalled.copies == [True]
            and set(self.recalled.open) == {self.watched.body.oin},
            "who is away is not overdue": self.recalled.late in (None, [self.watched.body.oin]),
            "what ended was not destroyed with a record": self.destroyed.get("outcome") == "destroyed"
            and self.destroyed.get("counted_from") == "expiry"
            and self.emptied,
            "the copy of what ended is still there": self.copy == "DESTROYED" and self.copy_gone,
        }
        return [text for text, holds in held.items() if not holds]

    def lines(self, console: str) -> list[str]:
        """It as the narrator tells it; `console` is the address of its pages while it goes on, else empty."""
        found = self.found.log_index if self.found else "none"
        told = self.told.log_index if self.told else "none"
        back, due = self.recalled, max(self.recalled.open.values(), default=None)
        moment = f"{due.astimezone(ZONE):%H:%M:%S}" if due else "unknown"
        body, watcher = self.private.body.name, self.watched.body.name
        lines = [
            f"a hit without showing the misses: {body} tested {self.asked} clients against a digest of "
            f"{self.digest_bytes:,} bytes and showed the broker {self.claimed}; log index {found}",
            f"a question, in codes: {body} asked whether an appeal is open (log index {self.question_index}), "
            f"SNA answered {self.answer} ({self.answer_index})",
            f"feedback: {body} warned the firm, log index {self.feedback_index}; what was due on it is closed",
            f"rectified: the fine was withdrawn, log index {self.rectified.log_index}; {self.rectified.holders} "
            f"parties held it, {len(self.rectified.receipts)} marked their copies",
            f"a watch that fired: {watcher} left {self.watching} clients (log index {self.watch_index}) and got a "
            f"fine without asking, {told}",
            f"recalled: it was about somebody else, log index {back.log_index}; SNA destroyed its copy, "
            f"{watcher} is away:",
            f"  its receipt was due at {moment}, and is overdue" + (": Vandaag says so" if console else ""),
            f"ended: a fine that was to live for seconds is destroyed at the broker, log index "
            f"{self.destroyed_index}; SNA destroyed its copy",
        ]
        if console:
            pages = {
                "found, asked about, told back": found,
                "withdrawn": self.rectified.pushed_index,
                "recalled, with what is still to be done": self.recalled.pushed_index,
                "ended": self.ended_index,
            }
            lines += [f"{what}: http://{console}/uitwisseling/{index}" for what, index in pages.items()]
            lines.append(f"all that was destroyed: http://{console}/rapporten/vernietigd")
        return lines

    def report(self) -> dict[str, object]:
        """It as the report file holds it."""
        return {
            "private_match": {
                "asked": self.asked,
                "claimed": self.claimed,
                "digest_bytes": self.digest_bytes,
                "hit": self.found is not None,
            },
            "watch": {"clients": self.watching, "fired": self.told is not None},
            "answer": self.answer,
            "feedback_due": {"before": self.owed[0], "after": self.owed[1]},
            "rectified": self.rectified.report(),
            "recalled": self.recalled.report(),
            "ended": {
                "outcome": self.destroyed.get("outcome", ""),
                "counted_from": self.destroyed.get("counted_from", ""),
                "copy": self.copy,
            },
        }
