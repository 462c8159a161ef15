# SPDX-License-Identifier: EUPL-1.2
"""Identifiers: forms, checks, normal forms, and finding a BSN in free text.

Numbers that pass: RSINs from the examples of the OIN system, BSNs from the public test range; the
VAT number is the specimen published with the mod-97 rule.
"""

import dataclasses

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sluis.encoding import lp
from sluis.errors import Defect, InvalidInput
from sluis.identifiers import Identifier, IdentifierType, Oin, find_hidden_identifiers, passes_eleven_proof
from tests.independent_count import holds_bsn

T = IdentifierType
PASSING = ["822477348", "002220647", "999990019", "111222333", "123456782"]

GOOD = [
    (T.KVK, "00123456", "00123456"),
    (T.KVK, " 12345678\t", "12345678"),
    (T.VESTIGING, "000012345678", "000012345678"),
    (T.RSIN, "822477348", "822477348"),
    (T.RSIN, "002220647", "002220647"),
    (T.BSN, "999990019", "999990019"),
    (T.BSN, "10000008", "010000008"),
    (T.LHN, "822477348l01", "822477348L01"),
    (T.BTW, "nl822477348b01", "NL822477348B01"),
    (T.BTW, "NL123456789B13", "NL123456789B13"),
    (T.BAG, "0363010012345678", "0363010012345678"),
    (T.VNR, "1234567890", "1234567890"),
    (T.OIN, "00000099000000001000", "00000099000000001000"),
    (T.POSTCODE, "3011 ab", "3011AB"),
    (T.POSTCODE, "3011AB", "3011AB"),
]

WRONG_FORM = [
    *((type, "") for type in T),
    *((type, "٠١٢٣٤٥٦٧") for type in T),
    (T.KVK, "1234567"),
    (T.KVK, "123456789"),
    (T.KVK, "1234 5678"),
    (T.KVK, "12345678\n1"),
    (T.VESTIGING, "12345678901"),
    (T.RSIN, "2220647"),
    (T.RSIN, "82247734A"),
    (T.BSN, "9999900"),
    (T.BSN, "9999.90.019"),
    (T.LHN, "822477348L1"),
    (T.LHN, "822477348B01"),
    (T.BTW, "822477348B01"),
    (T.BTW, "NL822477348B0\u0131"),
    (T.BAG, "363010012345678"),
    (T.OIN, "0000009900000000100"),
    (T.OIN, "0000000ZRBNDD0001000"),
    (T.POSTCODE, "0123 AB"),
    (T.POSTCODE, "3011 SS"),
    (T.POSTCODE, "3011 SA"),
    (T.POSTCODE, "3011 SD"),
    (T.POSTCODE, "3011  AB"),
    (T.POSTCODE, "3011\tAB"),
    (T.POSTCODE, "3011 A"),
    (T.POSTCODE, "3011 ÅB"),
    (T.POSTCODE, "3011 ﬁ"),  # one letter, two as capitals
    (T.POSTCODE, "3011 aſ"),  # a long s, S as a capital
]

WRONG_CHECK = [
    (T.RSIN, "822477349"),
    (T.RSIN, "000000000"),
    (T.BSN, "123456789"),
    (T.BSN, "000000000"),
    (T.BSN, "00000000"),
    (T.LHN, "822477349L01"),
    (T.BTW, "NL822477349B01"),
    (T.BTW, "NL123456789B14"),
    (T.BAG, "0363050012345678"),
]


@pytest.mark.parametrize(("type", "text", "value"), GOOD)
def test_an_identifier_is_brought_to_its_normal_form(type: T, text: str, value: str) -> None:
    identifier = Identifier.parse(type, text)
    assert identifier.value == value
    assert identifier == Identifier(type=type, value=value)


