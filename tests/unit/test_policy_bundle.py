# SPDX-License-Identifier: EUPL-1.2
"""Loading a bundle: what the installed rules hold, and what a mistake in a rule file leads to."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluis.errors import InvalidInput
from sluis.policy.bundle import Bundle, default_directory, load_bundle, read_bundle
from sluis.policy.yaml_strict import load
from tests.rule_text import extended
from tests.unit.decide_samples import BUNDLE, FILES

AGREEMENT = "agreements/waadi-14b.yaml"
GENERAL = "agreements/00-algemeen.yaml"


def changed(name: str, old: str, new: str, count: int = 1) -> dict[str, bytes]:
    text = FILES[name].decode()
    assert old in text
    return {**FILES, name: text.replace(old, new, count).encode()}


def refused(files: dict[str, bytes]) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        read_bundle(files)
    assert caught.value.code == "malformed-rule"
    return caught.value


def read_or_refuse(files: dict[str, bytes]) -> Bundle | None:
    """The bundle, or None for a refusal of the right sort; anything else is an error of the test."""
    with suppress(InvalidInput):
        return read_bundle(files)
    refused(files)
    return None


def test_the_installed_rules_load() -> None:
    bundle = load_bundle(default_directory())
    assert bundle.digest.startswith("sha256:")
    assert len(bundle.digest) == 71
    assert {"00-algemeen", "waadi-14b", "wml-18p", "avv-10", "waadi-15a", "wagweu-4"} <= set(
        bundle.agreements
    )
    assert bundle.sector_of("labour-inspectorate") == "public"
    assert bundle.sector_of("certificate-foundation") == "private"
    assert bundle.sector_of("nobody") == ""
    assert bundle.claims["provision"].expected({"law": "WML", "article": "7"}) == "WML 7"


def test_the_flows_of_an_agreement_say_who_may_compute_in_whose_domain() -> None:
    bundle = BUNDLE
    assert bundle.flows("waadi-14b") == {
        ("labour-inspectorate", "certificate-foundation"),
        ("tax-administration", "certificate-foundation"),
        ("social-insurance-bank", "certificate-foundation"),
        ("certificate-foundation", "certification-body"),
    }
    assert bundle.flows("00-algemeen") == set()
    assert bundle.flows("no-such-agreement") == set()


@pytest.mark.parametrize(
    ("operation", "names"),
    [("push", ["certificate_valid"]), ("release", ["certificate_valid"]), ("question", []), ("register", [])],
)
def test_the_register_facts_of_an_operation_are_known(operation: str, names: list[str]) -> None:
    facts = BUNDLE.register_facts("waadi-14b", operation)
    assert list(facts) == names
    assert all(fact.source == "register:certificates" for fact in facts.values())
    assert all(fact.owner_role == "certificate-foundation" for fact in facts.values())


def test_the_order_of_files_does_not_matter() -> None:
    names = sorted(FILES)
    for order in (names, names[::-1], names[1::2] + names[::2], names[9:] + names[:9]):
        assert read_bundle({name: FILES[name] for name in order}).digest == BUNDLE.digest


def test_comments_and_layout_do_not_change_the_digest() -> None:
    digest = BUNDLE.digest
    spaced = {
        name: b"# a remark\n\n" + data.replace(b"\n", b"\n\n")
        for name, data in FILES.items()
        if b">-" not in data
    }
    assert spaced
    assert read_bundle({**FILES, **spaced}).digest == digest


def test_any_change_of_a_rule_or_a_word_changes_the_digest() -> None:
    digests = {
        BUNDLE.digest,
        read_bundle(changed(AGREEMENT, "retention: P5Y", "retention: P4Y")).digest,
        read_bundle(changed(AGREEMENT, "WML 7a, ", "")).digest,
        read_bundle(changed("catalog/roles.yaml", "certificerende instelling", "certificeerder")).digest,
    }
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        (AGREEMENT, "sender_roles: [labour-inspectorate]", "sender_roles: [labour-inspection]", "catalogue of roles"),
        (AGREEMENT, "recipient_roles: [certificate-foundation]", "recipient_roles: [sna]", "catalogue of roles"),
        (AGREEMENT, "kinds: [FINE_IMPOSED]", "kinds: [FINES]", "catalogue of kinds"),
        (AGREEMENT, "purposes: [CERTIFICAATBEOORDELING]", "purposes: [SALES]", "catalogue of purposes"),
        (AGREEMENT, "- establishment_number", "- establishment", "catalogue of fields"),
        (AGREEMENT, "fact: certificate_valid", "fact: certificate_ok", "catalogue of facts"),
        (AGREEMENT, "claim: provision", "claim: article", "catalogue of claims"),
        (AGREEMENT, "claim: decided_on", "claim: provision", "of another type"),
        (AGREEMENT, "claim: provision", "claim: decided_on", "of another type"),
        (AGREEMENT, "otherwise: LOOKBACK", "otherwise: TOO_OLD", "catalogue of reasons"),
        (GENERAL, "code: BSN_PRIVATE", "code: BSN", "catalogue of reasons"),
        (AGREEMENT, "one_of: [Waadi 7a(1), ", "one_of: [Waadi 99, ", "catalogue of laws"),
        (AGREEMENT, "one_of: [Waadi 7a(1), ", "one_of: [AWR 7a(1), ", "catalogue of laws"),
        (AGREEMENT, "law: Waadi", "law: Waidi", "catalogue of laws"),
        (AGREEMENT, "article: 14b", "article: 14c", "no single text of Waadi 14c"),
        (AGREEMENT, "artikel=14b&lid=1&", "artikel=14b&lid=2&", "does not point at Waadi 14b(1)"),
        (AGREEMENT, "artikel=14b&lid=1&", "artikel=14b&lid=11&", "does not point at Waadi 14b(1)"),
        (AGREEMENT, "valid_until: 2026-06-30", "valid_until: 2026-07-01", "outlives Waadi 14b"),
        (AGREEMENT, "    valid_until: 2026-06-30\n", "", "outlives Waadi 14b"),
        (AGREEMENT, "valid_from: 2025-07-01", "valid_from: 2025-06-30", "no single text of Waadi 14b"),
        (AGREEMENT, "valid_from: 2025-07-01", "valid_from: 2027-07-01", "ends before it begins"),
        (AGREEMENT, "- decided_on\n", "- decided_on\n      - bsn\n", "`bsn` (bsn) may not go to a private party"),
        (AGREEMENT, "- decided_on\n", "- decided_on\n      - worker_health\n", "may not go to a private party"),
        (AGREEMENT, "- decided_on\n", "- decided_on\n      - conviction\n", "may not go to a private party"),
        (AGREEMENT, "id: fine-to-foundation-from-2026-07-01", "id: no-bsn-to-private", "used twice"),
        (AGREEMENT, "        otherwise: LOOKBACK\n", "", "this key is missing"),
        (AGREEMENT, "retention: P5Y", "retention: five years", "a period such as"),
        (AGREEMENT, "status: in-force", "status: in force", "input should be 'in-force'"),
        (AGREEMENT, "status: in-force", "state: in-force", "this key is"),
        (AGREEMENT, "not_older_than_years: 2", "not_older_than_years: 0", "greater than or equal to 1"),
        (AGREEMENT, "id: waadi-14b", "id: waadi-14c", "differs from the name of the file"),
        (AGREEMENT, "operations: [push]", "operations: [push, register]", "do not go together"),
        (AGREEMENT, "fact: certificate_valid", "fakt: certificate_valid", "a condition has one of"),
        (GENERAL, "effect: prohibit", "effect: permit", "a permit needs"),
        ("catalog/facts.yaml", "owner_role: certificate-foundation", "owner_role: sna", "not in the catalogue"),
        ("catalog/claims.yaml", "equals: [decided_on]", "equals: [decided]", "not in the catalogue"),
        ("catalog/claims.yaml", 'pattern: "(WML', 'pattern: "((WML', "not a regular expression"),
        ("catalog/reasons.yaml", "  NO_RULE:", "  NO_RULES:", "`NO_RULE` has no text"),
        ("catalog/fields.yaml", "category: bsn", "category: number", "input should be"),
        ("catalog/fields.yaml", "max_length: 200", 'pattern: "a"', "exactly: max_length"),
        ("catalog/roles.yaml", "sector: public", "sector: semi", "input should be"),
        ("catalog/laws.yaml", "valid_until: 2026-06-30", "valid_until: 2020-06-30", "ends before it begins"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_naming_file_line_and_word(name: str, old: str, new: str, words: str) -> None:
    error = refused(changed(name, old, new))
    assert words in error.message
    file, line = error.where.split(":")
    assert file == name
    assert 1 <= int(line) <= FILES[name].count(b"\n")


def test_the_line_of_a_refusal_is_that_of_the_word() -> None:
    error = refused(changed(AGREEMENT, "otherwise: LOOKBACK", "otherwise: TOO_OLD"))
    wanted = (
        FILES[AGREEMENT].decode()[: FILES[AGREEMENT].decode().index("otherwise: LOOKBACK")].count("\n") + 1
    )
    assert error.where == f"{AGREEMENT}:{wanted}"


def test_a_rule_without_legal_basis_is_refused() -> None:
    text = FILES[AGREEMENT].decode()
    start = text.index("    legal_basis:")
    end = text.index("\n    explanation:", start) + 1
    without = {**FILES, AGREEMENT: (text[:start] + text[end:]).encode()}
    assert "legal_basis`: this key is missing" in refused(without).message
    emptied = {**FILES, AGREEMENT: (text[:start] + "    legal_basis: []\n" + text[end:]).encode()}
    assert "legal_basis" in refused(emptied).message


def test_a_rule_in_force_must_rest_on_a_text_that_was_read() -> None:
    doubtful = changed("catalog/laws.yaml", "mark: verified", "mark: assumed", count=99)
    error = refused(doubtful)
    assert "make it `assumed`" in error.message
    text = FILES["catalog/laws.yaml"].decode()
    start = text.index("- article: 18p")
    doubtful = {
        **FILES,
        "catalog/laws.yaml": (text[:start] + text[start:].replace("verified", "assumed", 1)).encode(),
    }
    assert "make it `assumed`" in refused(doubtful).message
    now_assumed = {
        name: data.replace(b"status: in-force", b"status: assumed")
        if name.startswith("agreements/")
        else data
        for name, data in doubtful.items()
    }
    read_bundle(now_assumed)


def test_a_general_agreement_may_only_prohibit() -> None:
    general = changed(AGREEMENT, "\nrules:", "\napplies_to: every-agreement\nrules:")
    assert "may only prohibit" in refused(general).message


def test_contradictory_notice_duties_are_refused() -> None:
    text = FILES[AGREEMENT].decode()
    start = text.index("  - id: fine-to-foundation-until")
    end = text.index("  - id: fine-to-foundation-from")
    rule = text[start:end]
    must = rule.replace("notice: may-inform", "notice: must-inform\n      notice_within: P1M")
    must_not = rule.replace("may-inform", "must-not-inform").replace(
        "fine-to-foundation-until", "second-until"
    )
    both = text[:start] + must + must_not + text[end:]
    assert "contradicts" in refused({**FILES, AGREEMENT: both.encode()}).message
    later = must_not.replace("[labour-inspectorate]", "[witness]")
    read_bundle({**FILES, AGREEMENT: (text[:start] + must + later + text[end:]).encode()})


@pytest.mark.parametrize("name", [*FILES])
def test_no_file_may_be_missing_empty_or_another(name: str) -> None:
    if name.startswith("catalog/") and name != "catalog/follow_ups.yaml":
        assert "missing" in refused({key: data for key, data in FILES.items() if key != name}).message
    assert "empty" in refused({**FILES, name: b""}).message
    assert refused({**FILES, name: b"just text"}).where.startswith(name)
    assert refused({**FILES, name: extended(FILES[name], "unknown_key: 1\n")}).where.startswith(name)
    assert refused({**FILES, name: FILES[name] * 2}).where.startswith(name)


def test_a_rule_for_data_of_an_investigation_does_not_load() -> None:
    error = refused({**FILES, AGREEMENT: FILES[AGREEMENT].replace(b"handling: H3", b"handling: H5", 1)})
    assert "handling" in error.message


def test_rules_from_before_there_were_follow_ups_still_load_with_the_words_installed() -> None:
    old = read_bundle({key: data for key, data in FILES.items() if key != "catalog/follow_ups.yaml"})
    assert old.digest != read_bundle(FILES).digest
    assert old.catalog.follow_ups == read_bundle(FILES).catalog.follow_ups


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("    fulfil: P7D", "    fulfil: P1Y", "a term such as"),
        ("      done:\n        due: yes\n", "      finished:\n        due: yes\n", "carries exactly: done"),
        ("          NOT_FOUND:", "          GONE:", "`NOT_FOUND` is missing"),
        ("      function:\n        due: yes", "      function:\n        due: maybe", "due"),
        ("    rectify:", "    rectified:", "rectified"),
        ("          WRONG_SUBJECT:", "          wrong subject:", "wrong subject"),
    ],
)
def test_wrong_words_of_follow_ups_are_refused(old: str, new: str, problem: str) -> None:
    name = "catalog/follow_ups.yaml"
    assert old.encode() in FILES[name]
    error = refused({**FILES, name: FILES[name].replace(old.encode(), new.encode())})
    assert error.where.startswith(name)
    assert problem in str(error)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_a_file_truncated_anywhere_is_refused(name: str, data: st.DataObject) -> None:
    whole = FILES[name].removesuffix(b"\n")  # the last line end may be missing
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert refused({**FILES, name: whole[:cut]}).where.startswith(f"{name}:")


def test_only_the_last_line_end_of_a_file_may_be_missing() -> None:
    digest = BUNDLE.digest
    assert read_bundle({name: data.removesuffix(b"\n") for name, data in FILES.items()}).digest == digest
    for name, data in FILES.items():
        with pytest.raises(InvalidInput, match="malformed-rule"):
            load(data.removesuffix(b".\n"), name)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_a_changed_byte_never_raises_anything_but_a_refusal(name: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(FILES[name]) - 1))
    byte = data.draw(st.integers(0, 255))
    read_or_refuse({**FILES, name: FILES[name][:at] + bytes([byte]) + FILES[name][at + 1 :]})


def write(directory: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)
    return directory


def test_a_directory_loads_as_its_files(tmp_path: Path) -> None:
    assert load_bundle(write(tmp_path, FILES)).digest == BUNDLE.digest


STRANGERS: dict[str, Callable[[Path], object]] = {
    "an unknown catalogue": lambda path: (
        (path / "catalog" / "other.yaml").write_bytes(b"other: {}\n") and None
    ),
    "another extension": lambda path: (path / "agreements" / "rules.yml").write_bytes(b"a: b\n"),
    "a folder": lambda path: (path / "agreements" / "old.yaml").mkdir(),
}


@pytest.mark.parametrize("stranger", [*STRANGERS])
def test_a_stray_file_is_refused(tmp_path: Path, stranger: str) -> None:
    write(tmp_path, FILES)
    STRANGERS[stranger](tmp_path)
    with pytest.raises(InvalidInput, match="malformed-rule"):
        load_bundle(tmp_path)


def test_a_directory_without_rules_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="malformed-rule"):
        load_bundle(tmp_path)
