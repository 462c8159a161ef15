# SPDX-License-Identifier: EUPL-1.2
"""The directory over the wire: cards, pages, evaluators' keys with their log entries, and the dry run of the rules."""

from collections.abc import Awaitable

import pytest

from broker.storage.port import PartyStatus
from broker.wire import directory_service
from broker.wire.directory_service import DirectoryService
from broker.wire.policy_service import PolicyService
from evaluator.service import to_wire
from evaluator.shares import EvaluatorShares
from sluis.cards import PartyCard
from sluis.errors import SluisError
from sluis.pseudonyms import PseudonymisationDomain
from sluis.v1 import directory_pb2, envelope_pb2, policy_pb2
from sluis.wire import receipt_from_wire
from tests.actors import Actor, authority
from tests.world import AGREEMENT, CLAIMS, KIND, ORIGIN, PURPOSE, VALUES, FakeContext, Refused, World, bundle


def service(world: World) -> DirectoryService:
    return DirectoryService(world.broker.desk, world.store, world.clock)


async def refused(call: Awaitable[object]) -> SluisError:
    with pytest.raises(Refused) as caught:
        await call
    return caught.value.error


async def page(world: World, token: str = "", size: int = 0, role: str = "") -> tuple[list[str], str]:
    request = directory_pb2.ListPartiesRequest(page_token=token, page_size=size, role=role)
    answer = await service(world).ListParties(request, FakeContext(world.cast.body))
    return [party.oin for party in answer.parties], answer.next_page_token


async def test_a_party_is_shown_with_a_card_that_verifies(world: World) -> None:
    request = directory_pb2.GetPartyRequest(oin=world.cast.nla.oin)
    party = (await service(world).GetParty(request, FakeContext(world.cast.body))).party
    assert (party.name, party.role, party.active) == ("Inspectie", "labour-inspectorate", True)
    card = PartyCard.parse(party.card)
    card.verify([authority().certificate], world.clock())
    assert card.signing_key == world.cast.nla.signing.public
    world.operator.set_status(world.cast.nla.oin, PartyStatus.STOPPED, "test")
    party = (await service(world).GetParty(request, FakeContext(world.cast.body))).party
    assert not party.active


async def test_who_is_not_there_is_not_found_and_strangers_see_nobody(world: World) -> None:
    nobody = directory_pb2.GetPartyRequest(oin=world.cast.stranger.oin)
    assert (await refused(service(world).GetParty(nobody, FakeContext(world.cast.nla)))).code == "not-found"
    assert (
        await refused(service(world).GetParty(nobody, FakeContext(world.cast.stranger)))
    ).code == "party-unknown"
    request = directory_pb2.ListPartiesRequest()
    assert (await refused(service(world).ListParties(request, FakeContext(None)))).code == "no-certificate"


async def test_pages_together_hold_everyone_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    everyone = sorted(actor.oin for actor in world.cast.registered)
    assert await page(world) == (everyone, "")
    for size in (1, 2, 3, 7):
        found: list[str] = []
        token = ""
        while True:
            oins, token = await page(world, token, size)
            assert len(oins) <= size
            found += oins
            if not token:
                break
        assert found == everyone
    monkeypatch.setattr(directory_service, "PAGE", 2)
    assert len((await page(world))[0]) == 2


async def test_a_role_is_listed_on_its_own(world: World) -> None:
    assert await page(world, role="certification-body") == (
        [world.cast.body.oin, world.cast.other_body.oin],
        "",
    )
    assert await page(world, role="witness") == ([], "")


@pytest.mark.parametrize("size", [-1, 101])
async def test_a_page_size_out_of_range_is_refused(world: World, size: int) -> None:
    request = directory_pb2.ListPartiesRequest(page_size=size)
    error = await refused(service(world).ListParties(request, FakeContext(world.cast.nla)))
    assert (error.code, error.where) == ("malformed-request", "page_size")


