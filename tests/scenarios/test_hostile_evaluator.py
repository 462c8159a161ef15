# SPDX-License-Identifier: EUPL-1.2
"""Callers who ask an evaluator for more than is theirs, over real mTLS, and budgets that outlive a crash."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from demo.stage import AGREEMENT
from sluis.errors import NotPermitted
from sluis.identifiers import Identifier, IdentifierType, Oin
from sluis.oprf import Mode, blind
from sluis.v1 import pseudonym_pb2, pseudonym_pb2_grpc
from tests.scenarios.calls import channel_of, make_keys, refusal
from tests.scenarios.scene import Scene, establishment, set_scene

STRANGER = Oin("00000099000000777000")


def elements(count: int) -> bytes:
    """Blinded elements as a client makes them."""
    return b"".join(blind(str(n).encode(), Mode.VOPRF)[1] for n in range(count))


@asynccontextmanager
async def asking(scene: Scene, keys: Path) -> AsyncIterator[Callable[..., Any]]:
    """Ask evaluator A with the certificate in a key folder; by default properly, in the foundation's domain."""
    epoch = str(scene.today.year)
    async with channel_of(scene.stage.evaluators[0].address, keys) as channel:
        stub = pseudonym_pb2_grpc.PseudonymServiceStub(channel)

        def ask(count: int = 1, **changes: Any) -> Any:
            request = {
                "agreement": AGREEMENT,
                "recipient_oin": scene.stage.cast.foundation.oin,
                "epochs": [epoch],
                "blinded_elements": elements(count) if "blinded_elements" not in changes else b"",
            } | changes
            return stub.Evaluate(pseudonym_pb2.EvaluateRequest(**request), timeout=20)

        yield ask


async def test_a_domain_that_is_not_the_callers_is_refused(shared: Scene, tmp_path: Path) -> None:
    cast = shared.stage.cast
    first, second = (body.oin for body in cast.bodies)
    allowed = {
        cast.inspectorate: {cast.foundation.oin},
        cast.foundation: {cast.foundation.oin, first, second},
        cast.bodies[0]: {first},
        cast.officer: set(),
        cast.evaluators[1]: set(),
    }
    everyone = {cast.inspectorate.oin, cast.foundation.oin, first, second, cast.officer.oin, STRANGER}
    for member, domains in allowed.items():
        async with asking(shared, member.keys) as ask:
            for recipient in everyone:
                if recipient in domains:
                    assert len((await ask(recipient_oin=recipient)).evaluations) == 1
                else:
                    assert await refusal(ask(recipient_oin=recipient)) == "not-your-domain"
            assert await refusal(ask(agreement="waadi-15b")) == "unknown-agreement"
    keys = make_keys(tmp_path / "keys", STRANGER, cast.authority)
    async with asking(shared, keys) as ask:
        assert await refusal(ask()) == "party-unknown"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"blinded_elements": bytes(32)}, "malformed-element"),  # the identity
        ({"blinded_elements": b"\xff" * 32}, "malformed-element"),
        ({"blinded_elements": b"\x01" + bytes(31)}, "malformed-element"),  # negative
        ({"blinded_elements": elements(3) + bytes(32)}, "malformed-element"),
        ({"blinded_elements": elements(2)[:-1]}, "malformed-element"),
        ({"blinded_elements": b""}, "malformed-request"),
        ({"blinded_elements": elements(1) * 4097}, "batch-too-large"),
        ({"epochs": []}, "malformed-request"),
        ({"epochs": [str(year) for year in range(9)]}, "malformed-request"),
        ({"epochs": ["1999"]}, "unknown-epoch"),
        ({"recipient_oin": "1234"}, "identifier-format"),
    ],
)
async def test_what_is_no_proper_request_is_refused(
    shared: Scene, changes: dict[str, Any], code: str
) -> None:
    async with asking(shared, shared.stage.cast.inspectorate.keys) as ask:
        assert await refusal(ask(**changes)) == code
        assert len((await ask()).evaluations) == 1


async def test_a_budget_is_per_caller_and_domain_and_is_spent_for_good(tmp_path: Path) -> None:
    with set_scene(tmp_path, evaluators={"daily_budget": 10}) as scene:
        evaluator, cast = scene.stage.evaluators[0], scene.stage.cast
        evaluator.start()
        async with asking(scene, cast.inspectorate.keys) as ask:
            assert (await ask(9)).remaining_budget == 1
            assert await refusal(ask(2)) == "budget-spent"
            assert (await ask(1)).remaining_budget == 0
            assert await refusal(ask(1)) == "budget-spent"
        async with asking(scene, cast.foundation.keys) as ask:
            assert (await ask(4)).remaining_budget == 6
            assert (await ask(10, recipient_oin=cast.bodies[0].oin)).remaining_budget == 0
        evaluator.kill()
        evaluator.start()
        async with asking(scene, cast.inspectorate.keys) as ask:
            assert await refusal(ask(1)) == "budget-spent"
        async with asking(scene, cast.foundation.keys) as ask:
            assert (await ask(1)).remaining_budget == 5


async def test_a_kit_learns_that_its_budget_is_spent_and_keeps_what_it_has(
    new_scene: Callable[..., AbstractContextManager[Scene]],
) -> None:
    with new_scene(evaluators={"daily_budget": 30}) as scene:
        foundation = scene.stage.cast.foundation
        known, more = (
            [Identifier.parse(IdentifierType.VESTIGING, establishment(n)) for n in numbers]
            for numbers in (range(20), range(20, 40))
        )
        async with scene.kit(foundation) as kit:
            (epoch,) = await kit.pseudonymiser.epochs(AGREEMENT, foundation.oin)
            place = (AGREEMENT, foundation.oin, epoch)
            first = await kit.pseudonymiser.pseudonyms(known, *place)
            with pytest.raises(NotPermitted) as caught:
                await kit.pseudonymiser.pseudonyms(more, *place)
            assert caught.value.code == "budget-spent"
        async with scene.kit(foundation) as kit:  # from its encrypted cache, at no cost
            assert await kit.pseudonymiser.pseudonyms(known, *place) == first
