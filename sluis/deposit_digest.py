# SPDX-License-Identifier: EUPL-1.2
"""A digest of what lies deposited in one domain, so that a recipient tests its own subjects by itself.

    value  = the leading `bits` bits of a pseudonym; the digest is the set of these values
    header = lp("sluis/v1/deposit-digest", log_origin, agreement, recipient, kind, epoch,
                u64(since), u64(until), u64(made_at_ms), u32(bits), u32(width), u64(count), SHA-256(body))
    body   = u32le(values in bucket 0) ... u32le(values in the last bucket) || low part of each value, ascending
    bucket = value >> 8*width;  low part = the last 8*width bits, little-endian

It covers the signals whose push stands at since <= log index < until: from 0 it is whole, else an addition to one
that ends at `since`. Signed by the broker's receipt key over the header. Who is in it is certain to be found; who is
not is found with chance count / 2^bits, on purpose: see `RATE_BITS`. Equal subjects keep their answer in every
digest of the same `bits`, so that digests laid over one another tell no more than the newest.
"""

import hashlib
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Self

from sluis.encoding import Reader, lp, u32, u64
from sluis.errors import Defect, InvalidInput, NotAuthentic
from sluis.header import MAX_TIME_MS, PSEUDONYM_SIZE, check_epoch, check_term, parse_oin
from sluis.identifiers import Oin

# One in 256 to 512 of the subjects that are not in it is found all the same. Fewer would tell the asker, of each
# subject that is found and then not released, that something lies there; more would tell the broker about clients.
RATE_BITS: Final = 8
MIN_BITS: Final = 8
MAX_BITS: Final = 56
MAX_BODY: Final = 1 << 28
_WORD_BITS: Final = 64
_CODES: Final = {1: "B", 2: "H", 4: "I", 8: "Q"}  # low parts, by their width in bytes
_COUNT_SIZE: Final = 4
_LABEL: Final = b"sluis/v1/deposit-digest"
_LITTLE: Final = sys.byteorder == "little"


def bits_for(signals: int) -> int:
    """How many bits of each pseudonym a whole digest of so many signals keeps."""
    return RATE_BITS + max(signals - 1, 0).bit_length()


def width_for(bits: int, values: int) -> int:
    """The width of the low parts with which so many values take the least room."""
    return min(_CODES, key=lambda width: (_body_size(bits, width, values), width))


