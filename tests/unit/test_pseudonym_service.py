# SPDX-License-Identifier: EUPL-1.2
"""One evaluator: it authorises, charges, evaluates with proof, and logs counts but never contents."""

from collections.abc import Awaitable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from evaluator.budget import Budget
from evaluator.domains import Domains
from evaluator.service import ELEMENT, MAX_ELEMENTS, PseudonymService
from evaluator.shares import EvaluatorShares
from sluis.errors import SluisError, Unavailable
from sluis.identifiers import Identifier, IdentifierType, Oin
from sluis.keylog import KeyPublication
from sluis.oprf import verify_proof
from sluis.pseudonyms import EvaluatorShare, PseudonymisationDomain, blind_identifiers
from sluis.v1 import pseudonym_pb2
from tests.actors import Actor, cast, make_actor
from tests.world import AGREEMENT, FakeContext, MovingClock, Refused, bundle

CAST = cast()
ROLES = {actor.oin: actor.role for actor in CAST.registered}
FIRMS = [Identifier.parse(IdentifierType.VESTIGING, f"00009999{number:04}") for number in range(5)]
BATCH = blind_identifiers(FIRMS)
LIMIT = 50


@dataclass(slots=True)
class Evaluator:
    service: PseudonymService
    shares: EvaluatorShares
    budget: Budget
    clock: MovingClock
    actor: Actor

    async def evaluate(
        self,
        caller: Actor | None,
        elements: bytes = BATCH.elements,
        *,
        recipient: str = CAST.sna.oin,
        agreement: str = AGREEMENT,
        epochs: tuple[str, ...] = ("2026",),
    ) -> pseudonym_pb2.EvaluateResponse:
        request = pseudonym_pb2.EvaluateRequest(
            agreement=agreement, recipient_oin=recipient, epochs=epochs, blinded_elements=elements
        )
        answer: pseudonym_pb2.EvaluateResponse = await self.service.Evaluate(request, FakeContext(caller))
        return answer

    def spent(self, caller: Actor = CAST.nla, epoch: str = "2026") -> int:
        return self.budget.spent(caller.oin, domain(epoch).info())


def domain(epoch: str = "2026", recipient: Oin = CAST.sna.oin) -> PseudonymisationDomain:
    return PseudonymisationDomain(agreement=AGREEMENT, recipient=recipient, epoch=epoch)


def make_evaluator(folder: Path, actor: Actor, seed: int) -> Evaluator:
    clock = MovingClock()
    seeds = {epoch: bytes([seed, number]) * 15 + b"xy" for number, epoch in enumerate(("2026", "2027"))}
    shares = EvaluatorShares(oin=actor.oin, seeds=seeds)
    budget = Budget(folder / f"budget-{seed}.sqlite", clock)

    def publication(asked: PseudonymisationDomain) -> KeyPublication:
        return shares.publication(asked, actor.signing, 1)

    service = PseudonymService(
        domains=Domains(bundle=bundle(), roles=ROLES),
        shares=shares,
        budget=budget,
        daily_budget=LIMIT,
        publications=publication,
        executor=ThreadPoolExecutor(1),
        clock=clock,
    )
    return Evaluator(service, shares, budget, clock, actor)


@pytest.fixture
def both(tmp_path: Path) -> Iterator[list[Evaluator]]:
    made = [make_evaluator(tmp_path, actor, seed) for seed, actor in enumerate(CAST.evaluators, start=1)]
    yield made
    for one in made:
        one.service._executor.shutdown()
        one.budget.close()


@pytest.fixture
def evaluator(both: list[Evaluator]) -> Evaluator:
    return both[0]


async def refused(call: Awaitable[object]) -> SluisError:
    with pytest.raises(Refused) as caught:
        await call
    return caught.value.error


async def test_two_evaluators_together_make_a_pseudonym_and_one_of_them_alone_none(
    both: list[Evaluator],
) -> None:
    answers = [await one.evaluate(CAST.nla) for one in both]
    shares = [
        EvaluatorShare(
            public=one.shares.key_pair(domain()).public,
            evaluated=answer.evaluations[0].evaluated_elements,
            proof=answer.evaluations[0].proof,
        )
        for one, answer in zip(both, answers, strict=True)
    ]
    made = BATCH.finish(shares)
    assert len(set(made)) == len(FIRMS)
    again = blind_identifiers(FIRMS)
    other = [await one.evaluate(CAST.sna, again.elements) for one in both]
    repeated = again.finish(
        [
            EvaluatorShare(
                public=share.public,
                evaluated=answer.evaluations[0].evaluated_elements,
                proof=answer.evaluations[0].proof,
            )
            for share, answer in zip(shares, other, strict=True)
        ]
    )
    assert repeated == made
    with pytest.raises(SluisError):
        BATCH.finish(shares[:1])


async def test_each_epoch_asked_has_its_own_answer_and_proof(evaluator: Evaluator) -> None:
    answer = await evaluator.evaluate(CAST.nla, epochs=("2027", "2026"))
    assert [item.epoch for item in answer.evaluations] == ["2027", "2026"]
    for item in answer.evaluations:
        public = evaluator.shares.key_pair(domain(item.epoch)).public
        verify_proof(public, BATCH.elements, item.evaluated_elements, item.proof)
    assert answer.evaluations[0].evaluated_elements != answer.evaluations[1].evaluated_elements
    assert (evaluator.spent(epoch="2026"), evaluator.spent(epoch="2027")) == (5, 5)


async def test_two_recipients_are_two_domains(evaluator: Evaluator) -> None:
    one = await evaluator.evaluate(CAST.sna, recipient=CAST.body.oin)
    other = await evaluator.evaluate(CAST.sna, recipient=CAST.other_body.oin)
    assert one.evaluations[0].evaluated_elements != other.evaluations[0].evaluated_elements


