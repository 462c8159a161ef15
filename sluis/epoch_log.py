# SPDX-License-Identifier: EUPL-1.2
"""What the log says of epochs: entries read into a calendar, and evaluators' statements that a seed is gone.

    {"begins":"2027-01-01T00:00:00.000Z","epoch":"2027","operation":"epoch.announce","reason":...,...}
    {"epoch":"2026","operation":"epoch.compromise","questions":"asked","since":"2026-06-01T09:00:00.000Z",...}
    {"announced":0,"epoch":"2026","operation":"key.retire","registers":2,...}
    {"destroyed_at":"...","epoch":"2026","evaluator":...,"leaf":hex,"operation":"key.destroy","retired":17,
     "signature":hex,...}

    statement = lp("sluis/v1/key-destruction", log_origin, evaluator, epoch, u64(retired), leaf, u64(destroyed_at_ms))

`retired` and `leaf` are the index and leaf hash of the entry `key.retire` that the evaluator saw proven; whoever has
the entry and the evaluator's card can check the statement.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sluis.canonical import parse_canonical
from sluis.encoding import Reader, lp, u64
from sluis.epochs import Epoch
from sluis.errors import InvalidInput, NotAuthentic
from sluis.header import MAX_TIME_MS
from sluis.identifiers import Oin
from sluis.merkle import HASH_SIZE, Hash
from sluis.pseudonyms import check_epoch
from sluis.signing import SigningKey, VerifyKey

ANNOUNCE: Final = "epoch.announce"
COMPROMISE: Final = "epoch.compromise"
RETIRE: Final = "key.retire"
DESTROY: Final = "key.destroy"
_LABEL: Final = b"sluis/v1/key-destruction"


def read_epoch(
    announced: tuple[int, bytes],
    compromised: tuple[int, bytes] | None = None,
    retired: tuple[int, bytes] | None = None,
) -> Epoch:
    """Read an epoch from its entries, each with its index; that they stand in the log is the caller's to prove.

    Raises NotAuthentic `log-inconsistent` for entries that do not tell of one epoch.
    """
    index, data = announced
    entry = _entry(data, ANNOUNCE)
    name = entry.get("epoch")
    since: int | None = None
    stopped = False
    if compromised is not None:
        told = _entry(compromised[1], COMPROMISE)
        since, stopped = time_ms(told.get("since")), told.get("questions") == "stopped"
        _same(told.get("epoch"), name)
    if retired is not None:
        told = _entry(retired[1], RETIRE)
        _same(told.get("epoch"), name)
        _same(told.get("announced"), index)
    if not isinstance(name, str):
        raise _wrong()
    return Epoch(
        name=name,
        begins_at_ms=time_ms(entry.get("begins")),
        announced_index=index,
        compromised_at_ms=since,
        questions_stopped=stopped,
        retired_index=retired[0] if retired else None,
    )


def time_ms(text: object) -> int:
    """Unix milliseconds of a time as entries have it. Raises NotAuthentic `log-inconsistent`."""
    try:
        if not isinstance(text, str) or len(text) != len("2027-01-01T00:00:00.000Z"):
            raise ValueError
        at = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        raise _wrong() from None
    return int(at.timestamp()) * 1000 + at.microsecond // 1000


def _entry(data: bytes, operation: str) -> dict[str, Any]:
    entry = dict(parse_canonical(data))
    _same(entry.get("operation"), operation)
    return entry


def _same(found: object, expected: object) -> None:
    if found != expected:
        raise _wrong()


def _wrong() -> NotAuthentic:
    return NotAuthentic("log-inconsistent", "the entries shown do not tell of an epoch")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDestruction:
    """An evaluator's statement that its seed of a retired epoch is destroyed; trust it only after `verify`."""

    log_origin: str
    evaluator: Oin
    epoch: str
    retired_index: int
    retired_leaf: Hash
    destroyed_at_ms: int

    def __post_init__(self) -> None:
        check_epoch(self.epoch)
        if len(self.retired_leaf) != HASH_SIZE or not 0 <= self.destroyed_at_ms <= MAX_TIME_MS:
            raise InvalidInput("malformed-encoding", "a statement of destruction has another form")

    def encode(self) -> bytes:
        """Return the bytes that are signed."""
        return lp(
            _LABEL,
            self.log_origin,
            self.evaluator,
            self.epoch,
            u64(self.retired_index),
            self.retired_leaf,
            u64(self.destroyed_at_ms),
        )

    @classmethod
    def decode(cls, data: bytes) -> "KeyDestruction":
        """Read what `encode` wrote. Raises InvalidInput."""
        reader = Reader(data)
        if reader.part() != _LABEL:
            raise InvalidInput("malformed-encoding", "not a statement of destruction")
        origin, evaluator, epoch = reader.text(), reader.text(), reader.text()
        retired_index, leaf = reader.u64(), reader.part(length=HASH_SIZE)
        destroyed_at_ms = reader.u64()
        reader.end()
        return cls(
            log_origin=origin,
            evaluator=Oin.parse(evaluator),
            epoch=epoch,
            retired_index=retired_index,
            retired_leaf=Hash(leaf),
            destroyed_at_ms=destroyed_at_ms,
        )

    @classmethod
    def from_entry(cls, data: bytes, log_origin: str) -> "KeyDestruction":
        """Read it from its entry, for whoever has the log. Raises NotAuthentic, InvalidInput."""
        entry = _entry(data, DESTROY)
        try:
            leaf = Hash(bytes.fromhex(str(entry.get("leaf"))))
        except ValueError:
            raise _wrong() from None
        index = entry.get("retired")
        if not isinstance(index, int) or index < 0:
            raise _wrong()
        return cls(
            log_origin=log_origin,
            evaluator=Oin.parse(str(entry.get("evaluator"))),
            epoch=str(entry.get("epoch")),
            retired_index=index,
            retired_leaf=leaf,
            destroyed_at_ms=time_ms(entry.get("destroyed_at")),
        )

    def sign(self, key: SigningKey) -> bytes:
        """Sign as the evaluator."""
        return key.sign(self.encode())

    def verify(self, key: VerifyKey, signature: bytes) -> None:
        """Check the evaluator's signature. Raises NotAuthentic `signature-wrong`."""
        key.verify(self.encode(), signature)