async def test_published_keys_come_with_the_entry_and_receipt_that_prove_them(world: World) -> None:
    evaluators = world.cast.evaluators
    for evaluator, seed in zip(evaluators, (b"one", b"two"), strict=True):
        for epoch in ("2025", "2026"):
            domain = PseudonymisationDomain(agreement=AGREEMENT, recipient=world.cast.sna.oin, epoch=epoch)
            shares = EvaluatorShares(
                oin=evaluator.oin, seeds={epoch: (seed + epoch.encode()).ljust(32, b".")}
            )
            message = to_wire(shares.publication(domain, evaluator.signing, 1))
            request = directory_pb2.PublishDomainKeyRequest(publication=message)
            answer = await service(world).PublishDomainKey(request, FakeContext(evaluator))
            assert answer.receipt.log_index == world.size - 1
    keys = await domain_keys(world)
    assert len(keys) == 4
    for key in keys:
        receipt_from_wire(key.receipt).verify(world.receipt_key.public, log_origin=ORIGIN, entry=key.entry)
        assert world.raw_entries(key.receipt.log_index)[0] == key.entry
    assert len(await domain_keys(world, epoch="2026")) == 2
    assert await domain_keys(world, recipient=world.cast.body) == []


async def domain_keys(
    world: World, *, epoch: str = "", recipient: Actor | None = None
) -> list[directory_pb2.DomainKey]:
    oin = (recipient or world.cast.sna).oin
    request = directory_pb2.ListDomainKeysRequest(agreement=AGREEMENT, recipient_oin=oin, epoch=epoch)
    return list((await service(world).ListDomainKeys(request, FakeContext(world.cast.nla))).keys)


async def test_only_evaluators_publish_keys(world: World) -> None:
    call = service(world).PublishDomainKey(
        directory_pb2.PublishDomainKeyRequest(), FakeContext(world.cast.nla)
    )
    assert (await refused(call)).code == "not-your-role"


# the dry run


def question(**changes: object) -> policy_pb2.ExplainRequest:
    fields = [
        policy_pb2.ExplainField(name=name, category=bundle().fields[name].category.value) for name in VALUES
    ]
    values = {
        "operation": "push",
        "agreement": AGREEMENT,
        "recipient_oin": "00000099000000002000",
        "kind": KIND,
        "purpose": PURPOSE,
        "fields": fields,
        "claims": CLAIMS,
        "suppose": ["certificate_valid"],
        "delivery": "mailbox",
    }
    return policy_pb2.ExplainRequest(**{**values, **changes})  # type: ignore[arg-type]  # the values come from a table


async def explain(world: World, request: policy_pb2.ExplainRequest) -> policy_pb2.ExplainResponse:
    policy = PolicyService(world.broker.desk, world.store, world.clock)
    answer: policy_pb2.ExplainResponse = await policy.Explain(request, FakeContext(world.cast.nla))
    return answer


async def test_a_dry_run_decides_as_a_push_would_and_leaves_no_trace(world: World) -> None:
    size = world.size
    permitted = await explain(world, question())
    assert permitted.decision.effect == envelope_pb2.EFFECT_PERMIT
    assert list(permitted.decision.rule_ids) == ["fine-to-foundation-until-2026-06-30"]
    denied = await explain(world, question(suppose=[]))
    assert (denied.decision.effect, denied.decision.reasons[0].code) == (
        envelope_pb2.EFFECT_DENY,
        "NO_CERTIFICATE",
    )
    assert denied.dutch
    assert denied.english
    assert world.size == size


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"operation": "delete"}, "malformed-request"),
        ({"suppose": ["everything"]}, "malformed-request"),
        ({"recipient_oin": "12"}, "identifier-format"),
        (
            {"fields": [policy_pb2.ExplainField(name="law"), policy_pb2.ExplainField(name="law")]},
            "malformed-request",
        ),
    ],
)
async def test_a_dry_run_of_what_cannot_be_is_refused(
    world: World, changes: dict[str, object], code: str
) -> None:
    assert (await refused(explain(world, question(**changes)))).code == code