@pytest.mark.parametrize(
    ("caller", "changes", "code"),
    [
        (CAST.nla, {"recipient": CAST.body.oin}, "not-your-domain"),
        (CAST.body, {}, "not-your-domain"),
        (CAST.officer, {}, "not-your-domain"),
        (CAST.stranger, {}, "party-unknown"),
        (None, {}, "no-certificate"),
        (CAST.nla, {"recipient": "1234"}, "identifier-format"),
        (CAST.nla, {"agreement": "other"}, "unknown-agreement"),
        (CAST.nla, {"epochs": ("2025",)}, "unknown-epoch"),
        (CAST.nla, {"epochs": ("2026", "2030")}, "unknown-epoch"),
        (CAST.nla, {"epochs": ()}, "malformed-request"),
        (CAST.nla, {"epochs": ("2026", "2026")}, "malformed-request"),
        (CAST.nla, {"epochs": tuple(str(year) for year in range(2020, 2029))}, "malformed-request"),
        (CAST.nla, {"elements": b""}, "malformed-request"),
        (CAST.nla, {"elements": BATCH.elements[:-1]}, "malformed-element"),
        (CAST.nla, {"elements": BATCH.elements[:ELEMENT] * (MAX_ELEMENTS + 1)}, "batch-too-large"),
    ],
)
async def test_a_request_that_may_not_or_cannot_be_answered_is_refused_and_costs_nothing(
    evaluator: Evaluator, caller: Actor | None, changes: dict[str, Any], code: str
) -> None:
    with capture_logs() as events:
        assert (await refused(evaluator.evaluate(caller, **changes))).code == code
    assert evaluator.spent() == 0
    assert [event["event"] for event in events] == ["call.refused"]


@pytest.mark.parametrize(
    "wrong",
    [bytes(ELEMENT), b"\xff" * ELEMENT, b"\x01" + bytes(ELEMENT - 1)],
    ids=["identity", "no field element", "no point"],
)
async def test_one_identity_or_malformed_element_refuses_the_batch(
    evaluator: Evaluator, wrong: bytes
) -> None:
    """Nothing is answered; what was charged for the batch stays charged, as for any other attempt."""
    assert (await refused(evaluator.evaluate(CAST.nla, BATCH.elements + wrong))).code == "malformed-element"
    assert (await refused(evaluator.evaluate(CAST.nla, wrong))).code == "malformed-element"
    assert (await evaluator.evaluate(CAST.nla)).evaluations


async def test_the_budget_is_counted_and_when_it_is_spent_nothing_is_evaluated(
    evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for left in range(LIMIT - 5, -1, -5):
        assert (await evaluator.evaluate(CAST.nla)).remaining_budget == left

    def never(*_: object) -> None:
        raise AssertionError("evaluated without budget")

    monkeypatch.setattr("evaluator.service.blind_evaluate", never)
    assert (await refused(evaluator.evaluate(CAST.nla))).code == "budget-spent"
    assert evaluator.spent() == LIMIT


async def test_parties_and_domains_have_a_budget_each_and_a_new_day_a_new_one(evaluator: Evaluator) -> None:
    whole = blind_identifiers([FIRMS[0]] * LIMIT).elements
    assert (await evaluator.evaluate(CAST.nla, whole)).remaining_budget == 0
    assert (await evaluator.evaluate(CAST.sna, whole)).remaining_budget == 0
    assert (await evaluator.evaluate(CAST.nla, epochs=("2027",))).remaining_budget == LIMIT - 5
    assert (await refused(evaluator.evaluate(CAST.nla))).code == "budget-spent"
    evaluator.clock.move(days=1)
    assert (await evaluator.evaluate(CAST.nla)).remaining_budget == LIMIT - 5


async def test_when_the_charge_cannot_be_written_nothing_is_answered(
    evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> int:
        raise Unavailable("storage-unavailable")

    monkeypatch.setattr(evaluator.budget, "charge", full)
    assert (await refused(evaluator.evaluate(CAST.nla))).code == "storage-unavailable"


async def test_the_log_counts_and_holds_no_element(evaluator: Evaluator) -> None:
    with capture_logs() as events:
        await evaluator.evaluate(CAST.nla)
    (event,) = events
    assert (event["event"], event["elements"], event["epochs"]) == ("evaluated", 5, 1)
    assert (event["caller"], event["remaining"]) == (CAST.nla.oin, LIMIT - 5)
    assert not any(isinstance(value, bytes) for value in event.values())


async def test_an_expired_certificate_is_refused(evaluator: Evaluator) -> None:
    ends = make_actor(1, CAST.nla.role, CAST.nla.name, valid_until=evaluator.clock() + timedelta(hours=1))
    assert (await evaluator.evaluate(ends)).evaluations
    evaluator.clock.move(hours=2)
    assert (await refused(evaluator.evaluate(ends))).code == "certificate-expired"


async def test_the_public_shares_are_listed_with_proofs_for_those_whom_the_domain_is_open_to(
    evaluator: Evaluator,
) -> None:
    request = pseudonym_pb2.ListKeysRequest(agreement=AGREEMENT, recipient_oin=CAST.sna.oin)
    answer = await evaluator.service.ListKeys(request, FakeContext(CAST.nla))
    found = [
        KeyPublication.from_bytes(item.statement, item.proof_of_possession, item.signature)
        for item in answer.publications
    ]
    for publication in found:
        publication.verify(evaluator.actor.signing.public)
    assert [publication.domain for publication in found] == [domain("2026"), domain("2027")]
    assert (
        await refused(evaluator.service.ListKeys(request, FakeContext(CAST.body)))
    ).code == "not-your-domain"
