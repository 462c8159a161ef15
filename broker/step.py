# SPDX-License-Identifier: EUPL-1.2
"""One batch inside its transaction: what was read for it, and what its members write.

Members see what earlier members of the same batch did (a repeated key, a signal id, an acknowledgement),
because the transaction itself shows only what was committed before.
"""

import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from broker.operations import is_known
from broker.storage.deposit_port import Alias
from broker.storage.finding_port import FindingRow
from broker.storage.follow_up_port import Duty, FollowUpDelivery, FollowUpRow, Origin
from broker.storage.port import Counter, Delivery, FirstAnswer, PartyRow, StoredSignal, Transaction
from broker.storage.register_port import Period
from broker.storage.retention_port import FOLLOWS, Link
from sluis.canonical import canonical_json
from sluis.epochs import EpochCalendar
from sluis.errors import Defect, Unavailable
from sluis.merkle import Hash, leaf_hash

T = TypeVar("T")

CLOCK_TOLERANCE_MS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterKey:
    """A subject in a register, in the pseudonymisation domain of `recipient`."""

    agreement: str
    register: str
    recipient: str
    epoch: str
    pseudonym: bytes

    @property
    def domain(self) -> tuple[str, str, str, str]:
        """The register without the subject."""
        return (self.agreement, self.register, self.recipient, self.epoch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a work reads; one that must see all that came before it is `alone` in its transaction."""

    parties: frozenset[str] = frozenset()
    answers: frozenset[tuple[str, str]] = frozenset()
    signals: frozenset[bytes] = frozenset()
    registers: frozenset[RegisterKey] = frozenset()
    deliveries: frozenset[int] = frozenset()
    previous: frozenset[bytes] = frozenset()
    alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """An entry as appended."""

    index: int
    entry: bytes
    leaf: Hash


@dataclass(slots=True)
class _Overlay:
    answers: dict[tuple[str, str], FirstAnswer] = field(default_factory=dict)
    signals: set[bytes] = field(default_factory=set)
    acknowledged: set[int] = field(default_factory=set)
    findings: dict[str, FindingRow] = field(default_factory=dict)


class Step:
    """The view of a batch. `now` is the same for all its members and never before the log's newest entry."""

    def __init__(self, tx: Transaction, now: datetime, needs: Sequence[Needs]) -> None:
        self.tx = tx
        now_ms = int(now.timestamp() * 1000)
        behind = tx.head.last_time_ms - now_ms
        if behind > CLOCK_TOLERANCE_MS:
            raise Unavailable("clock-behind-log", f"the clock is {behind} ms behind the log's newest entry")
        self.now = now
        self.now_ms = max(now_ms, tx.head.last_time_ms)
        self._time = rfc3339(self.now_ms)
        self.stops = tx.stops()
        self._parties = dict(tx.parties(_union(need.parties for need in needs)))
        self._answers = tx.first_answers(_union(need.answers for need in needs))
        self._signals = tx.known_signals(_union(need.signals for need in needs))
        self._origins = tx.origins(_union(need.previous for need in needs))
        self._deliveries = tx.deliveries(_union(need.deliveries for need in needs))
        self._periods: dict[RegisterKey, Sequence[Period]] = {}
        self._owners: dict[tuple[str, str, str, str], frozenset[str]] = {}
        self._read_registers(_union(need.registers for need in needs))
        self._counted: dict[Counter, int] = {}
        self._new = _Overlay()
        self._calendar: EpochCalendar | None = None
        self._wake: set[str] = set()
        self.wrote = False

    def read_more(self, needs: Needs) -> None:
        """Read parties and registers that only became known inside the transaction."""
        self._parties.update(self.tx.parties(needs.parties))
        self._read_registers(needs.registers)

    def begin(self, wake: set[str]) -> None:
        """Start the next member; `wake` collects the recipients for whom something arrived."""
        self.wrote = False
        self._wake = wake

    def _read_registers(self, keys: frozenset[RegisterKey]) -> None:
        domains: dict[tuple[str, str, str, str], dict[bytes, RegisterKey]] = defaultdict(dict)
        for key in keys:
            domains[key.domain][key.pseudonym] = key
        for domain, subjects in domains.items():
            if domain not in self._owners:
                self._owners[domain] = self.tx.register_owners(*domain)
                self._parties.update(self.tx.parties(self._owners[domain] - self._parties.keys()))
            rows = self.tx.register_periods(*domain, subjects.keys())
            self._periods.update({subjects[pseudonym]: periods for pseudonym, periods in rows.items()})

    @property
    def calendar(self) -> EpochCalendar:
        """The epochs of pseudonyms, read once in a batch that needs them."""
        if self._calendar is None:
            self._calendar = EpochCalendar(row.epoch for row in self.tx.epochs.all())
        return self._calendar

    def party(self, oin: str) -> PartyRow | None:
        """A participant whose OIN was in the needs."""
        return self._parties.get(oin)

    def stopped(self, scope: str, target: str) -> bool:
        """Whether an emergency stop covers this agreement, rule or certificate."""
        return any(stop.scope == scope and stop.target == target for stop in self.stops)

    def first_answer(self, oin: str, key: str) -> FirstAnswer | None:
        """The first answer to an idempotency key, also from earlier in this batch."""
        return self._new.answers.get((oin, key)) or self._answers.get((oin, key))

    def signal_exists(self, signal_id: bytes) -> bool:
        """Whether a signal with this id was accepted before."""
        return signal_id in self._signals or signal_id in self._new.signals

    def origin(self, signal_id: bytes) -> Origin | None:
        """For whom an earlier signal was that was in the needs, if it is known here."""
        return self._origins.get(signal_id)

    def role(self, oin: str) -> str:
        """The role of a participant; empty when it is unknown."""
        row = self._parties.get(oin)
        return row.role if row else ""

    def register_owners(self, key: RegisterKey) -> frozenset[str]:
        """Who keeps an active snapshot of this register in this domain."""
        return self._owners.get(key.domain, frozenset())

    def periods(self, key: RegisterKey) -> Sequence[Period]:
        """The periods for which registers hold the subject."""
        return self._periods.get(key, ())

    def delivery(self, log_index: int) -> tuple[Delivery | None, bool]:
        """A delivery and whether it has been acknowledged."""
        row = self._deliveries.get(log_index)
        done = row is not None and (row.acknowledged_index is not None or log_index in self._new.acknowledged)
        return row, done

    def counted(self, counter: Counter) -> int:
        """How many subjects a counter has seen, those of earlier members of this batch included."""
        if counter not in self._counted:
            self._counted[counter] = self.tx.counted([counter]).get(counter, 0)
        return self._counted[counter]

    def count(self, counter: Counter, subjects: int) -> None:
        """Add to a counter."""
        self.wrote = True
        self._counted[counter] = self.counted(counter) + subjects
        self.tx.count(counter, subjects)

    def log(
        self, entry: Mapping[str, object], *, salt: bytes = b"", inputs: bytes = b"", link: Link = FOLLOWS
    ) -> Logged:
        """Append an entry; `time` and a nonce are filled in.

        A salt, and what was decided on, go beside the log, where they are destroyed when the link ends.

        Without the nonce an entry of few unknowns (a count, a minute) could be guessed from its leaf hash, which
        every participant may have. Raises Defect for an operation or outcome that `broker.operations` does not list:
        nobody could read what it tells.
        """
        if not is_known(entry.get("operation"), entry.get("outcome", "")):
            raise Defect(
                "defect", f"no entry `{entry.get('operation')}` has the outcome `{entry.get('outcome')}`"
            )
        self.wrote = True
        data = canonical_json({**entry, "v": 1, "time": self._time, "nonce": secrets.token_hex(16)})
        index = self.tx.append(data, self.now_ms)
        if salt:
            self.tx.add_salt(index, salt, inputs, link)
        return Logged(index=index, entry=data, leaf=leaf_hash(data))

    def finding(self, organisation: str, finding_id: str) -> FindingRow | None:
        """A finding of an organisation, as earlier members of this batch left it."""
        row = self._new.findings.get(finding_id)
        if row is None:
            return self.tx.finding(organisation, finding_id)
        return row if row.organisation == organisation else None

    def put_finding(self, row: FindingRow) -> None:
        """Add or change a finding."""
        self.wrote = True
        self._new.findings[row.finding_id] = row
        self.tx.put_finding(row)

    def remember(self, row: FirstAnswer) -> None:
        """Keep the answer to an idempotency key."""
        self.wrote = True
        self._new.answers[(row.oin, row.key)] = row
        self.tx.add_first_answer(row)

    def keep(self, row: StoredSignal) -> None:
        """Keep a sealed signal."""
        self.wrote = True
        self._new.signals.add(row.signal_id)
        self.tx.add_signal(row)

    def keep_aliases(self, rows: Sequence[Alias]) -> None:
        """Let a kept signal be found by other pseudonyms of its subject."""
        self.wrote = True
        self.tx.add_aliases(rows)

    def deliver(self, row: Delivery) -> None:
        """Put a release into its recipient's mailbox."""
        self.wrote = True
        self._wake.add(row.recipient)
        self.tx.add_delivery(row)

    def follow_up(self, row: FollowUpRow) -> None:
        """Keep a follow-up."""
        self.wrote = True
        self.tx.add_follow_up(row)

    def deliver_follow_up(self, row: FollowUpDelivery) -> None:
        """Let a follow-up wait for a party."""
        self.wrote = True
        self._wake.add(row.recipient)
        self.tx.add_follow_up_delivery(row)

    def acknowledge_follow_up(self, log_index: int, acknowledged_index: int) -> None:
        """Mark a delivery of a follow-up as acknowledged."""
        self.wrote = True
        self.tx.acknowledge_follow_up(log_index, acknowledged_index)

    def withdraw(self, signal_id: bytes, log_index: int, envelope: bytes) -> None:
        """Let a signal go out no more, and keep no more of it than this envelope."""
        self.wrote = True
        self.tx.withdraw(signal_id, log_index, envelope)

    def owe(self, duty: Duty) -> None:
        """Note what a party owes another."""
        self.wrote = True
        self.tx.add_duty(duty)

    def done(self, duty: Duty, log_index: int) -> None:
        """Note that a duty was done, by an entry of this transaction."""
        self.wrote = True
        self.tx.finish_duty(duty, log_index)

    def acknowledge(self, log_index: int, acknowledged_index: int) -> None:
        """Mark a delivery as acknowledged."""
        self.wrote = True
        self._new.acknowledged.add(log_index)
        self.tx.acknowledge(log_index, acknowledged_index)


def rfc3339(time_ms: int) -> str:
    """Format Unix milliseconds as RFC 3339 in UTC."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"


def new_salt() -> bytes:
    """A fresh salt for a commitment, 32 bytes."""
    return secrets.token_bytes(32)


def _union(sets: Iterable[frozenset[T]]) -> frozenset[T]:
    empty: frozenset[T] = frozenset()
    return empty.union(*sets)
