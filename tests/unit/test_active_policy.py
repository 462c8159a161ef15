# SPDX-License-Identifier: EUPL-1.2
"""The log says which rules decide; counters count in its transaction; what was decided on can be replayed."""

import asyncio
import json
import sqlite3
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from broker.policy.active import bundle_at, install, stored_bundle
from broker.policy.replay import replay
from broker.storage.log_port import Decided
from broker.storage.sql import SqlStore
from sluis.errors import Defect, InvalidInput, NotAuthentic, NotFound
from sluis.policy.archive import MAX_ARCHIVE, pack, unpack
from sluis.policy.bundle import read_bundle
from sluis.v1 import envelope_pb2, exchange_pb2
from tests.unit.decide_samples import BUNDLE, FILES
from tests.unit.policy_files import COUNTED, ONE_YEAR, edited, put_in_force
from tests.world import CLAIMS, FIRM, OTHER_FIRM, World

OLD_FINE = {**CLAIMS, "decided_on": "2024-09-01"}


def permitted(answer: exchange_pb2.PushResponse) -> bool:
    return answer.decision.effect == envelope_pb2.EFFECT_PERMIT


def reason(answer: exchange_pb2.PushResponse) -> str:
    return answer.decision.reasons[0].code if answer.decision.reasons else ""


async def test_an_activation_decides_from_its_entry_on_at_every_replica(world: World) -> None:
    await world.certify(FIRM)
    other = world.second_replica()
    other.desk.committer.start()
    before = await world.push(world.envelope(FIRM, claims=OLD_FINE))
    bundle = put_in_force(world, ONE_YEAR)
    after = await world.push(world.envelope(FIRM, claims=OLD_FINE))
    assert (permitted(before), before.decision.policy_digest) == (True, BUNDLE.digest)
    assert (reason(after), after.decision.policy_digest) == ("LOOKBACK", bundle.digest)
    world.broker = other
    elsewhere = await world.push(world.envelope(FIRM, claims=OLD_FINE))
    assert (reason(elsewhere), elsewhere.decision.policy_digest) == ("LOOKBACK", bundle.digest)
    await other.desk.committer.close()


async def test_without_its_rules_a_broker_decides_nothing(world: World) -> None:
    await world.certify(FIRM)
    put_in_force(world, ONE_YEAR)
    with sqlite3.connect(world.folder / "broker.db") as database:
        database.execute("PRAGMA foreign_keys = off")
        database.execute("DELETE FROM policy_bundle")
    size = world.size
    with pytest.raises(NotFound):
        await world.push(world.envelope(FIRM))
    assert world.size == size


async def test_a_stored_bundle_is_read_by_its_name_and_never_believed(world: World) -> None:
    bundle = put_in_force(world, ONE_YEAR)
    assert stored_bundle(world.store, bundle.digest).digest == bundle.digest
    with sqlite3.connect(world.folder / "broker.db") as database:
        database.execute("UPDATE policy_bundle SET content = ?", (pack(FILES),))
    with pytest.raises(Defect):
        stored_bundle(world.store, bundle.digest)


async def test_a_bundle_that_the_log_refers_to_cannot_be_removed(world: World) -> None:
    put_in_force(world, ONE_YEAR)
    assert isinstance(world.store, SqlStore)
    with pytest.raises(IntegrityError), world.store._engines.writer.begin() as connection:
        connection.exec_driver_sql("DELETE FROM policy_bundle")
    assert len(world.store.activations()) == 1


async def test_the_first_start_puts_the_installed_rules_in_force_once(world: World) -> None:
    assert install(world.store, FILES, world.clock()).digest == BUNDLE.digest
    size = world.size
    assert world.entries(size - 1)[0]["operation"] == "policy.install"
    assert install(world.store, FILES, world.clock()).digest == BUNDLE.digest
    # Other files on the disk change nothing: that takes two officers.
    assert install(world.store, ONE_YEAR, world.clock()).digest == BUNDLE.digest
    assert world.size == size


async def test_the_rules_of_any_moment_can_be_found(world: World) -> None:
    start = world.clock()
    assert bundle_at(world.store, start) is None
    first = install(world.store, FILES, start)
    world.clock.move(days=2)
    second = put_in_force(world, ONE_YEAR)

    def digest(days: float) -> str:
        found = bundle_at(world.store, start + timedelta(days=days))
        return found.digest if found else ""

    assert [digest(days) for days in (-1, 0, 1, 2, 3)] == [
        "", first.digest, first.digest, second.digest, second.digest
    ]  # fmt: skip


async def test_a_counter_counts_what_passed_per_sender_and_day_and_starts_anew_at_midnight(
    world: World,
) -> None:
    put_in_force(world, COUNTED)
    await world.certify(FIRM)
    answers = [await world.push(world.envelope(FIRM)) for _ in range(4)]
    assert [reason(answer) for answer in answers] == ["", "", "TOO_MANY", "TOO_MANY"]
    assert [json.loads(answer.entry)["counters"] for answer in answers] == [
        {"signals_today": number} for number in (0, 1, 2, 2)
    ]
    world.clock.move(hours=24)
    assert permitted(await world.push(world.envelope(FIRM)))


async def test_members_of_one_batch_see_each_others_count(world: World) -> None:
    put_in_force(world, COUNTED)
    await world.certify(FIRM)
    answers = await asyncio.gather(*(world.push(world.envelope(FIRM)) for _ in range(12)))
    assert sorted(reason(answer) for answer in answers) == ["", "", *["TOO_MANY"] * 10]


