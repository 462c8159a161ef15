# SPDX-License-Identifier: EUPL-1.2
"""Canonical bytes: every hashed or signed structure is a sequence of length-prefixed parts.

    lp(a, b) = u32(len(a)) || a || u32(len(b)) || b        (big-endian)

Joining with a separator would let ("a|b", "c") and ("a", "b|c") collide; a length cannot be forged.
A `Reader` accepts only what `lp` writes, and everything of it.
"""

import struct

from sluis.errors import InvalidInput

MAX_PART = 1 << 20

_LENGTH = struct.Struct(">I").pack


def u32(number: int) -> bytes:
    """Encode an unsigned 32-bit integer, big-endian."""
    return number.to_bytes(4, "big")


def u64(number: int) -> bytes:
    """Encode an unsigned 64-bit integer, big-endian."""
    return number.to_bytes(8, "big")


def lp(*parts: bytes | str) -> bytes:
    """Join parts, each behind its length; text is UTF-8."""
    out: list[bytes] = []
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        out += (_LENGTH(len(data)), data)
    return b"".join(out)


class Reader:
    """Reads what `lp` wrote, part by part.

    Raises InvalidInput `malformed-encoding` on anything else.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def part(self, *, length: int | None = None) -> bytes:
        """Read the next part, of exactly `length` bytes when given."""
        start = self._at + 4
        if start > len(self._data):
            raise InvalidInput("malformed-encoding", "a length prefix is cut short")
        size = int.from_bytes(self._data[self._at : start], "big")
        if size > MAX_PART or start + size > len(self._data):
            raise InvalidInput("malformed-encoding", "a part is longer than the message")
        if length is not None and size != length:
            raise InvalidInput("malformed-encoding", f"a part has {size} bytes where {length} are due")
        self._at = start + size
        return self._data[start : self._at]

    def text(self) -> str:
        """Read the next part as UTF-8."""
        try:
            return self.part().decode()
        except UnicodeDecodeError:
            raise InvalidInput("malformed-encoding", "a text is not UTF-8") from None

    def u32(self) -> int:
        """Read the next part as an unsigned 32-bit integer."""
        return int.from_bytes(self.part(length=4), "big")

    def u64(self) -> int:
        """Read the next part as an unsigned 64-bit integer."""
        return int.from_bytes(self.part(length=8), "big")

    def has_more(self) -> bool:
        """Tell whether bytes follow the parts that were read."""
        return self._at != len(self._data)

    def end(self) -> None:
        """Insist that nothing follows."""
        if self.has_more():
            raise InvalidInput("malformed-encoding", "bytes follow the last part")
