# SPDX-License-Identifier: EUPL-1.2
"""The evaluator's seeds and key shares: derived as documented, kept privately, refused when weak."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.shares import EvaluatorShares
from sluis import oprf
from sluis.errors import Conflict, InvalidInput, NotFound, Unavailable
from sluis.identifiers import Oin
from sluis.pseudonyms import PseudonymisationDomain
from sluis.signing import SigningKey

EVALUATOR, SNA = Oin("00000004000000010000"), Oin("00000003123456780000")
DOMAIN = PseudonymisationDomain(agreement="waadi-14b", recipient=SNA, epoch="2026")
SEED = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "seeds.json"


@pytest.fixture
def shares() -> EvaluatorShares:
    return EvaluatorShares(oin=EVALUATOR, seeds={"2026": SEED, "2027": SEED[::-1]})


def secret_of(shares: EvaluatorShares, domain: PseudonymisationDomain = DOMAIN) -> bytes:
    return shares.key_pair(domain).secret.reveal()


def test_a_share_is_derived_from_the_epochs_seed_and_the_domain(shares: EvaluatorShares) -> None:
    expected = oprf.derive_key_pair(SEED, DOMAIN.info())
    assert secret_of(shares) == expected.secret.reveal()
    assert shares.key_pair(DOMAIN).public == expected.public
    assert shares.key_pair(DOMAIN) is shares.key_pair(DOMAIN)  # derived once


def test_every_domain_and_epoch_has_its_own_share(shares: EvaluatorShares) -> None:
    domains = [
        DOMAIN,
        replace(DOMAIN, epoch="2027"),
        replace(DOMAIN, agreement="other"),
        replace(DOMAIN, recipient=EVALUATOR),
    ]
    assert len({secret_of(shares, domain) for domain in domains}) == 4


def test_an_epoch_without_a_seed_is_unknown(shares: EvaluatorShares) -> None:
    with pytest.raises(InvalidInput) as caught:
        shares.key_pair(replace(DOMAIN, epoch="2031"))
    assert caught.value.code == "unknown-epoch"


def test_a_created_file_is_private_and_loads_to_the_same_keys(path: Path) -> None:
    made = EvaluatorShares.create(path, oin=EVALUATOR, epochs=["2026", "2027"])
    loaded = EvaluatorShares.load(path)
    assert loaded.oin == EVALUATOR
    assert loaded.epochs == ("2026", "2027")
    assert secret_of(loaded) == secret_of(made)
    content = json.loads(path.read_text())
    assert content["oin"] == EVALUATOR
    assert {len(bytes.fromhex(seed)) for seed in content["seeds"].values()} == {32}
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600


def test_two_evaluators_draw_different_seeds(tmp_path: Path) -> None:
    made = [EvaluatorShares.create(tmp_path / name, oin=EVALUATOR, epochs=["2026"]) for name in ("a", "b")]
    assert secret_of(made[0]) != secret_of(made[1])


def test_an_existing_file_is_never_overwritten(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(Conflict) as caught:
        EvaluatorShares.create(path, oin=EVALUATOR, epochs=["2026"])
    assert caught.value.code == "key-exists"
    assert path.read_text() == "precious"


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_may_read_is_refused_with_the_fix(path: Path, mode: int) -> None:
    EvaluatorShares.create(path, oin=EVALUATOR, epochs=["2026"])
    path.chmod(mode)
    with pytest.raises(Conflict) as caught:
        EvaluatorShares.load(path)
    assert caught.value.code == "key-weak"
    assert "chmod 600" in caught.value.message


def test_a_missing_file_is_refused_naming_the_command(path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        EvaluatorShares.load(path)
    assert caught.value.code == "key-missing"
    assert "sluis keys" in caught.value.message


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Conflict):
        EvaluatorShares.load(tmp_path)
    with pytest.raises(Unavailable):
        EvaluatorShares.create(tmp_path / "absent" / "seeds.json", oin=EVALUATOR, epochs=["2026"])


@pytest.mark.parametrize("seed", [b"", bytes(31), bytes(33), bytes(32), b"\xff" * 32])
def test_a_weak_seed_is_refused(seed: bytes) -> None:
    with pytest.raises(Conflict) as caught:
        EvaluatorShares(oin=EVALUATOR, seeds={"2026": seed})
    assert caught.value.code == "key-weak"


def test_one_seed_for_two_epochs_is_refused() -> None:
    with pytest.raises(Conflict):
        EvaluatorShares(oin=EVALUATOR, seeds={"2026": SEED, "2027": SEED})


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "7",
        "null",
        "{}",
        '{"oin": "00000004000000010000"}',
        '{"oin": "4", "seeds": {}}',
        '{"oin": 4, "seeds": {}}',
        '{"oin": "00000004000000010000", "seeds": []}',
        '{"oin": "00000004000000010000", "seeds": {"2026": 5}}',
        '{"oin": "00000004000000010000", "seeds": {"2026": "zz"}}',
        '{"oin": "00000004000000010000", "seeds": {"no epoch!": "' + SEED.hex() + '"}}',
        '{"oin": "00000004000000010000", "seeds": {"2026": "' + SEED.hex() + '"}, "more": 1}',
        '{"oin": "00000004000000010000", "seeds": {"2026": "' + SEED.hex()[:-2] + '"}}',
        "[" * 100_000,
    ],
)
def test_a_damaged_file_is_refused(content: str) -> None:
    with pytest.raises(Conflict) as caught:
        EvaluatorShares.parse(content.encode())
    assert caught.value.code == "key-weak"
    assert SEED.hex()[:16] not in str(caught.value)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from([EVALUATOR, SEED.hex()]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["oin", "seeds", "2026", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=100)
def test_any_bytes_are_a_seed_file_or_refused(data: bytes) -> None:
    try:
        read = EvaluatorShares.parse(data)
    except Conflict:
        return
    assert read.oin == EVALUATOR


def test_seeds_are_not_shown(shares: EvaluatorShares) -> None:
    assert SEED.hex() not in repr(shares)
    assert "2026" in repr(shares)


def test_an_epoch_is_added_once_and_the_others_keep_their_seed(path: Path) -> None:
    shares = EvaluatorShares.create(path, oin=EVALUATOR, epochs=["2026"])
    before = secret_of(shares)
    shares.add_epoch(path, "2027")
    with pytest.raises(Conflict) as caught:
        shares.add_epoch(path, "2027")
    assert caught.value.code == "key-exists"
    loaded = EvaluatorShares.load(path)
    assert loaded.epochs == shares.epochs == ("2026", "2027")
    assert secret_of(loaded) == before


def test_a_forgotten_epoch_is_gone_from_memory_and_file(path: Path) -> None:
    shares = EvaluatorShares.create(path, oin=EVALUATOR, epochs=["2026", "2027"])
    seed = json.loads(path.read_text())["seeds"]["2026"]
    shares.key_pair(DOMAIN)
    shares.forget_epoch(path, "2026")
    assert EvaluatorShares.load(path).epochs == ("2027",)
    assert seed not in "".join(file.read_text() for file in path.parent.iterdir())
    with pytest.raises(InvalidInput):
        shares.key_pair(DOMAIN)
    with pytest.raises(InvalidInput):
        shares.forget_epoch(path, "2026")


def test_when_the_file_cannot_be_replaced_the_seeds_in_memory_stay(tmp_path: Path, path: Path) -> None:
    shares = EvaluatorShares.create(path, oin=EVALUATOR, epochs=["2026"])
    with pytest.raises(Unavailable):
        shares.add_epoch(tmp_path / "absent" / "seeds.json", "2027")
    assert shares.epochs == ("2026",)


def test_a_publication_is_signed_and_proves_possession(shares: EvaluatorShares) -> None:
    signer = SigningKey.generate()
    published = shares.publication(DOMAIN, signer, 1_767_225_600_000)
    published.verify(signer.public)
    assert published.evaluator == EVALUATOR
    assert published.domain == DOMAIN
    assert published.public == shares.key_pair(DOMAIN).public


def test_the_number_of_kept_key_pairs_is_bounded(
    shares: EvaluatorShares, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evaluator.shares._MOST_DOMAINS", 3)
    for number in range(6):
        shares.key_pair(replace(DOMAIN, agreement=f"agreement-{number}"))
    assert len(shares._keys) == 3
