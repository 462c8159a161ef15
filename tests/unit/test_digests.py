# SPDX-License-Identifier: EUPL-1.2
"""Digests at the kit and at the broker: what does not hold is refused with its code, and every reading is logged."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker.epochs import EpochOffice
from broker.wire import exchange_service
from sluis.client.digests import DigestDomain
from sluis.deposit_digest import DigestHeader
from sluis.errors import SluisError
from sluis.signing import SigningKey
from sluis.v1 import envelope_pb2, exchange_pb2
from tests.unit.match_samples import Body, deposit, firm, firms, pseudonym_of, publish_epochs
from tests.world import AGREEMENT, EPOCH, KIND, PURPOSE, World

Part = exchange_pb2.FetchDigestResponse
CLIENTS = firms(30)


@pytest.fixture
def body(world: World, tmp_path: Path) -> Iterator[Body]:
    """The body's kit, in a domain with keys."""
    publish_epochs(world, EPOCH)
    kit = Body(world, tmp_path)
    yield kit
    kit.close()


async def refused(body: Body, change: Callable[[Part], Iterable[Part]] | None = None) -> tuple[str, str]:
    """Ask with a digest that is tampered with; returns the error's code and words. Nothing may be claimed."""
    body.change, start = change, body.world.size
    with pytest.raises(SluisError) as caught:
        await body.match(CLIENTS, private=True)
    assert "match.question" not in body.world.operations(start)
    body.change = None
    return caught.value.code, caught.value.message


def in_header(world: World, key: SigningKey | None = None, **changes: Any) -> Callable[[Part], list[Part]]:
    """Change the header, and sign it anew, by the broker's own key unless by another."""

    def change(part: Part) -> list[Part]:
        if part.HasField("start"):
            header = replace(DigestHeader.decode(part.start.header), **changes)
            part.start.header = header.encode()
            part.start.signature = (key or world.receipt_key).sign(part.start.header)
        return [part]

    return change


async def test_a_body_that_was_tampered_with_is_refused(world: World, body: Body) -> None:
    await deposit(world, *firms(3))

    def flip(part: Part) -> list[Part]:
        if part.body:
            part.body = part.body[:-1] + bytes([part.body[-1] ^ 1])
        return [part]

    def cut(part: Part) -> list[Part]:
        part.body = part.body[:-1] if part.body else b""
        return [part]

    assert (await refused(body, flip))[0] == "digest-wrong"
    assert (await refused(body, lambda part: [part] if part.HasField("start") else []))[0] == "digest-wrong"
    assert (await refused(body, lambda part: [] if part.HasField("start") else [part]))[0] == "digest-wrong"
    assert (await refused(body, lambda part: [part, part] if part.body else [part]))[0] == "digest-wrong"
    assert (await refused(body, lambda part: [part] if part.HasField("start") else cut(part)))[0] == (
        "digest-wrong"
    )
    assert (await body.match(CLIENTS, private=True)).hits.keys() == set(firms(3))


async def test_a_header_that_another_signed_or_that_was_changed_is_refused(world: World, body: Body) -> None:
    await deposit(world, firm(1))

    def grow(part: Part) -> list[Part]:
        if part.HasField("start"):
            part.start.header += b"\0"
        return [part]

    assert (await refused(body, in_header(world, SigningKey.generate())))[0] == "digest-wrong"
    assert (await refused(body, grow))[0] == "digest-wrong"


@pytest.mark.parametrize(
    "changes",
    [
        {"agreement": "wav-16"},
        {"kind": "PERMIT_ISSUED"},
        {"epoch": "2025"},
        {"log_origin": "other.example/log"},
        {"since": 1},
        {"until": 10_000},
    ],
)
async def test_a_digest_of_another_domain_log_or_place_is_refused_though_signed(
    world: World, body: Body, changes: dict[str, Any]
) -> None:
    await deposit(world, firm(1))
    assert (await refused(body, in_header(world, **changes)))[0] == "digest-wrong"


async def test_a_digest_for_another_recipient_is_refused(world: World, body: Body) -> None:
    other = in_header(world, recipient=world.cast.other_body.oin)
    assert await refused(body, other) == ("digest-wrong", "the digest is of another domain")


async def test_an_older_digest_than_one_seen_is_refused(world: World, body: Body) -> None:
    await deposit(world, firm(1))
    old: list[Part] = []

    def record(part: Part) -> list[Part]:
        old.append(Part.FromString(part.SerializeToString()))
        return [part]

    body.change = record
    await body.match(CLIENTS, private=True)
    replay: Iterator[Part] = iter([])

    def again(part: Part) -> Iterable[Part]:
        nonlocal replay
        if part.HasField("start"):
            replay = iter(old)
        return list(replay)

    code, _ = await refused(body, again)
    assert code == "digest-stale"


