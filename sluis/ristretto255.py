# SPDX-License-Identifier: EUPL-1.2
"""The ristretto255 group (RFC 9496), by calling libsodium.

Elements and scalars are 32 bytes; a batch is the same bytes one after another, as on the wire.
libsodium runs in constant time and releases the GIL, so threads scale. What it lets through is
stopped here: the identity, scalars that are zero or not below the group order, and wrong lengths.
Key-dependent arithmetic stays inside libsodium; keys and blinds live in `SecretScalars`,
which are wiped when they are freed.
"""

import ctypes
from typing import Final, NewType, NoReturn

from sluis.errors import InvalidInput
from sluis.libsodium import libsodium

Element = NewType("Element", bytes)
Scalar = NewType("Scalar", bytes)

SIZE: Final = 32
HASH_SIZE: Final = 64
IDENTITY: Final = bytes(SIZE)
ORDER: Final = (1 << 252) + 27742317777372353535851937790883648493
_ORDER_BYTES: Final = ORDER.to_bytes(SIZE, "big")

Buffer = ctypes.Array[ctypes.c_char]


def _buffer(data: bytes) -> Buffer:
    return (ctypes.c_char * len(data)).from_buffer_copy(data)


def _empty(size: int) -> Buffer:
    return (ctypes.c_char * size)()


def _bad_element() -> NoReturn:
    # One message for every cause and place: a batch is refused whole.
    raise InvalidInput("malformed-element")


def count_elements(data: bytes) -> int:
    """Return how many elements or scalars `data` holds; InvalidInput when it is cut short."""
    if len(data) % SIZE:
        raise InvalidInput("malformed-element", "a batch of elements must be a multiple of 32 bytes")
    return len(data) // SIZE


def check_elements(data: bytes) -> None:
    """Insist that each element is canonical and not the identity (RFC 9497 section 4.1)."""
    count_elements(data)
    source, is_valid_point = _buffer(data), libsodium().is_valid_point
    start = ctypes.addressof(source)
    for at in range(0, len(data), SIZE):
        # libsodium counts the identity as valid.
        if not is_valid_point(start + at) or data[at : at + SIZE] == IDENTITY:
            _bad_element()


def check_element(data: bytes) -> Element:
    """Return `data` as an element; InvalidInput `malformed-element` unless it is one."""
    if len(data) != SIZE:
        _bad_element()
    check_elements(data)
    return Element(data)


def check_scalar(data: bytes) -> Scalar:
    """Return `data` as a scalar from 1 to the order less 1, little-endian; else InvalidInput."""
    if len(data) != SIZE or data == bytes(SIZE) or data[::-1] >= _ORDER_BYTES:
        raise InvalidInput("malformed-encoding", "not a canonical, non-zero scalar")
    return Scalar(data)


class SecretScalars:
    """Scalars that nobody may see, one after another: a key is one, the blinds of a batch are many.

    Wiped when freed; never shown by repr, never pickled.
    """

    __slots__ = ("_buffer", "_memzero", "address", "count")

    def __init__(self, count: int) -> None:
        """Reserve room for `count` scalars, all zero; use `random` or `from_bytes`."""
        self._memzero = libsodium().memzero
        self._buffer = _empty(SIZE * count)
        self.address = ctypes.addressof(self._buffer)
        self.count = count

    @classmethod
    def random(cls, count: int = 1) -> "SecretScalars":
        """Draw uniform, non-zero scalars from the operating system's randomness."""
        made, scalar_random = cls(count), libsodium().scalar_random
        for at in range(made.address, made.address + SIZE * count, SIZE):
            scalar_random(at)
        return made

    @classmethod
    def from_bytes(cls, data: bytes) -> "SecretScalars":
        """Take scalars that were stored; each is range-checked."""
        count = count_elements(data)
        for at in range(0, len(data), SIZE):
            check_scalar(data[at : at + SIZE])
        made = cls(count)
        ctypes.memmove(made.address, data, len(data))
        return made

    @classmethod
    def from_wide_hash(cls, digest: bytes) -> "SecretScalars":
        """Reduce 64 uniform bytes to one scalar, which may be zero."""
        made, wide = cls(1), _buffer(_exactly(digest, HASH_SIZE))
        libsodium().scalar_reduce(made.address, ctypes.addressof(wide))
        libsodium().memzero(ctypes.addressof(wide), HASH_SIZE)
        return made

    def inverses(self) -> "SecretScalars":
        """Invert every scalar with a single inversion (Montgomery): three products each."""
        sodium, made, last = libsodium(), SecretScalars(self.count), SIZE * (self.count - 1)
        product, source, target = sodium.scalar_multiply, self.address, made.address
        if self.count == 0:
            return made
        # Forwards, each place of the target becomes the product of the scalars up to there.
        ctypes.memmove(target, source, SIZE)
        for at in range(SIZE, last + SIZE, SIZE):
            product(target + at, target + at - SIZE, source + at)
        running = SecretScalars(1)
        if sodium.scalar_invert(running.address, target + last) != 0:
            raise InvalidInput("malformed-encoding", "a scalar is zero")
        # Backwards, `running` is the inverse of that product.
        for at in range(last, 0, -SIZE):
            product(target + at, running.address, target + at - SIZE)
            product(running.address, running.address, source + at)
        ctypes.memmove(target, running.address, SIZE)
        return made

    def minus_product(self, left: Scalar, right: "SecretScalars") -> Scalar:
        """Return self - left * right, as the response of a proof needs it."""
        sodium, product, out = libsodium(), SecretScalars(1), _empty(SIZE)
        factor = _buffer(_exactly(left, SIZE))
        sodium.scalar_multiply(product.address, ctypes.addressof(factor), right.address)
        sodium.scalar_subtract(ctypes.addressof(out), self.address, product.address)
        return Scalar(out.raw)

    def is_zero(self) -> bool:
        """Say whether every scalar is zero."""
        return self._buffer.raw == bytes(SIZE * self.count)

    def view(self) -> Buffer:
        """Return the live buffer, to hash from; it is not a copy."""
        return self._buffer

    def reveal(self) -> bytes:
        """Copy the scalars out, to store or to test; the copy is the caller's to guard."""
        return self._buffer.raw

    def wipe(self) -> None:
        """Overwrite with zeros now."""
        self._memzero(self.address, SIZE * self.count)

    def __del__(self) -> None:
        if hasattr(self, "address"):
            self._memzero(self.address, SIZE * self.count)

    def __repr__(self) -> str:
        return f"<SecretScalars: {self.count}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("secret scalars are not pickled")


