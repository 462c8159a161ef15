# SPDX-License-Identifier: EUPL-1.2
"""The group: which bytes are elements and scalars."""

import hashlib
import pickle
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluis import ristretto255 as group
from sluis.errors import InvalidInput
from sluis.ristretto255 import IDENTITY, ORDER, SecretScalars

# RFC 9496 appendix A.1: the generator, and its double.
GENERATOR = bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76")
DOUBLE = bytes.fromhex("6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919")
# RFC 9496 appendix A.2: encodings that must not decode (non-canonical, negative, not on the curve).
BAD_ENCODINGS = [
    "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
]


def scalars(*numbers: int) -> SecretScalars:
    return SecretScalars.from_bytes(b"".join(number.to_bytes(32, "little") for number in numbers))


def element(number: int = 1) -> bytes:
    return group.multiply_base(scalars(number))


def test_generator_and_its_double_are_those_of_the_rfc() -> None:
    assert element(1) == GENERATOR
    assert element(2) == DOUBLE
    assert group.add_each(GENERATOR, GENERATOR) == DOUBLE


@pytest.mark.parametrize("encoding", BAD_ENCODINGS)
def test_a_non_canonical_element_is_refused_everywhere(encoding: str) -> None:
    bad = bytes.fromhex(encoding)
    for refuse in (
        partial(group.check_element, bad),
        partial(group.multiply_all, scalars(5), GENERATOR + bad),
        partial(group.multiply_each, scalars(5, 6), GENERATOR + bad),
        partial(group.add_each, GENERATOR + GENERATOR, GENERATOR + bad),
        partial(group.add_each, bad, GENERATOR),
        partial(group.weighted_sum, scalars(5, 6).reveal(), GENERATOR + bad),
    ):
        with pytest.raises(InvalidInput) as caught:
            refuse()
        assert caught.value.code == "malformed-element"


def test_the_identity_is_refused_everywhere_although_libsodium_takes_it() -> None:
    for refuse in (
        lambda: group.check_element(IDENTITY),
        lambda: group.check_elements(GENERATOR + IDENTITY),
        lambda: group.multiply_all(scalars(5), GENERATOR + IDENTITY),
        lambda: group.multiply_each(scalars(5, 6), IDENTITY + GENERATOR),
        lambda: group.add_each(GENERATOR, IDENTITY),
        lambda: group.add_each(IDENTITY, GENERATOR),
        lambda: group.add_each(element(3), element(ORDER - 3)),
        lambda: group.weighted_sum(scalars(1, 1).reveal(), element(3) + element(ORDER - 3)),
        lambda: group.weighted_sum(scalars(1, 1).reveal(), element(3) + IDENTITY),
    ):
        with pytest.raises(InvalidInput) as caught:
            refuse()
        assert caught.value.code == "malformed-element"


@pytest.mark.parametrize("length", [0, 1, 31, 33, 63])
def test_an_element_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        group.check_element(bytes(length))
    assert caught.value.code == "malformed-element"


@pytest.mark.parametrize("length", [1, 31, 33, 65])
def test_a_batch_that_is_cut_short_is_refused_before_libsodium_reads_it(length: int) -> None:
    data = (GENERATOR * 3)[:length]
    for refuse in (
        lambda: group.check_elements(data),
        lambda: group.multiply_all(scalars(5), data),
        lambda: group.multiply_each(scalars(5), data),
        lambda: group.add_each(data, data),
        lambda: group.weighted_sum(data, data),
        lambda: SecretScalars.from_bytes(data),
    ):
        with pytest.raises(InvalidInput):
            refuse()


def test_batches_of_different_lengths_do_not_meet() -> None:
    with pytest.raises(InvalidInput):
        group.add_each(GENERATOR, GENERATOR * 2)
    with pytest.raises(InvalidInput):
        group.multiply_each(scalars(5), GENERATOR * 2)
    with pytest.raises(InvalidInput):
        group.weighted_sum(scalars(5).reveal(), GENERATOR * 2)
    with pytest.raises(InvalidInput):
        group.weighted_sum(b"", b"")


@pytest.mark.parametrize("number", [0, ORDER, ORDER + 1, 1 << 255, (1 << 256) - 1])
def test_a_scalar_out_of_range_is_refused_although_libsodium_takes_it(number: int) -> None:
    encoded = number.to_bytes(32, "little")
    with pytest.raises(InvalidInput):
        group.check_scalar(encoded)
    with pytest.raises(InvalidInput):
        SecretScalars.from_bytes(scalars(1).reveal() + encoded)


