# SPDX-License-Identifier: EUPL-1.2
"""Retention: when a signal ends, what goes then, what stays, and what is said of it."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from broker.audit.projection import Projection
from broker.oversight.subject import Question, find_subject
from broker.policy.replay import destroyed_between, replay
from broker.retention.clock import LEAP_MS, TrustedClock
from broker.retention.keeper import confirm_clock
from broker.retention.terms import later
from broker.storage.subject_port import SubjectDomain
from sluis.errors import Conflict, SluisError
from sluis.merkle import inclusion_proof, leaf_hash, verify_inclusion
from tests.retention_world import keeper, kept, row, sweep
from tests.world import AGREEMENT, DAY_MS, EPOCH, FIRM, OTHER_FIRM, World, bundle

YEAR = 365 * DAY_MS


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("start", "period", "end"),
    [
        ("2026-06-22T10:00:00", "P5Y", "2031-06-22T22:00:00"),
        ("2024-02-29T10:00:00", "P1Y", "2025-02-28T23:00:00"),
        ("2026-12-31T12:00:00", "P1D", "2027-01-01T23:00:00"),
    ],
)
def test_a_period_ends_with_its_last_day_in_the_netherlands(start: str, period: str, end: str) -> None:
    assert later(ms(start), period) == ms(end)


# when a signal ends


async def test_a_signal_ends_by_its_rule_or_at_its_expiry_whichever_is_first(world: World) -> None:
    await world.certify(FIRM)
    long = world.envelope(FIRM, expires_at_ms=world.clock.ms() + 6 * YEAR)
    short = world.envelope(FIRM)
    for envelope in (long, short):
        await world.push(envelope)
    kept_long, kept_short = row(world, long.header.signal_id), row(world, short.header.signal_id)
    assert kept_long["retain_until_ms"] == later(world.clock.ms(), "P5Y")
    assert kept_long["term"] == "P5Y fine-to-foundation-until-2026-06-30"
    assert kept_short["retain_until_ms"] == short.header.expires_at_ms
    assert (kept_short["term"], kept_short["after_loss"]) == ("EXPIRY", "P6M")


async def test_a_release_never_lengthens_a_signal(world: World) -> None:
    await world.certify(FIRM, recipient=world.cast.body)
    envelope = world.deposit(FIRM, expires_at_ms=world.clock.ms() + 6 * YEAR)
    await world.push(envelope)
    before = row(world, envelope.header.signal_id)["retain_until_ms"]
    world.clock.move(days=5)
    assert len((await world.ask(FIRM)).hits) == 1
    assert (
        row(world, envelope.header.signal_id)["retain_until_ms"]
        == before
        == later(world.clock.ms() - 5 * DAY_MS, "P5Y")
    )


async def test_what_has_ended_is_neither_delivered_nor_matched_before_it_is_destroyed(world: World) -> None:
    await world.certify(FIRM)
    await world.certify(FIRM, recipient=world.cast.body)
    envelope, deposit = world.envelope(FIRM), world.deposit(FIRM)
    await world.push(envelope)
    await world.push(deposit)
    world.clock.move(days=364)
    await world.certify(FIRM, recipient=world.cast.body)
    assert world.waiting(world.cast.sna)
    world.clock.move(days=1)
    assert world.waiting(world.cast.sna) == []
    assert not (await world.ask(FIRM)).hits
    assert row(world, deposit.header.signal_id)["envelope"]


# destruction


async def destroyed(world: World) -> tuple[dict[str, object], int]:
    """Push, acknowledge, and destroy a signal; its record and the index of the push."""
    await world.certify(FIRM)
    envelope = world.envelope(FIRM)
    answer = await world.push(envelope)
    await world.broker.mailbox.acknowledge(world.cast.sna.caller, [answer.receipt.log_index])
    world.clock.move(days=366)
    swept = await sweep(world)
    assert swept.signals == 1
    (record,) = [entry for entry in world.entries() if entry["operation"] == "signal.destroy"]
    return record, answer.receipt.log_index


async def test_nothing_of_a_destroyed_signal_stays_but_a_stub_and_the_record(world: World) -> None:
    record, pushed = await destroyed(world)
    found = row(world, UUID(str(record["exchange"])))
    assert (found["envelope"], found["redaction"], found["pseudonym"]) == (b"", b"", b"")
    assert world.entries()[found["destroyed_index"]] == record
    assert kept(world, pushed) == (False, False)
    assert record == {
        "v": 1,
        "time": "2027-06-23T10:00:00.000Z",
        "operation": "signal.destroy",
        "exchange": record["exchange"],
        "previous": pushed,
        "sender": world.cast.nla.oin,
        "recipient": world.cast.sna.oin,
        "agreement": AGREEMENT,
        "kind": "FINE_IMPOSED",
        "term": "EXPIRY",
        "rule": "",
        "counted_from": "expiry",
        "ended": "2027-06-22T10:00:00.000Z",
        "destroyed": ["envelope", "wrapped-key", "redaction", "pseudonym", "salt", "inputs", "first-answer"],
        "links": [pushed],
        "outcome": "destroyed",
    }


async def test_the_record_names_the_rule_whose_term_it_was(world: World) -> None:
    await world.certify(FIRM, valid_until="2033-12-31")
    await world.push(world.envelope(FIRM, expires_at_ms=world.clock.ms() + 6 * YEAR))
    world.clock.move(days=5 * 365)
    assert (await sweep(world)).signals == 0
    world.clock.move(days=2)
    assert (await sweep(world)).signals == 1
    record = next(entry for entry in world.entries() if entry["operation"] == "signal.destroy")
    assert (record["term"], record["rule"]) == ("P5Y", "fine-to-foundation-until-2026-06-30")
    assert record["counted_from"] == "decision"


async def test_the_salts_of_every_release_go_with_the_signal_also_of_a_refused_one(world: World) -> None:
    await world.certify(FIRM, recipient=world.cast.body)
    await world.push(world.deposit(FIRM))
    await world.ask(FIRM)
    await world.certify(OTHER_FIRM, recipient=world.cast.body)
    await world.ask(FIRM)
    releases = [i for i, entry in enumerate(world.entries()) if entry["operation"] == "signal.release"]
    assert [world.entries()[index]["decision"] for index in releases] == ["permit", "deny"]
    assert all(kept(world, index)[0] for index in releases)
    world.clock.move(days=366)
    await sweep(world)
    assert not any(kept(world, index)[0] for index in releases)
    record = next(entry for entry in world.entries() if entry["operation"] == "signal.destroy")
    assert set(releases) < set(record["links"])


async def test_questions_registers_and_refusals_lose_their_links_at_their_own_ends(world: World) -> None:
    await world.certify(FIRM, recipient=world.cast.body)
    await world.ask(OTHER_FIRM)
    refused = await world.push(world.envelope(OTHER_FIRM, expires_at_ms=world.clock.ms() + 6 * YEAR))
    entries = world.entries()
    places = {entry["operation"]: index for index, entry in enumerate(entries)}
    assert refused.receipt.log_index == places["signal.push"]
    for days, gone in ((2, "match.question"), (185, "register.load"), (366, "signal.push")):
        assert kept(world, places[gone]) == (True, True)
        world.clock.now = datetime.fromisoformat(entries[-1]["time"])
        world.clock.move(days=days)
        await sweep(world)
        assert kept(world, places[gone]) == (False, False)
        record = next(e for e in reversed(world.entries()) if e["operation"] == "link.destroy")
        assert (record["of"], record["entries"]) == (gone, [places[gone]])


async def test_a_refusal_ends_at_the_headers_expiry_when_that_is_sooner(world: World) -> None:
    answer = await world.push(world.envelope(OTHER_FIRM, expires_at_ms=world.clock.ms() + 10 * DAY_MS))
    world.clock.move(days=10)
    await sweep(world)
    assert kept(world, answer.receipt.log_index) == (False, False)


async def test_a_register_that_is_not_renewed_goes_and_proves_nothing_any_more(world: World) -> None:
    await world.certify(FIRM, valid_until="2027-12-31")
    world.clock.move(days=182)
    assert (await sweep(world)).registers == 0
    world.clock.move(days=2)
    assert (await sweep(world)).registers == 1
    record = next(entry for entry in world.entries() if entry["operation"] == "register.destroy")
    assert (record["register"], record["term"]) == ("certificates", "P6M")
    answer = await world.push(world.envelope(FIRM))
    assert answer.decision.reasons[0].code == "NO_CERTIFICATE" or not answer.decision.released
    assert (await sweep(world)).registers == 0


async def test_a_load_that_was_given_up_is_forgotten_after_a_day(world: World) -> None:
    world.store.add_register_entries(b"given up", [(FIRM, "2026-01-01", "")])
    one = keeper(world)
    world.store.retention.set_swept(world.clock.ms())
    await one.sweep()
    assert world.store.retention.abandoned() == {b"given up"}  # it may be under way
    world.clock.move(days=1)
    world.store.add_register_entries(b"under way", [(FIRM, "2026-01-01", "")])
    await world.certify(FIRM)
    await one.sweep()
    assert world.store.retention.abandoned() == {b"under way"}
    assert len(world.store.retention.registers()) == 1


async def test_many_go_in_batches_that_are_each_whole(world: World) -> None:
    from broker.retention import destroy

    await world.certify(FIRM)
    for _ in range(5):
        await world.push(world.envelope(FIRM))
    world.clock.move(days=366)
    world.store.retention.set_swept(world.clock.ms())
    one = keeper(world)
    first = await one.carrier.submit(destroy.DestroySignals(one.asker, portion=2))
    assert (first.destroyed, first.more is not None) == (2, True)
    assert (await one._all(destroy.DestroySignals(one.asker, portion=2)))[0] == 3


# what keeps working


async def test_the_log_its_proofs_and_a_replay_hold_after_a_destruction(world: World) -> None:
    _, pushed = await destroyed(world)
    head = world.store.head()
    entry = world.raw_entries()[pushed]
    proof = inclusion_proof(pushed, head.tree.size, world.store.node)
    verify_inclusion(leaf_hash(entry), pushed, head.tree.size, proof, head.tree.root())
    while Projection(world.store).advance():
        pass
    found = replay(world.store.decided(0, world.size), lambda digest: bundle())
    assert found.replayed == found.changed == 0
    decided = sum("decision" in entry for entry in world.entries())
    assert destroyed_between(world.store.retention.bare(0, world.size), None, None) == decided == 2
    later_than = world.clock()
    assert destroyed_between(world.store.retention.bare(0, world.size), later_than, None) == 0
    assert destroyed_between(world.store.retention.bare(0, world.size), None, later_than) == 2


async def test_a_subject_is_found_until_the_destruction_and_not_after(world: World) -> None:
    await world.certify(FIRM)
    await world.push(world.envelope(FIRM))
    while Projection(world.store).advance():
        pass
    sna = world.cast.sna.oin
    domain = SubjectDomain(agreement=AGREEMENT, recipient=sna, epoch=EPOCH)
    question = [Question(domain=domain, pseudonym=FIRM)]
    assert len(find_subject(world.store, sna, question)) == 1
    assert domain in world.store.subjects.domains(sna)
    world.clock.move(days=366)
    await sweep(world)
    assert find_subject(world.store, sna, question) == []
    assert find_subject(world.store, sna, [Question(domain=domain, pseudonym=b"")]) == []
    assert world.store.subjects.domains(sna) == []


async def test_the_id_of_a_destroyed_signal_stays_taken(world: World) -> None:
    await world.certify(FIRM, valid_until="2029-12-31")
    first = world.envelope(FIRM, expires_at_ms=world.clock.ms() + 1000)
    await world.push(first, key="key-the-same")
    world.clock.move(seconds=2)
    await sweep(world)
    again = world.envelope(FIRM, signal_id=first.header.signal_id)
    with pytest.raises(SluisError) as caught:
        await world.push(again, key="key-the-same")
    assert caught.value.code == "signal-exists"


# an acknowledgement that comes late


async def test_a_late_acknowledgement_is_logged_and_told_that_the_copy_must_go(world: World) -> None:
    await world.certify(FIRM)
    answer = await world.push(world.envelope(FIRM))
    index = answer.receipt.log_index
    in_time = await world.push(world.envelope(FIRM, expires_at_ms=world.clock.ms() + 500 * DAY_MS))
    world.clock.move(days=366)
    both = [index, in_time.receipt.log_index]
    late = await world.broker.mailbox.acknowledge(world.cast.sna.caller, both)
    assert (late.acknowledged, list(late.ended)) == (2, [index])
    await sweep(world)
    later_still = await world.broker.mailbox.acknowledge(world.cast.sna.caller, both)
    assert (later_still.already, list(later_still.ended)) == (2, [index])


# the certificate that lapses


async def test_a_lapsed_certificate_shortens_and_a_new_one_restores(world: World) -> None:
    await world.certify(FIRM, valid_until="2026-12-31")
    envelope = world.envelope(FIRM, expires_at_ms=world.clock.ms() + 6 * YEAR)
    await world.push(envelope)
    full = row(world, envelope.header.signal_id)["retain_until_ms"]
    world.clock.now = datetime(2027, 1, 2, tzinfo=UTC)
    await world.certify(FIRM, valid_until="2026-12-31")
    assert (await sweep(world)).moved == 1
    found = row(world, envelope.header.signal_id)
    midnight = ms("2026-12-31T23:00:00")  # 1 January in Amsterdam
    assert (found["lost_at_ms"], found["retain_until_ms"]) == (midnight, later(midnight, "P6M"))
    assert "retention.shorten" in world.operations()
    assert (await sweep(world)).moved == 0
    await world.certify(FIRM, valid_until="2028-12-31")
    assert (await sweep(world)).moved == 1
    found = row(world, envelope.header.signal_id)
    assert (found["lost_at_ms"], found["retain_until_ms"]) == (None, full)
    assert world.entries()[-1]["operation"] == "retention.restore"


async def test_a_firm_that_leaves_the_register_ends_six_months_after_that_was_seen(world: World) -> None:
    await world.certify(FIRM, OTHER_FIRM)
    gone, stays = (
        world.envelope(firm, expires_at_ms=world.clock.ms() + 6 * YEAR) for firm in (FIRM, OTHER_FIRM)
    )
    await world.push(gone)
    await world.push(stays)
    one = keeper(world)
    world.store.retention.set_swept(world.clock.ms())
    assert (await one.sweep()).moved == 0
    world.clock.move(days=1)
    await world.certify(OTHER_FIRM)
    assert (await one.sweep()).moved == 1
    lost = world.clock.ms()
    assert row(world, gone.header.signal_id)["retain_until_ms"] == later(lost, "P6M")
    world.clock.move(days=170)
    await world.certify(OTHER_FIRM)  # each half year anew
    assert (await sweep(world)).signals == 0
    world.clock.move(days=15)
    assert (await sweep(world)).signals == 1
    record = next(entry for entry in world.entries() if entry["operation"] == "signal.destroy")
    assert (record["exchange"], record["counted_from"]) == (str(gone.header.signal_id), "loss")
    assert record["term"] == "P6M"
    assert row(world, stays.header.signal_id)["envelope"]


async def test_a_loss_that_was_seen_holds_when_the_register_itself_is_gone(world: World) -> None:
    await world.certify(FIRM)
    envelope = world.envelope(FIRM, expires_at_ms=world.clock.ms() + 6 * YEAR)
    await world.push(envelope)
    world.clock.move(days=1)
    await world.certify(OTHER_FIRM)
    assert (await sweep(world)).moved == 1
    end = row(world, envelope.header.signal_id)["retain_until_ms"]
    (register,) = world.store.retention.registers()
    with world.store.transaction() as tx:
        tx.retention.drop_register(register.snapshot_id)
        tx.commit()
    assert (await sweep(world)).moved == 0
    assert row(world, envelope.header.signal_id)["retain_until_ms"] == end


async def test_a_register_that_nobody_keeps_shortens_nothing(world: World) -> None:
    await world.certify(FIRM)
    envelope = world.envelope(FIRM)
    await world.push(envelope)
    world.clock.move(days=190)
    swept = await sweep(world)
    assert (swept.registers, swept.moved) == (1, 0)
    assert (await sweep(world)).moved == 0


# the clock


async def test_a_clock_that_leaps_destroys_nothing_until_an_operator_confirms_the_day(world: World) -> None:
    await world.certify(FIRM)
    envelope = world.envelope(FIRM)
    await world.push(envelope)
    one = keeper(world)
    await one.sweep()
    world.clock.move(days=400)
    for _ in range(2):
        with pytest.raises(Conflict) as caught:
            await one.sweep()
        assert caught.value.code == "clock-leapt"
        await world.certify(OTHER_FIRM)  # an entry at the wrong time makes it no better
    assert row(world, envelope.header.signal_id)["envelope"]
    with pytest.raises(Conflict) as caught:
        confirm_clock(world.store, world.clock, datetime(2027, 1, 1, tzinfo=UTC).date())
    assert caught.value.code == "wrong-state"
    confirm_clock(world.store, world.clock, world.clock().date())
    assert world.entries()[-1]["operation"] == "retention.confirm-clock"
    assert (await one.sweep()).signals == 1


def test_the_first_sweep_of_an_old_database_is_measured_by_the_log(world: World) -> None:
    clock = TrustedClock(world.store)
    last = world.store.head().last_time_ms
    with pytest.raises(Conflict):
        clock.check(last + LEAP_MS + 1)
    clock.check(last + LEAP_MS)
    clock.check(last + 2 * LEAP_MS)
    clock.check(last)  # set back for a while: what was believed stays
    clock.check(last + 3 * LEAP_MS)
