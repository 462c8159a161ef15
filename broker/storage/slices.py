# SPDX-License-Identifier: EUPL-1.2
"""Exact counts of numbered things as bit slices: choosing, adding and counting work on all of them at once.

Slice k holds bit k of every count, the thing with number i at bit i (O'Neil and Quass, "Improved query performance
with variant indexes", SIGMOD 1997). A choice of things is a mask of the same form.

    number      5 4 3 2 1 0
    count       0 3 1 0 2 1
    slice 0     0 1 1 0 0 1
    slice 1     0 1 0 0 1 0
    a mask      0 1 0 0 1 1   has 1 + 1 in slice 0 and 2 + 2 in slice 1: the things 0, 1 and 4 count 6
"""

import sys
from array import array
from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import zip_longest
from operator import or_
from typing import TypeAlias

Mask: TypeAlias = int
Slices: TypeAlias = tuple[int, ...]

NOTHING: Slices = ()

_WIDTH = 8  # bytes of a count while it is cut up
_DIGITS = [bytes(0x30 + (byte >> bit & 1) for byte in range(256)) for bit in range(8)]


def mask_of(numbers: Iterable[int], size: int) -> Mask:
    """The mask of some things; their numbers are below `size`."""
    found = bytearray(size + 7 >> 3)
    for number in numbers:
        found[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(found, "little")


def sliced(counts: Iterable[tuple[int, int]], size: int) -> Slices:
    """Cut up pairs of number and count; numbers are below `size`, counts 0 or more and each there once."""
    flat = array("Q", bytes(_WIDTH * size))
    highest = 0
    for number, count in counts:
        flat[number] = count
        highest = max(highest, count)
    if sys.byteorder == "big":
        flat.byteswap()
    flat.reverse()  # the digits of a number begin with the highest
    content = flat.tobytes()
    return tuple(
        int(content[place >> 3 :: _WIDTH].translate(_DIGITS[place & 7]), 2)
        for place in range(highest.bit_length())
    )


def added(many: Iterable[Slices]) -> Slices:
    """Add counts of the same things."""
    return reduce(_plus, many, NOTHING)


def counted(slices: Slices, mask: Mask) -> int:
    """How much the things under a mask count together."""
    return sum((one & mask).bit_count() << place for place, one in enumerate(slices))


def present(slices: Slices) -> Mask:
    """The things that count anything."""
    return reduce(or_, slices, 0)


def numbers_in(mask: Mask) -> Sequence[int]:
    """The numbers under a mask, rising."""
    digits = f"{mask:b}"[::-1]
    found, place = [], digits.find("1")
    while place >= 0:
        found.append(place)
        place = digits.find("1", place + 1)
    return found


def counts_of(slices: Slices, mask: Mask) -> dict[int, int]:
    """The counts of the things under a mask, by number; nothing for those that count nothing."""
    found: dict[int, int] = {}
    for place, one in enumerate(slices):
        for number in numbers_in(one & mask):
            found[number] = found.get(number, 0) + (1 << place)
    return found


def size_of(slices: Slices) -> int:
    """About how many bytes they take."""
    return sum(one.bit_length() >> 3 for one in slices) + 40 * len(slices)


def _plus(one: Slices, other: Slices) -> Slices:
    carry, found = 0, []
    for left, right in zip_longest(one, other, fillvalue=0):
        differs = left ^ right
        found.append(differs ^ carry)
        carry = left & right | differs & carry
    return (*found, carry) if carry else tuple(found)