@pytest.mark.parametrize("number", [1, 2, ORDER - 1])
def test_the_borders_of_the_scalar_range_are_accepted(number: int) -> None:
    encoded = number.to_bytes(32, "little")
    assert group.check_scalar(encoded) == encoded


@given(st.binary(min_size=0, max_size=70))
@settings(max_examples=100)
def test_any_bytes_are_an_element_or_are_refused(data: bytes) -> None:
    try:
        accepted = group.check_element(data)
    except InvalidInput:
        return
    # What is accepted is canonical: the group gives the same bytes back.
    assert group.multiply_all(scalars(1), accepted) == data


@given(st.integers(0, (1 << 256) - 1))
@settings(max_examples=100)
def test_any_number_is_a_scalar_exactly_in_range(number: int) -> None:
    encoded = number.to_bytes(32, "little")
    if 0 < number < ORDER:
        assert group.check_scalar(encoded) == encoded
    else:
        with pytest.raises(InvalidInput):
            group.check_scalar(encoded)


@given(st.lists(st.integers(1, ORDER - 1), min_size=0, max_size=9))
@settings(max_examples=50)
def test_batch_inversion_agrees_with_arithmetic(numbers: list[int]) -> None:
    inverted = scalars(*numbers).inverses().reveal()
    expected = [pow(number, -1, ORDER).to_bytes(32, "little") for number in numbers]
    assert inverted == b"".join(expected)


def test_batch_inversion_refuses_a_zero() -> None:
    zero = SecretScalars(3)  # never drawn, so all zero
    with pytest.raises(InvalidInput):
        zero.inverses()


@given(st.integers(1, ORDER - 1), st.integers(1, ORDER - 1), st.integers(1, ORDER - 1))
@settings(max_examples=50)
def test_the_response_of_a_proof_agrees_with_arithmetic(a: int, b: int, c: int) -> None:
    left = group.check_scalar(b.to_bytes(32, "little"))
    response = scalars(a).minus_product(left, scalars(c))
    assert int.from_bytes(response, "little") == (a - b * c) % ORDER


@given(st.lists(st.integers(1, 1 << 60), min_size=1, max_size=6), st.integers(1, 1 << 60))
@settings(max_examples=25)
def test_batches_agree_with_arithmetic_on_logarithms(numbers: list[int], factor: int) -> None:
    batch = b"".join(element(number) for number in numbers)
    assert group.multiply_all(scalars(factor), batch) == b"".join(element(n * factor) for n in numbers)
    assert group.multiply_each(scalars(*numbers), batch) == b"".join(element(n * n) for n in numbers)
    assert group.add_each(batch, batch) == b"".join(element(2 * n) for n in numbers)
    assert group.weighted_sum(scalars(*numbers).reveal(), batch) == element(sum(n * n for n in numbers))


def test_wide_reduction_agrees_with_arithmetic() -> None:
    digest = hashlib.sha512(b"wide").digest()
    expected = (int.from_bytes(digest, "little") % ORDER).to_bytes(32, "little")
    assert group.reduce_scalar(digest) == expected
    assert SecretScalars.from_wide_hash(digest).reveal() == expected
    for short in (digest[:63], digest + b"\x00", b""):
        with pytest.raises(InvalidInput):
            group.reduce_scalar(short)
        with pytest.raises(InvalidInput):
            group.from_hash(short)


def test_random_scalars_differ_and_are_in_range() -> None:
    drawn = SecretScalars.random(50).reveal()
    each = {drawn[at : at + 32] for at in range(0, len(drawn), 32)}
    assert len(each) == 50
    assert all(group.check_scalar(one) for one in each)


def test_secret_scalars_are_not_shown_and_not_pickled() -> None:
    secret = SecretScalars.random()
    assert secret.reveal().hex() not in repr(secret) + str(secret)
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_secret_scalars_are_wiped() -> None:
    secret = SecretScalars.random(3)
    kept = secret.view()  # keeps the memory alive after the owner is gone
    secret.wipe()
    assert secret.is_zero()
    other = SecretScalars.random(3)
    kept = other.view()
    assert kept.raw != bytes(96)
    del other
    assert kept.raw == bytes(96)