async def test_a_digest_that_was_made_long_ago_is_refused(world: World, body: Body) -> None:
    late = in_header(world, made_at_ms=world.clock.ms() - 16 * 60_000)
    assert (await refused(body, late))[0] == "digest-stale"
    early = in_header(world, made_at_ms=world.clock.ms() + 16 * 60_000)
    assert (await refused(body, early))[0] == "digest-stale"


async def test_an_addition_with_other_bits_is_refused(world: World, body: Body) -> None:
    await deposit(world, *firms(40, 100))
    await body.match(CLIENTS, private=True)
    assert (await refused(body, in_header(world, bits=20, width=2)))[0] == "digest-wrong"


async def test_the_entry_of_another_digest_is_refused(world: World, body: Body) -> None:
    await deposit(world, firm(1))
    first: list[Part] = []

    def of_earlier(part: Part) -> list[Part]:
        if part.HasField("start"):
            if not first:
                first.append(Part.FromString(part.SerializeToString()))
                return [Part()]
            part.start.entry = first[0].start.entry
            part.start.receipt.CopyFrom(first[0].start.receipt)
        return [part]

    assert (await refused(body, of_earlier))[0] == "digest-wrong"
    assert await refused(body, of_earlier) == (
        "digest-wrong",
        "the log entry shown is for another digest",
    )


async def test_a_kept_digest_that_was_changed_on_disk_is_refused(world: World, body: Body) -> None:
    await deposit(world, firm(1))
    await body.match(CLIENTS, private=True)
    domain = DigestDomain(agreement=AGREEMENT, recipient=world.cast.body.oin, kind=KIND, epoch=EPOCH)
    assert [digest.holds(pseudonym_of(firm(1))) for digest in body.digests.each(domain)] == [True]
    for column in ("body", "signature"):
        with body.digests._file.write() as database:
            database.execute(f"UPDATE digest SET {column} = zeroblob(length({column}))")
        with pytest.raises(SluisError) as caught:
            list(body.digests.each(domain))
        assert caught.value.code == "digest-wrong"


# at the broker


def request(**changes: Any) -> exchange_pb2.FetchDigestRequest:
    values: dict[str, Any] = {"agreement": AGREEMENT, "purpose": PURPOSE, "kind": KIND, "epoch": EPOCH}
    return exchange_pb2.FetchDigestRequest(**{**values, **changes})


async def test_a_long_digest_comes_in_parts(
    world: World, body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange_service, "DIGEST_PART", 16)
    await deposit(world, *firms(30))
    sizes: list[int] = []

    def count(part: Part) -> list[Part]:
        sizes.append(len(part.body))
        return [part]

    body.change = count
    report = await body.match(CLIENTS, private=True)
    assert report.hits.keys() == set(CLIENTS)
    assert (sizes[0], set(sizes[1:-1])) == (0, {16})
    assert sum(sizes) == report.digest_bytes > 48


async def test_a_denied_digest_is_an_answer_without_one_and_is_logged(world: World, body: Body) -> None:
    await deposit(world, firm(1))
    start = world.size
    made = await world.broker.matching.digests.make(world.cast.body.caller, request(purpose="HANDHAVING"))
    assert made.start.decision.effect == envelope_pb2.EFFECT_DENY
    assert (made.body, made.start.header, made.start.signature) == (b"", b"", b"")
    (entry,) = world.entries(start)
    assert (entry["operation"], entry["outcome"], entry["decision"]) == ("match.digest", "refused", "deny")


async def test_a_stopped_rule_stops_digests_as_well(world: World, body: Body) -> None:
    world.operator.stop("rule", "match-question-until-2026-06-30", "test")
    code, message = await refused(body)
    assert (code, "RULE_STOPPED" in message) == ("not-your-role", True)


async def test_a_digest_counts_as_a_question_about_all_in_it(world: World, body: Body) -> None:
    await deposit(world, *firms(7))
    await body.match(CLIENTS, private=True)
    (row,) = [row for row in world.store.decided(0, world.size) if b'"match.digest"' in row.entry]
    assert b'"subjects":7' in row.inputs


async def test_expired_deposits_are_not_in_it(world: World, body: Body) -> None:
    await deposit(world, firm(1))
    world.clock.move(days=366)
    made = await world.broker.matching.digests.make(world.cast.body.caller, request())
    assert DigestHeader.decode(made.start.header).count == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"epoch": "2031"}, "unknown-epoch"),
        ({"epoch": ""}, "unknown-epoch"),
        ({"agreement": "no-such"}, "unknown-epoch"),
        ({"since_index": 1 << 60, "bits": 9}, "malformed-request"),
    ],
)
async def test_a_strange_request_is_refused_and_leaves_no_entry(
    world: World, body: Body, changes: dict[str, Any], code: str
) -> None:
    start = world.size
    with pytest.raises(SluisError) as caught:
        await world.broker.matching.digests.make(world.cast.body.caller, request(**changes))
    assert (caught.value.code, world.size) == (code, start)


