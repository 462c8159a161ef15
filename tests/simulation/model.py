# SPDX-License-Identifier: EUPL-1.2
"""What must be true, worked out from the rules as people read them, apart from the broker's code.

`Model` says what each party may do at a moment (waadi-14b, and the adr on epochs, follow-ups and retention), and what
follows: what lies where, who owes what, what the log tells. It imports nothing of `broker` or `sluis`.
What is said and owed afterwards is in `model_follow_ups.py`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Amsterdam")
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
CLOCKS_APART, OLDEST = 5 * MINUTE, 30 * DAY
FIRM_FIELDS = {"establishment_number", "firm_name", "address", "postcode", "city"}
FIELDS = FIRM_FIELDS | {"law", "article", "count", "found_on", "decided_on"}  # BAAI 2:1(3)
LOOK_BACK = date(2028, 3, 2)  # BAAI 2:1(4): the fines that are played were decided on two years before
SECOND_TERM = date(2026, 7, 1)  # from then on a certification body owes feedback too
WATCH_DAYS = 92
AGREEMENT, WATCHING = "agreement", "watching"  # what may be stopped, beside parties


def day_of(at_ms: int) -> date:
    """The day of a moment, in Amsterdam."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZONE).date()


def midnight_after(day: date) -> int:
    """The first moment after a day."""
    return int(datetime.combine(day + timedelta(days=1), time(), ZONE).timestamp() * 1000)


def months_after(at_ms: int, months: int) -> int:
    """The first moment after a term of months (of the last day of a month, where the day is not there)."""
    start = day_of(at_ms)
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    first_of_next = date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
    return midnight_after(
        min(date(year, month + 1, 1) + timedelta(start.day - 1), first_of_next - timedelta(1))
    )


@dataclass(slots=True, kw_only=True)
class Signal:
    """A signal as offered, and what became of it."""

    signal_id: UUID
    sender: str
    recipient: str
    firm: str
    epoch: str
    deposit: bool
    created_ms: int
    expires_ms: int
    severe: bool = False
    investigation: bool = False  # handling code H5
    extra: bool = False  # has a field that may not move
    strict: bool = False
    key: int = 0  # with which of its sender's keys it was signed
    wrong_channel: bool = False  # a fine goes through the foundation
    previous: UUID | None = None
    passed_on: bool = False  # its sender had `previous` for itself
    index: int = -1
    permitted: bool = False
    term_ms: int = 0  # its end, unless the certificate is lost
    until_ms: int = 0
    lost_ms: int | None = None
    taken_back: bool = False
    gone: bool = False
    released: bool = False
    waiting: set[int] = field(default_factory=set)  # deliveries that were not acknowledged
    said: set[str] = field(default_factory=set)
    was_held: bool = False  # when it was taken back: then the whole stays
    replaces: bool = False


@dataclass(slots=True, kw_only=True)
class Age:
    """An epoch."""

    name: str
    begins_ms: int
    compromised: bool = False
    silent: bool = False  # nobody asks in it any more
    never: bool = False
    retired: bool = False
    seeds: set[str] = field(default_factory=set)  # evaluators that have theirs


@dataclass(slots=True, kw_only=True)
class Listed:
    """A register or a watch list: the last day of each firm, and when it was loaded."""

    last_days: dict[str, date]
    loaded_ms: int

    def holds(self, firm: str, today: date) -> bool:
        """Whether it holds a firm today."""
        return firm in self.last_days and today <= self.last_days[firm]


@dataclass(slots=True, kw_only=True)
class Duty:
    """What a party owes: between these moments it becomes overdue."""

    act: str
    debtor: str
    creditor: str
    signal_id: UUID
    follow_up: UUID | None
    due_ms: int