def _exactly(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise InvalidInput("malformed-encoding", f"{len(data)} bytes where {size} are due")
    return data


def reduce_scalar(digest: bytes) -> Scalar:
    """Reduce 64 uniform bytes, little-endian, modulo the order: a public scalar."""
    wide, out = _buffer(_exactly(digest, HASH_SIZE)), _empty(SIZE)
    libsodium().scalar_reduce(ctypes.addressof(out), ctypes.addressof(wide))
    return Scalar(out.raw)


def from_hash(digest: bytes) -> Element:
    """Map 64 uniform bytes to an element (RFC 9496 section 4.3.4)."""
    wide, out = _buffer(_exactly(digest, HASH_SIZE)), _empty(SIZE)
    if libsodium().from_hash(ctypes.addressof(out), ctypes.addressof(wide)) != 0 or out.raw == IDENTITY:
        _bad_element()
    return Element(out.raw)


def multiply_base(scalar: SecretScalars) -> Element:
    """Return scalar * generator."""
    out = _empty(SIZE)
    if libsodium().multiply_base(ctypes.addressof(out), scalar.address) != 0:
        raise InvalidInput("malformed-encoding", "a scalar is zero")
    return Element(out.raw)


def multiply_all(scalar: SecretScalars, elements: bytes) -> bytes:
    """Return scalar * element for each element; one bad element refuses the batch."""
    count_elements(elements)
    source, out, multiply = _buffer(elements), _empty(len(elements)), libsodium().multiply
    start, target, key = ctypes.addressof(source), ctypes.addressof(out), scalar.address
    for at in range(0, len(elements), SIZE):
        # Also fails when the product, and so the element, is the identity.
        if multiply(target + at, key, start + at) != 0:
            _bad_element()
    return out.raw


def multiply_each(scalars: SecretScalars, elements: bytes) -> bytes:
    """Return scalar[i] * element[i] for each i; one bad element refuses the batch."""
    if count_elements(elements) != scalars.count:
        raise InvalidInput("malformed-element", "the batch has another number of elements than was asked")
    source, out, multiply = _buffer(elements), _empty(len(elements)), libsodium().multiply
    start, target, secret = ctypes.addressof(source), ctypes.addressof(out), scalars.address
    for at in range(0, len(elements), SIZE):
        if multiply(target + at, secret + at, start + at) != 0:
            _bad_element()
    return out.raw


def add_each(left: bytes, right: bytes) -> bytes:
    """Return left[i] + right[i] for each i; the identity is refused before and after."""
    if count_elements(left) != count_elements(right):
        raise InvalidInput("malformed-element", "two batches differ in length")
    one, other, out, add = _buffer(left), _buffer(right), _empty(len(left)), libsodium().add
    first, second, target = ctypes.addressof(one), ctypes.addressof(other), ctypes.addressof(out)
    for at in range(0, len(left), SIZE):
        if add(target + at, first + at, second + at) != 0:
            _bad_element()
    total = out.raw
    for batch in (left, right, total):
        if IDENTITY in batch and any(batch[at : at + SIZE] == IDENTITY for at in range(0, len(batch), SIZE)):
            _bad_element()
    return total


def weighted_sum(weights: bytes, elements: bytes) -> Element:
    """Return the sum of weight[i] * element[i], for public weights; never the identity."""
    if count_elements(weights) != count_elements(elements) or not elements:
        raise InvalidInput("malformed-element", "a sum needs as many weights as elements, and one at least")
    factors, source, total, term = _buffer(weights), _buffer(elements), _empty(SIZE), _empty(SIZE)
    sodium = libsodium()
    multiply, add = sodium.multiply, sodium.add
    first, start = ctypes.addressof(factors), ctypes.addressof(source)
    running, product = ctypes.addressof(total), ctypes.addressof(term)
    if multiply(running, first, start) != 0:
        _bad_element()
    for at in range(SIZE, len(elements), SIZE):
        if multiply(product, first + at, start + at) != 0 or add(running, running, product) != 0:
            _bad_element()
    if total.raw == IDENTITY:
        _bad_element()
    return Element(total.raw)
