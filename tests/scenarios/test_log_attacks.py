# SPDX-License-Identifier: EUPL-1.2
"""The broker itself lies: whole histories told anew with its own keys, and who notices (docs/log-format.md).

In each test the new history is flawless in itself. What is left is what others remember: the officer's kit, the
sender with a receipt, the witness. Where the witness takes part in the lie, its key signs too.
"""

import json
import time

import pytest

from broker.keys import LOG, RECEIPT
from demo.cast import CastMember
from demo.stage import Service
from sluis.checkpoint_signers import CheckpointSigner, new_secret, witness_signers
from sluis.client import Kit, KitSettings
from sluis.errors import NotAuthentic, SluisError
from sluis.keys import write_secret
from sluis.note import Note
from sluis.signing import SigningKey
from tests.scenarios.played import (
    Played,
    all_entries,
    audit,
    cut,
    database,
    forget,
    found_by_audit,
    own_witness,
    rewrite,
    without,
)

OMITTED = 300


async def receipt_of(played: Played, member: CastMember, entry: bytes, index: int) -> str:
    """What a sender's kit says when it asks to have its receipt proven."""
    async with played.scene.kit(member, patience_seconds=1.0) as kit:
        with pytest.raises(SluisError) as caught:
            await kit.trust.prove_inclusion(index, entry)
    return f"{caught.value.message} [{caught.value.code}]"


def said_by(service: Service, event: str) -> str:
    """Wait for an event in a process's log."""
    deadline = time.monotonic() + 5
    while f'"{event}"' not in (said := service.log.read_text()):
        assert time.monotonic() < deadline, said[-2000:]
        time.sleep(0.02)
    return next(line for line in reversed(said.splitlines()) if f'"{event}"' in line)


def test_an_omitted_exchange_is_noticed_by_an_officer_who_saw_the_log_before(stopped: Played) -> None:
    rewrite(stopped, without(all_entries(stopped), OMITTED), own_witness(stopped))
    said = found_by_audit(stopped)
    assert f"the log was cut: a checkpoint of {stopped.size} entries was seen" in said


async def test_where_the_only_witness_lies_too_the_senders_receipt_is_what_is_left(stopped: Played) -> None:
    entries, stage = all_entries(stopped), stopped.scene.stage
    assert json.loads(entries[OMITTED])["operation"] == "signal.push"
    rewrite(stopped, without(entries, OMITTED), own_witness(stopped))
    (stage.witness.folder / "witness.sqlite").unlink()  # it forgot, or says so
    forget(stopped, stage.cast.officer)
    stage.witness.start()
    stage.broker.start()
    done = audit(stopped)
    assert done.returncode == 0, done.stderr  # nobody can tell who saw nothing and holds nothing
    sender = stage.cast.inspectorate
    assert "[proof-wrong]" in await receipt_of(stopped, sender, entries[OMITTED], OMITTED)


def test_a_flawless_new_history_is_not_cosigned_by_a_witness_that_remembers(stopped: Played) -> None:
    entries = all_entries(stopped)
    told = [entry.replace(b'"mailbox"', b'"refused"') for entry in entries]
    assert told != entries
    rewrite(stopped, told, own_witness(stopped))
    forget(stopped, stopped.scene.stage.cast.officer)
    assert "[not-witnessed]" in found_by_audit(stopped, witness=True)
    assert "witness.failed" in said_by(stopped.scene.stage.broker, "witness.failed")


def test_two_entries_that_change_places_are_noticed_by_who_saw_them(stopped: Played) -> None:
    entries = all_entries(stopped)
    first, second = json.loads(entries[300]), json.loads(entries[301])
    assert first["operation"] == second["operation"] == "signal.push"
    if first["time"] != second["time"]:
        entries[300], entries[301] = (
            entries[301].replace(second["time"].encode(), first["time"].encode()),
            entries[300].replace(first["time"].encode(), second["time"].encode()),
        )
    else:
        entries[300], entries[301] = entries[301], entries[300]
    rewrite(stopped, entries, own_witness(stopped))
    assert "the log was forked" in found_by_audit(stopped)


@pytest.mark.parametrize("size", [300, 512])
def test_a_log_that_was_rolled_back_is_not_cosigned_any_more(stopped: Played, size: int) -> None:
    cut(stopped, size, checkpoints=True)
    forget(stopped, stopped.scene.stage.cast.officer)
    said = found_by_audit(stopped, witness=True)
    assert "[not-witnessed]" in said
    assert '"code": "peer-unavailable"' in said_by(stopped.scene.stage.broker, "witness.failed")


