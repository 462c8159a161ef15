# SPDX-License-Identifier: EUPL-1.2
"""The broker's own keys change: two log keys overlap, and what an earlier receipt key signed goes on holding."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.keys import BrokerKeys
from sluis.checkpoint import Checkpoint, verify_checkpoint
from sluis.checkpoint_signers import sign_checkpoint
from sluis.cli.app import app
from sluis.client.settings import KitSettings
from sluis.errors import InvalidInput, NotAuthentic, SluisError
from sluis.merkle import Hash
from sluis.receipt import Receipt
from sluis.signing import SigningKey, VerifyKeys
from tests.world import ORIGIN

CHECKPOINT = Checkpoint(origin=ORIGIN, size=5, root=Hash(bytes(range(32))))
TIME = 1_782_000_000


def code(act: object) -> str:
    """The code of a refusal."""
    with pytest.raises(SluisError) as caught:
        act()  # type: ignore[operator]
    return caught.value.code


def signed(keys: BrokerKeys) -> str:
    """A checkpoint of these keys."""
    return sign_checkpoint(CHECKPOINT, keys.log, TIME)


def holds(note: str, keys: BrokerKeys) -> bool:
    """Whether a reader that knows only these keys accepts a checkpoint."""
    try:
        return verify_checkpoint(note, [key.vkey for key in keys.log], [], 0).checkpoint == CHECKPOINT
    except NotAuthentic:
        return False


def test_in_an_overlap_a_checkpoint_holds_under_the_old_keys_and_under_the_new(tmp_path: Path) -> None:
    old = BrokerKeys.create(tmp_path, ORIGIN)
    coming = BrokerKeys.create_next(tmp_path, ORIGIN)
    overlap = BrokerKeys.load(tmp_path, ORIGIN)
    assert len(overlap.log) == 4
    assert (holds(signed(overlap), old), holds(signed(overlap), coming)) == (True, True)
    assert overlap.receipt.public == old.receipt.public
    after = BrokerKeys.switch(tmp_path, ORIGIN)
    assert BrokerKeys.load(tmp_path, ORIGIN).receipt.public == after.receipt.public == coming.receipt.public
    assert (holds(signed(after), old), holds(signed(after), coming)) == (False, True)
    assert not (tmp_path / "next").exists()
    assert code(lambda: BrokerKeys.switch(tmp_path, ORIGIN)) == "key-missing"


def test_next_keys_are_not_made_twice(tmp_path: Path) -> None:
    BrokerKeys.create(tmp_path, ORIGIN)
    BrokerKeys.create_next(tmp_path, ORIGIN)
    assert code(lambda: BrokerKeys.create_next(tmp_path, ORIGIN)) == "key-exists"


def test_a_switch_that_was_interrupted_is_finished(tmp_path: Path) -> None:
    BrokerKeys.create(tmp_path, ORIGIN)
    coming = BrokerKeys.create_next(tmp_path, ORIGIN)
    (tmp_path / "next" / "log.key").replace(tmp_path / "log.key")
    assert BrokerKeys.switch(tmp_path, ORIGIN).receipt.public == coming.receipt.public


def test_a_receipt_holds_under_any_key_that_the_broker_had() -> None:
    old, new, foreign = (SigningKey.generate() for _ in range(3))
    keys = VerifyKeys((new.public, old.public))
    for key in (old, new):
        receipt = Receipt.sign(key, log_origin=ORIGIN, log_index=3, leaf_hash=Hash(bytes(32)))
        receipt.verify(keys, log_origin=ORIGIN)
        assert receipt.signed_by(keys) == key.public
    receipt = Receipt.sign(foreign, log_origin=ORIGIN, log_index=3, leaf_hash=Hash(bytes(32)))
    assert code(lambda: receipt.verify(keys, log_origin=ORIGIN)) == "signature-wrong"
    with pytest.raises(InvalidInput):
        VerifyKeys(())


def test_a_kit_names_the_receipt_keys_that_it_accepts(tmp_path: Path) -> None:
    old, new = SigningKey.generate().public, SigningKey.generate().public
    values = {
        "oin": "00000099000000001000",
        "keys": tmp_path,
        "state": tmp_path,
        "agreement": "waadi-14b",
        "broker": "broker.example:1",
        "receipt_key": new.raw.hex(),
        "log_vkeys": [],
        "witness_vkeys": [],
        "evaluators": [],
    }
    assert KitSettings(**values, other_receipt_keys=[old.raw.hex()]).receipt_verify_keys().keys == (new, old)  # type: ignore[arg-type]
    assert KitSettings(**values).receipt_verify_keys().keys == (new,)  # type: ignore[arg-type]
    wrong = KitSettings(**{**values, "receipt_key": "nonsense"})  # type: ignore[arg-type]
    assert code(wrong.receipt_verify_keys) == "malformed-config"


def test_the_commands_make_and_switch_keys(tmp_path: Path) -> None:
    def run(*words: str) -> int:
        return (
            CliRunner().invoke(app, ["keys", "broker", str(tmp_path), "--origin", ORIGIN, *words]).exit_code
        )

    assert [run(), run("--next"), run("--show"), run("--switch")] == [0, 0, 0, 0]
    assert run("--next", "--switch") != 0