@pytest.mark.parametrize(("type", "text"), WRONG_FORM)
def test_another_form_is_refused(type: T, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Identifier.parse(type, text)
    assert caught.value.code == "identifier-format"


@pytest.mark.parametrize(("type", "text"), WRONG_CHECK)
def test_a_failed_check_is_refused(type: T, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Identifier.parse(type, text)
    assert caught.value.code == "identifier-check"


@pytest.mark.parametrize("text", ["12345678 ", "12345678\n"])
def test_the_constructor_takes_the_normal_form_only(text: str) -> None:
    with pytest.raises(InvalidInput):
        Identifier(type=T.KVK, value=text)


def test_an_identifier_cannot_be_changed() -> None:
    identifier = Identifier.parse(T.KVK, "12345678")
    with pytest.raises(dataclasses.FrozenInstanceError):
        identifier.value = "87654321"  # type: ignore[misc]  # that it is refused is the point


@pytest.mark.parametrize(("type", "text", "value"), GOOD)
def test_the_value_is_not_in_the_repr(type: T, text: str, value: str) -> None:
    assert value not in repr(Identifier.parse(type, text))


def refusal_of_nothing(type: T) -> str:
    with pytest.raises(InvalidInput, match="identifier-format") as caught:
        Identifier.parse(type, "")
    return str(caught.value)


@given(type=st.sampled_from(T), text=st.text(max_size=24) | st.from_regex(r"\A(NL)?\d{7,20}[A-Z]?\d{0,2}\Z"))
@settings(max_examples=100)
def test_any_text_gives_an_identifier_or_our_error_without_the_text(type: T, text: str) -> None:
    refusal = None
    try:
        identifier = Identifier.parse(type, text)
    except InvalidInput as error:
        refusal = error
    if refusal:
        # The same words for every text, so nothing of it is in them.
        assert str(refusal) in (str(InvalidInput("identifier-check")), refusal_of_nothing(type))
    else:
        assert Identifier.parse(type, identifier.value) == identifier
        assert identifier.value.isascii()
        assert identifier.value not in repr(identifier)


def test_the_type_is_part_of_what_is_pseudonymised() -> None:
    number = PASSING[0]
    inputs = {Identifier.parse(type, number).oprf_input() for type in (T.RSIN, T.BSN)}
    assert inputs == {lp("rsin", number), lp("bsn", number)}


def test_a_postcode_is_not_pseudonymised() -> None:
    with pytest.raises(Defect):
        Identifier.parse(T.POSTCODE, "3011AB").oprf_input()


@pytest.mark.parametrize("digits", PASSING)
def test_known_numbers_pass_the_eleven_proof(digits: str) -> None:
    assert passes_eleven_proof(digits)


@pytest.mark.parametrize(
    "digits", ["", "000000000", "12345678", "1234567820", "12345678²", "１２３４５６７８２", "12345678a"]
)
def test_what_is_not_nine_digits_fails_the_eleven_proof(digits: str) -> None:
    assert not passes_eleven_proof(digits)


@given(st.sampled_from(PASSING), st.integers(0, 8), st.integers(1, 9))
def test_one_wrong_digit_fails_the_eleven_proof(digits: str, place: int, shift: int) -> None:
    other = str((int(digits[place]) + shift) % 10)
    assert not passes_eleven_proof(digits[:place] + other + digits[place + 1 :])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("999990019", ["999990019"]),
        ("BSN999990019.", ["999990019"]),
        ("Kade 1 999990019 2", ["999990019"]),
        ("t.a.v. 9999.90.019, 3e etage", ["9999.90.019"]),
        ("9999-90 019", ["9999-90 019"]),
        ("9 9 9 9 9 0 0 1 9", ["9 9 9 9 9 0 0 1 9"]),
        ("9999 – 90 – 019", ["9999 – 90 – 019"]),
        ("99999\u00a00019", ["99999\u00a00019"]),
        ("NL999990019B01", ["999990019"]),
        ("９９９９９００１９", ["９９９９９００１９"]),
        ("999990019 en 111222333", ["999990019", "111222333"]),
    ],
)
def test_a_hidden_bsn_is_found(text: str, found: list[str]) -> None:
    assert [text[start:end] for start, end in find_hidden_identifiers(text)] == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Uitzendbureau De Wulp B.V.",
        "1999990019",
        "9999900190",
        "123456789",
        "000000000",
        "99999001",
        "99999/0019",
        "9999,90,019",
        "9999    90019",
        "vestiging 099900123456",
        "1999990019 8",
    ],
)
def test_other_numbers_are_no_hidden_bsn(text: str) -> None:
    assert find_hidden_identifiers(text) == []


@given(st.text("0123456789 .-a", max_size=24))
@example("9999.90.019")
@settings(max_examples=100)
def test_hidden_bsns_agree_with_the_second_opinion(text: str) -> None:
    assert bool(find_hidden_identifiers(text)) == holds_bsn(text)


@given(
    before=st.text("ab ,", max_size=5),
    bsn=st.sampled_from(PASSING),
    cuts=st.lists(st.integers(1, 8), unique=True).map(sorted),
    separator=st.sampled_from([".", "-", " ", " - "]),
)
@settings(max_examples=100)
def test_a_bsn_is_found_however_it_is_grouped(before: str, bsn: str, cuts: list[int], separator: str) -> None:
    grouped = separator.join(bsn[i:j] for i, j in zip([0, *cuts], [*cuts, 9], strict=True))
    text = f"{before}{grouped}!"
    assert find_hidden_identifiers(text) == [(len(before), len(text) - 1)]


def test_an_oin_is_a_text_of_twenty_digits() -> None:
    oin = Oin.parse(" 00000099000000001000\n")
    assert oin == "00000099000000001000"
    assert isinstance(oin, str)
    assert Oin(oin) == oin


@pytest.mark.parametrize(
    "text", ["", "0000009900000000100", "000000990000000010000", "0000009900000000100a", " " * 20]
)
def test_what_is_not_twenty_digits_is_no_oin(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Oin(text)
    assert caught.value.code == "identifier-format"