def test_a_longer_fork_is_not_cosigned(stopped: Played) -> None:
    entries = all_entries(stopped)
    entries[OMITTED] = entries[OMITTED].replace(b'"permit"', b'"denied"')
    rewrite(stopped, [*entries, *entries[-1:] * 40], [])
    forget(stopped, stopped.scene.stage.cast.officer)
    assert "[not-witnessed]" in found_by_audit(stopped, witness=True)
    refused = said_by(stopped.scene.stage.witness, "checkpoint.inconsistent")
    assert f'"old": {stopped.size}' in refused


def test_a_witness_that_is_away_is_named_and_caught_up_with(stopped: Played) -> None:
    said = found_by_audit(stopped)
    assert "the quorum `witness.example/demo` is not met" in said
    assert "[not-witnessed]" in said
    stopped.scene.stage.witness.start()
    done = audit(stopped)
    assert done.returncode == 0, done.stderr


def false_line(signers: list[CheckpointSigner], note: Note) -> Note:
    """The note with a line that bears a witness's key ID and is no signature of it."""
    line = next(line for line in note.signatures if line.key_id == signers[0].vkey.key_id)
    rest = [other for other in note.signatures if other != line]
    made_up = type(line)(name=line.name, key_id=line.key_id, signature=line.signature[:8] + bytes(64))
    return Note(text=note.text, signatures=(*rest, made_up))


def test_a_made_up_cosignature_condemns_the_checkpoint(stopped: Played) -> None:
    with database(stopped.scene.stage.broker) as rows:
        (text,) = rows.execute("SELECT note FROM checkpoint WHERE size = ?", (stopped.size,)).fetchone()
        note = false_line(own_witness(stopped), Note.parse(text)).format()
        rows.execute("UPDATE checkpoint SET note = ? WHERE size = ?", (note, stopped.size))
    said = found_by_audit(stopped)
    assert "the signature of `witness.example/demo` does not hold" in said
    assert "[checkpoint-wrong]" in said


def swap(played: Played, name: str, secret: bytes) -> None:
    """Put another key in the place of one of the broker's."""
    path = played.scene.stage.cast.broker.keys / name
    path.unlink()
    write_secret(path, secret)


def test_another_log_key_is_refused_by_officer_and_witness(stopped: Played) -> None:
    swap(stopped, LOG, new_secret())
    said = found_by_audit(stopped, witness=True)
    assert "no known key of the log signed the checkpoint" in said
    assert "[checkpoint-wrong]" in said
    assert "witness.failed" in said_by(stopped.scene.stage.broker, "witness.failed")


async def test_another_receipt_key_is_refused_by_the_sender(stopped: Played) -> None:
    swap(stopped, RECEIPT, SigningKey.generate().to_bytes())
    stage = stopped.scene.stage
    stage.broker.start()
    for service in stage.evaluators:
        service.start()
    try:
        async with stopped.scene.kit(stage.cast.inspectorate) as kit:
            with pytest.raises(NotAuthentic) as caught:
                await kit.sender.push(stopped.scene.drafts(1))
    finally:
        for service in stage.evaluators:
            service.stop()
    assert caught.value.code == "signature-wrong"


async def test_a_kit_under_a_policy_file_wants_the_witnesses_that_it_names(stopped: Played) -> None:
    """`sluis audit policy` writes what the settings say; another quorum in it is kept to."""
    stage = stopped.scene.stage
    stage.witness.start()
    stage.broker.start()
    officer = stage.cast.officer
    config, policy = stage.write_config(officer), officer.folder / "log.policy"
    written = audit(stopped, "policy")
    assert written.returncode == 0, written.stderr
    lines = config.read_text().splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(("log_vkeys", "witness_vkeys"))]
    config.write_text('log_policy = "log.policy"\npatience_seconds = 1.0\n' + "".join(kept))
    policy.write_text(written.stdout)
    other = witness_signers("witness.example/other", new_secret())[0].vkey
    more = written.stdout.rpartition("quorum ")[0] + f"witness other {other}\n"
    for text, enough in (
        (written.stdout, True),
        (more + "group some any other witness.example/demo\nquorum some\n", True),
        (more + "group both all other witness.example/demo\nquorum both\n", False),
    ):
        policy.write_text(text)
        async with Kit.open(KitSettings.load(config)) as kit:
            if enough:
                assert (await kit.auditor.verify()).cosigners == ("witness.example/demo",)
                continue
            with pytest.raises(NotAuthentic, match="the quorum `both` is not met: 1 trusted") as caught:
                await kit.auditor.verify()
            assert caught.value.code == "not-witnessed"