async def test_there_is_no_digest_of_an_epoch_in_which_nobody_asks_any_more(world: World, body: Body) -> None:
    EpochOffice(world.store, world.clock).compromise(EPOCH, "both seeds", stop_questions=True)
    start = world.size
    with pytest.raises(SluisError) as caught:
        await world.broker.matching.digests.make(world.cast.body.caller, request())
    assert (caught.value.code, world.size) == ("epoch-closed", start)


@pytest.mark.parametrize("bits", [0, 10, 40, 56, 1 << 31])
async def test_nobody_gets_a_finer_digest_than_is_due(world: World, body: Body, bits: int) -> None:
    await deposit(world, *firms(16))  # 12 bits
    made = await world.broker.matching.digests.make(
        world.cast.body.caller, request(since_index=world.size - 3, bits=bits)
    )
    header = DigestHeader.decode(made.start.header)
    assert (header.since, header.bits) == (0, 12)


async def test_another_partys_deposits_are_in_no_digest_of_mine(world: World, body: Body) -> None:
    await deposit(world, firm(1))
    publish = world.broker.matching.digests
    with pytest.raises(SluisError):  # the other body has no epoch here at all
        await publish.make(world.cast.other_body.caller, request())


async def digest_index(world: World) -> int:
    made = await world.broker.matching.digests.make(world.cast.body.caller, request())
    return int(made.start.receipt.log_index)


async def test_a_claim_names_a_digest_that_the_caller_was_given(world: World, body: Body) -> None:
    await deposit(world, firm(1))
    index = await digest_index(world)
    answer = await world.ask(pseudonym_of(firm(1)), pseudonym_of(firm(2)), digest_index=index)
    assert [hit.position for hit in answer.hits] == [0]
    entry = next(one for one in world.entries(index + 1) if one["operation"] == "match.question")
    assert (entry["digest"], entry["asked"], entry["hits"], entry["missed"]) == (index, 2, 1, 1)


@pytest.mark.parametrize("wrong", [{"epoch": "2025"}, {"kind": "PERMIT_ISSUED"}, {"agreement": "wav-16"}])
async def test_a_claim_under_a_digest_of_another_domain_is_refused(
    world: World, body: Body, wrong: dict[str, str]
) -> None:
    await deposit(world, firm(1))
    index, start = await digest_index(world), world.size
    with pytest.raises(SluisError) as caught:
        await world.ask(pseudonym_of(firm(1)), digest_index=index, **wrong)
    assert (caught.value.code, world.size) == ("unknown-digest", start)


@pytest.mark.parametrize("offset", [-1, 1, 1 << 40])
async def test_a_claim_under_what_is_no_digest_is_refused(world: World, body: Body, offset: int) -> None:
    await deposit(world, firm(1))
    index = await digest_index(world)
    with pytest.raises(SluisError) as caught:
        await world.ask(pseudonym_of(firm(1)), digest_index=index + offset)
    assert caught.value.code == "unknown-digest"


async def test_a_claim_under_another_partys_digest_is_refused(world: World, body: Body) -> None:
    await deposit(world, firm(1))
    index = await digest_index(world)
    with pytest.raises(SluisError) as caught:
        await world.ask(pseudonym_of(firm(1)), digest_index=index, by=world.cast.other_body)
    assert caught.value.code == "unknown-digest"


async def test_a_pseudonym_of_another_epoch_is_a_miss(world: World, body: Body) -> None:
    await deposit(world, firm(1))
    index = await digest_index(world)
    answer = await world.ask(pseudonym_of(firm(1), "2025"), digest_index=index)
    assert list(answer.hits) == []


async def test_digests_of_an_epoch_that_has_ended_are_deleted_and_those_of_others_stay(
    world: World, tmp_path: Path
) -> None:
    publish_epochs(world, "2025", EPOCH)
    await deposit(world, firm(1))
    body = Body(world, tmp_path, epochs=("2025", EPOCH))
    await body.match(CLIENTS, private=True)
    old, new = (
        DigestDomain(agreement=AGREEMENT, recipient=world.cast.body.oin, kind=KIND, epoch=epoch)
        for epoch in ("2025", EPOCH)
    )
    assert DigestDomain.decode(old.encode()) == old
    assert body.digests.newest(old) > 0
    assert body.digests.forget_epoch("2024") == 0
    assert body.digests.forget_epoch("2025") == 1
    assert body.digests.forget_epoch("2025") == 0
    assert body.digests.newest(old) == 0
    assert body.digests.newest(new) > 0
    body.close()