@dataclass(slots=True)
class Model:
    """All that is true at this moment. `log` is what the log must tell of the step that is being played."""

    now: Callable[[], int]
    foundation: str
    body: str
    signals: dict[UUID, Signal] = field(default_factory=dict)
    ages: dict[str, Age] = field(default_factory=dict)
    registers: dict[tuple[str, str], Listed] = field(default_factory=dict)  # by recipient and epoch
    watched: dict[str, Listed] = field(default_factory=dict)  # the body's, by epoch
    holds: dict[str, str] = field(default_factory=dict)  # an exchange or a party, by hold
    keys: dict[str, int] = field(default_factory=dict)  # how often a party has renewed its key
    stopped: set[str] = field(default_factory=set)  # parties, the agreement, or the rule of watch lists
    revoked: set[str] = field(default_factory=set)  # parties whose certificate was stopped
    duties: list[Duty] = field(default_factory=list)
    told: dict[str, list[tuple[UUID, UUID]]] = field(default_factory=dict)  # follow-up and copy, by party
    log: list[tuple[str, str]] = field(default_factory=list)

    # who may do what

    def caller(self, party: str, *, owed: bool = False) -> str:
        """What a call of a party is refused with; empty when it is heard."""
        if party in self.stopped and not owed:
            return "party-stopped"
        return "certificate-revoked" if party in self.revoked else ""

    @property
    def today(self) -> date:
        """This day."""
        return day_of(self.now())

    def certified(self, recipient: str, epoch: str, firm: str) -> bool:
        """Whether the foundation's register proves a certificate today."""
        register = self.registers.get((recipient, epoch))
        return register is not None and register.holds(firm, self.today)

    def may_move(self, signal: Signal) -> bool:
        """G5: whether the rules let it go to its recipient at this moment."""
        return (
            not {AGREEMENT, signal.sender, signal.recipient} & self.stopped
            and self.certified(signal.recipient, signal.epoch, signal.firm)
            and self.today <= LOOK_BACK
            and not signal.investigation
            and not signal.wrong_channel
            and not (signal.strict and signal.extra)
        )

    def offer(self, signal: Signal) -> str:
        """What the answer to a push is: `permit`, `deny`, or the code of a refusal."""
        if refused := self.caller(signal.sender):
            return refused
        if signal.key != self.keys.get(signal.sender, 0):
            return "signing-key-replaced"
        now = self.now()
        if not now - OLDEST <= signal.created_ms <= now + CLOCKS_APART:
            return "clock-skew"
        if signal.expires_ms <= now:
            return "signal-expired"
        if refused := self.takes(signal.epoch, signal.created_ms):
            return refused
        origin = self.signals.get(signal.previous) if signal.previous else None
        signal.passed_on = bool(origin and origin.permitted and origin.recipient == signal.sender)
        if signal.passed_on and origin and origin.taken_back:
            return "signal-withdrawn"
        return "permit" if self.may_move(signal) else "deny"

    def accept(self, signal: Signal, answer: str, index: int) -> None:
        """It was answered, at this place in the log."""
        now = self.now()
        signal.index, signal.permitted = index, answer == "permit"
        self.signals[signal.signal_id] = signal
        if not signal.permitted:
            self.log.append(("signal.push", "refused"))
            return
        signal.term_ms = signal.until_ms = min(signal.expires_ms, months_after(now, 60))
        self.log.append(("signal.push", "on_match" if signal.deposit else "mailbox"))
        if not signal.deposit:
            self.deliver(signal, index)
        elif self.is_watched(signal):
            self.hit(signal, index)

    def hit(self, signal: Signal, index: int) -> None:
        """Its recipient watches for it: both legs are decided now, as on a question."""
        may_watch = not {AGREEMENT, WATCHING, signal.recipient} & self.stopped
        self.log.append(("watch.hit", "answered" if may_watch else "refused"))
        if not may_watch:
            return
        released = self.may_move(signal)
        self.log.append(("signal.release", "released" if released else "refused"))
        if released:
            self.deliver(signal, index + 2)

    def deliver(self, signal: Signal, index: int) -> None:
        """It lies in its recipient's mailbox, who now owes what comes with that."""
        signal.released = True
        signal.waiting.add(index)
        if not signal.deposit or self.today >= SECOND_TERM:
            self.owe("feedback", signal, months_after(self.now(), 9 if signal.deposit else 12))
        if signal.severe:
            self.owe("attend", signal, self.now() + 4 * HOUR)

    def owe(
        self, act: str, signal: Signal, due_ms: int, follow_up: UUID | None = None, to: str | None = None
    ) -> None:
        """The recipient of a signal owes its sender this, unless another."""
        creditor = signal.sender if to is None else to
        self.duties.append(
            Duty(
                act=act,
                debtor=signal.recipient,
                creditor=creditor,
                signal_id=signal.signal_id,
                follow_up=follow_up,
                due_ms=due_ms,
            )
        )

    # what lies where

    def kept(self) -> list[Signal]:
        """Signals of which the broker still has something."""
        return [signal for signal in self.signals.values() if signal.permitted and not signal.gone]

    def is_held(self, signal: Signal) -> bool:
        """Whether two officers keep it from destruction."""
        return bool({str(signal.signal_id), signal.sender, signal.recipient} & set(self.holds.values()))

    def mailbox(self, party: str) -> set[int]:
        """G9, G10: what waits for a party, by log index."""
        now = self.now()
        return {
            index
            for signal in self.kept()
            if signal.recipient == party and not signal.taken_back and signal.until_ms > now
            for index in signal.waiting
        }

    def lying(self, epoch: str) -> list[Signal]:
        """What lies deposited for the certification body, in the order of the log."""
        now = self.now()
        found = [
            signal
            for signal in self.kept()
            if signal.deposit and signal.epoch == epoch and not signal.taken_back and signal.until_ms > now
        ]
        return sorted(found, key=lambda signal: signal.index)

    def asked(self, epoch: str, firms: Iterable[str]) -> list[tuple[Signal, bool]]:
        """What a permitted question about firms meets, and whether each of it is released."""
        asked = set(firms)
        return [(signal, self.may_move(signal)) for signal in self.lying(epoch) if signal.firm in asked]

    def is_watched(self, signal: Signal) -> bool:
        """Whether its recipient hears of it at once."""
        listed = self.watched.get(signal.epoch)
        return listed is not None and listed.holds(signal.firm, self.today)

    def watches(self, epoch: str, firms: list[str], last_day: date) -> str:
        """What the answer to a watch list is: `permit`, `deny`, or the code of a refusal."""
        if refused := self.caller(self.body) or (self.questions(epoch) if firms else ""):
            return refused
        register = self.registers.get((self.body, epoch))
        clients = sum(register.holds(firm, self.today) for firm in register.last_days) if register else 0
        too_long = last_day > self.today + timedelta(days=WATCH_DAYS)
        denied = bool({AGREEMENT, WATCHING} & self.stopped) or (
            bool(firms) and (too_long or len(firms) > clients)
        )
        return "deny" if denied else "permit"

    # epochs

    def takes(self, epoch: str, created_ms: int) -> str:
        """The code with which a signal made at a moment is refused in an epoch; empty when it is taken."""
        age = self.ages.get(epoch)
        if age is None:
            return "unknown-epoch"
        if age.retired or age.compromised:
            return "epoch-closed"
        if self.now() + CLOCKS_APART < age.begins_ms:
            return "epoch-not-begun"
        end = self.end_of(age)
        return "epoch-closed" if end is not None and created_ms >= end + CLOCKS_APART else ""

    def questions(self, epoch: str) -> str:
        """The code with which a question or a list is refused in an epoch; empty when it is taken."""
        age = self.ages.get(epoch)
        if age is None:
            return "unknown-epoch"
        return "epoch-closed" if age.retired or age.silent or age.never else ""

    def to_ask(self) -> list[str]:
        """The epochs in which there may be something to find, oldest first."""
        ages = sorted(self.ages.values(), key=lambda age: age.begins_ms)
        return [age.name for age in ages if age.begins_ms <= self.now() and not self.questions(age.name)]

    def end_of(self, age: Age) -> int | None:
        """When the next epoch begins, as far as that is known."""
        later = [
            other.begins_ms
            for other in self.ages.values()
            if other.begins_ms > age.begins_ms and not other.never
        ]
        return min(later, default=None)

    def in_use(self, epoch: str) -> bool:
        """Whether a pseudonym of an epoch is still kept."""
        return any(signal.epoch == epoch for signal in self.kept())

    def may_retire(self, epoch: str) -> bool:
        """Whether nothing is left of an epoch, and nothing can come."""
        age = self.ages[epoch]
        end = self.end_of(age)
        past = age.compromised or (end is not None and self.now() > end + CLOCKS_APART + OLDEST)
        return past and not age.retired and not self.in_use(epoch)

    def retire(self, epoch: str) -> None:
        """An epoch was retired: its registers and lists go."""
        self.ages[epoch].retired = True
        self.log.append(("key.retire", epoch))
        self.watched.pop(epoch, None)
        for place in [place for place in self.registers if place[1] == epoch]:
            del self.registers[place]

    # the end of what is kept

    def sweep(self) -> list[Signal]:
        """What came to its end goes; returns it. Lost certificates move ends before."""
        now = self.now()
        for signal in self.kept():
            self._look_for_loss(signal)
        ended = [signal for signal in self.kept() if signal.until_ms <= now and not self.is_held(signal)]
        for signal in ended:
            signal.gone = True
            self.log.append(("signal.destroy", "destroyed"))
        for place, register in list(self.registers.items()):
            if months_after(register.loaded_ms, 6) <= now:
                del self.registers[place]
        for epoch, listed in list(self.watched.items()):
            longest = day_of(listed.loaded_ms) + timedelta(days=WATCH_DAYS)
            if midnight_after(min(longest, max(listed.last_days.values()))) <= now:
                del self.watched[epoch]
        return ended

    def _look_for_loss(self, signal: Signal) -> None:
        """BAAI 2:3: six months after the certificate was lost, unless it is there again."""
        now = self.now()
        register = self.registers.get((signal.recipient, signal.epoch))
        if register is None or signal.until_ms <= now:
            return  # then nobody knows, and what was known last holds; or it has ended, and stays so
        if register.holds(signal.firm, self.today):
            signal.lost_ms = None
        else:
            moments = [now if signal.lost_ms is None else signal.lost_ms]
            if signal.firm in register.last_days:
                moments.append(midnight_after(register.last_days[signal.firm]))
            signal.lost_ms = min(moments)
        lost = signal.lost_ms
        signal.until_ms = signal.term_ms if lost is None else min(signal.term_ms, months_after(lost, 6))