def leading_words(pseudonyms: bytes) -> "array[int]":
    """The first 64 bits of each pseudonym of a concatenation, as numbers."""
    words = array("Q")
    words.frombytes(pseudonyms)
    if _LITTLE:
        words.byteswap()
    return words[::2]


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestHeader:
    """What a digest covers, and the hash of its body."""

    log_origin: str
    agreement: str
    recipient: Oin
    kind: str
    epoch: str
    since: int
    until: int
    made_at_ms: int
    bits: int
    width: int
    count: int
    body_hash: bytes

    def __post_init__(self) -> None:
        check_term("agreement", self.agreement)
        check_term("kind", self.kind)
        check_epoch(self.epoch)
        if not 0 <= self.since <= self.until < 1 << 63:
            raise InvalidInput("malformed-request", "a digest ends before it begins", where="since")
        if not 0 <= self.made_at_ms <= MAX_TIME_MS:
            raise InvalidInput("malformed-request", "the time of the digest is out of range")
        if not MIN_BITS <= self.bits <= MAX_BITS or self.width not in _CODES:
            raise InvalidInput("malformed-request", "no such digest: bits or width", where="bits")
        if not 0 <= self.count < 1 << 40 or self.body_size > MAX_BODY:
            raise InvalidInput("malformed-request", "the digest is too large", where="count")

    @property
    def domain(self) -> tuple[str, str, str, str]:
        """Agreement, recipient, kind, epoch."""
        return (self.agreement, self.recipient, self.kind, self.epoch)

    @property
    def body_size(self) -> int:
        """How many bytes the body has."""
        return _body_size(self.bits, self.width, self.count)

    def encode(self) -> bytes:
        """Return the bytes that are signed."""
        numbers = (u64(self.since), u64(self.until), u64(self.made_at_ms))
        shape = (u32(self.bits), u32(self.width), u64(self.count))
        return lp(_LABEL, self.log_origin, *self.domain, *numbers, *shape, self.body_hash)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote. Raises InvalidInput."""
        reader = Reader(data)
        if reader.part() != _LABEL:
            raise InvalidInput("malformed-encoding", "not the header of a digest")
        texts = [reader.text() for _ in range(5)]
        numbers = [reader.u64() for _ in range(3)]
        header = cls(
            log_origin=texts[0],
            agreement=texts[1],
            recipient=parse_oin(texts[2]),
            kind=texts[3],
            epoch=texts[4],
            since=numbers[0],
            until=numbers[1],
            made_at_ms=numbers[2],
            bits=reader.u32(),
            width=reader.u32(),
            count=reader.u64(),
            body_hash=reader.part(length=hashlib.sha256().digest_size),
        )
        reader.end()
        return header


class DigestBuilder:
    """Collects the values of pseudonyms that come in ascending order."""

    def __init__(self, bits: int, signals: int) -> None:
        """Prepare for at most so many signals (more take more room, no more)."""
        self.bits = bits
        self.width = width_for(bits, signals)
        self._buckets = array("I", bytes(_COUNT_SIZE * _buckets(bits, self.width)))
        self._lows = array(_CODES[self.width])
        self._last = -1

    @property
    def count(self) -> int:
        """How many different values there are."""
        return len(self._lows)

    def add(self, pseudonyms: Sequence[bytes]) -> None:
        """Add pseudonyms, none below those before. Repeated ones count once."""
        shift, low_bits = _WORD_BITS - self.bits, 8 * self.width
        mask, last = (1 << low_bits) - 1, self._last
        buckets, append = self._buckets, self._lows.append
        for word in leading_words(b"".join(pseudonyms)):
            value = word >> shift
            if value > last:
                buckets[value >> low_bits] += 1
                append(value & mask)
                last = value
            elif value < last:
                raise Defect("defect", "the pseudonyms of a digest are not in order")
        self._last = last

    def body(self) -> bytes:
        """Return the body."""
        if not _LITTLE:
            self._buckets.byteswap()
            self._lows.byteswap()
        body = self._buckets.tobytes() + self._lows.tobytes()
        if not _LITTLE:
            self._buckets.byteswap()
            self._lows.byteswap()
        return body


class DepositDigest:
    """A digest to test subjects against."""

    def __init__(self, header: DigestHeader, body: bytes) -> None:
        """Take a body that fits its header. Raises NotAuthentic `digest-wrong`."""
        if len(body) != header.body_size:
            raise NotAuthentic("digest-wrong", "the digest has another length than its header says")
        if hashlib.sha256(body).digest() != header.body_hash:
            raise NotAuthentic("digest-wrong", "the digest is not the one that its header names")
        self.header = header
        split = len(body) - header.width * header.count
        view = memoryview(body)
        buckets, self._lows = array("I"), array(_CODES[header.width])
        buckets.frombytes(view[:split])
        self._lows.frombytes(view[split:])
        if not _LITTLE:
            buckets.byteswap()
            self._lows.byteswap()
        self._starts = array("Q", accumulate(buckets, initial=0))
        if self._starts[-1] != header.count:
            raise NotAuthentic("digest-wrong", "the buckets of the digest do not add up")

    def positions(self, words: Iterable[int]) -> list[int]:
        """The positions of those that are found, of pseudonyms given by their first 64 bits."""
        header, starts, lows = self.header, self._starts, self._lows
        shift, low_bits = _WORD_BITS - header.bits, 8 * header.width
        mask, found = (1 << low_bits) - 1, []
        for position, word in enumerate(words):
            value = word >> shift
            bucket, low = value >> low_bits, value & mask
            end = starts[bucket + 1]
            at = bisect_left(lows, low, starts[bucket], end)
            if at < end and lows[at] == low:
                found.append(position)
        return found

    def holds(self, pseudonym: bytes) -> bool:
        """Whether a pseudonym is found."""
        return bool(self.positions(leading_words(pseudonym[:PSEUDONYM_SIZE])))


def _buckets(bits: int, width: int) -> int:
    return 1 << max(0, bits - 8 * width)


def _body_size(bits: int, width: int, values: int) -> int:
    return _COUNT_SIZE * _buckets(bits, width) + width * values