async def test_a_denied_exchange_is_not_counted(world: World) -> None:
    put_in_force(world, COUNTED)
    await world.certify(FIRM)
    for _ in range(3):
        assert reason(await world.push(world.envelope(OTHER_FIRM))) == "NO_CERTIFICATE"
    assert permitted(await world.push(world.envelope(FIRM)))


def rows(world: World) -> list[Decided]:
    return list(world.store.decided(0, world.size))


async def a_day(world: World) -> None:
    """A permit, a partial one, denials, a question with a hit, a stop, and an unknown word."""
    await world.certify(FIRM)
    await world.certify(FIRM, recipient=world.cast.body)
    await world.push(world.envelope(FIRM, claims=OLD_FINE))
    await world.push(world.envelope(FIRM, fields={"law": "WML", "bsn": "999990019"}))
    await world.push(world.envelope(OTHER_FIRM))
    await world.push(world.envelope(FIRM, kind="ROEPT_MAAR_WAT"))
    await world.push(world.deposit(FIRM))
    await world.ask(FIRM, OTHER_FIRM)
    world.operator.stop("agreement", "waadi-14b", "test")
    await world.push(world.envelope(FIRM))


async def test_every_decision_comes_out_the_same_under_the_rules_that_took_it(world: World) -> None:
    await a_day(world)
    result = replay(iter(rows(world)), lambda digest: {BUNDLE.digest: BUNDLE}[digest])
    assert (result.replayed, result.same, result.not_kept, result.changed) == (9, 9, 1, 0)


async def test_a_replay_under_other_rules_says_what_changes_by_rule(world: World) -> None:
    await a_day(world)
    other = read_bundle(ONE_YEAR)
    result = replay(iter(rows(world)), lambda digest: other)
    assert result.changed == 1
    ((change, count),) = result.changes.items()
    assert count == 1
    assert (change.before, change.after) == ("permit", "deny LOOKBACK")
    assert change.rule_before == change.rule_after == "fine-to-foundation-until-2026-06-30"
    assert change.what.startswith("-establishment_number")
    index = result.examples[change][0]
    assert world.entries(index)[0]["operation"] == "signal.push"


async def test_a_replay_notices_a_shorter_retention(world: World) -> None:
    await a_day(world)
    other = read_bundle(edited("retention: P5Y", "retention: P2Y"))
    result = replay(iter(rows(world)), lambda digest: other)
    assert {change.what for change in result.changes} == {"retention P5Y -> P2Y"}


async def test_the_same_exchange_on_either_side_of_the_change_of_law_replays_as_decided(world: World) -> None:
    world.clock.now = datetime(2026, 6, 30, 12, tzinfo=UTC)
    await world.certify(FIRM)
    wav = {"provision": "Wav 2(1)", "decided_on": "2026-03-02"}
    fields = {"law": "Wav", "article": "2(1)", "decided_on": "2026-03-02"}
    june = await world.push(world.envelope(FIRM, claims=wav, fields=fields))
    world.clock.move(days=1)
    july = await world.push(world.envelope(FIRM, claims=wav, fields=fields))
    assert [rule for answer in (june, july) for rule in answer.decision.rule_ids] == [
        "fine-to-foundation-until-2026-06-30",
        "fine-to-foundation-from-2026-07-01",
    ]
    assert (permitted(june), reason(july)) == (True, "PROVISION_NOT_LISTED")
    world.clock.move(days=400)
    result = replay(iter(rows(world)), lambda digest: BUNDLE)
    assert (result.replayed, result.same) == (3, 3)


@pytest.mark.parametrize("part", ["salt", "inputs"])
async def test_inputs_that_were_tampered_with_are_noticed(world: World, part: str) -> None:
    await world.push(world.envelope(FIRM))
    (row,) = rows(world)
    changes: dict[str, Any] = {
        "salt": bytes(32),
        "inputs": row.inputs.replace(b'"strict":false', b'"strict":true'),
    }
    with pytest.raises(NotAuthentic):
        replay(iter([replace(row, **{part: changes[part]})]), lambda digest: BUNDLE)


@pytest.mark.parametrize(
    "strange",
    [
        {"kind": "BSN-999990019"},
        {"purpose": "BSN-999990019"},
        {"claims": {"provision": "BSN-999990019"}},
        {"claims": {"bsn_999990019": "2026-03-02"}},
    ],
)
async def test_unknown_words_are_kept_nowhere(world: World, strange: dict[str, Any]) -> None:
    await world.push(world.envelope(FIRM, **strange))
    (row,) = rows(world)
    assert row.inputs == b""
    assert b"999990019" not in row.entry


def test_files_come_back_from_an_archive_as_they_were() -> None:
    assert unpack(pack(FILES)) == FILES
    assert pack(dict(reversed(FILES.items()))) == pack(FILES)


@pytest.mark.parametrize(
    "archive",
    [
        b"",
        b"not an archive",
        pack(FILES)[:-1],
        pack(FILES) + b"x",
        zlib.compress(b"[]"),
        zlib.compress(b'{"v":2,"files":{}}'),
        zlib.compress(b'{"v":1,"files":{"a":1}}'),
        zlib.compress(bytes(MAX_ARCHIVE + 1)),
    ],
)
def test_anything_else_is_no_archive(archive: bytes) -> None:
    with pytest.raises(InvalidInput, match="malformed-rule"):
        unpack(archive)
