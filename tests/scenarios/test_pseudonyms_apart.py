# SPDX-License-Identifier: EUPL-1.2
"""Pseudonyms of real evaluators: apart for each recipient, and out of reach for either evaluator alone."""

from base64 import b64encode
from pathlib import Path

import pytest_asyncio

from demo.cast import CastMember
from demo.stage import AGREEMENT
from evaluator.shares import EvaluatorShares
from sluis.identifiers import Identifier, IdentifierType
from sluis.oprf import KeyPair, Mode, blind_evaluate, evaluate, finalize
from sluis.oprf import blind as blind_one
from sluis.pseudonyms import PseudonymisationDomain
from sluis.ristretto255 import add_each
from tests.scenarios.scene import Scene, establishment

SUBJECTS = [Identifier.parse(IdentifierType.VESTIGING, establishment(n)) for n in range(50)]


async def pseudonyms(scene: Scene, asker: CastMember, recipient: CastMember, state: Path) -> list[bytes]:
    """Compute pseudonyms with a kit that remembers nothing."""
    async with scene.kit(asker, state=state) as kit:
        (epoch,) = await kit.pseudonymiser.epochs(AGREEMENT, recipient.oin)
        return [
            bytes(p) for p in await kit.pseudonymiser.pseudonyms(SUBJECTS, AGREEMENT, recipient.oin, epoch)
        ]


def domain_of(scene: Scene, recipient: CastMember) -> PseudonymisationDomain:
    return PseudonymisationDomain(agreement=AGREEMENT, recipient=recipient.oin, epoch=str(scene.today.year))


def keys_of(scene: Scene, domain: PseudonymisationDomain) -> list[KeyPair]:
    """What each evaluator has: only a test has both."""
    seeds = [one.folder / "seeds.json" for one in scene.stage.cast.evaluators]
    return [EvaluatorShares.load(path).key_pair(domain) for path in seeds]


@pytest_asyncio.fixture
async def held(shared: Scene, tmp_path: Path) -> dict[CastMember, list[bytes]]:
    """The pseudonyms of the same firms that each recipient holds."""
    cast = shared.stage.cast
    return {
        recipient: await pseudonyms(shared, cast.foundation, recipient, tmp_path / recipient.slug)
        for recipient in (cast.foundation, *cast.bodies)
    }


async def test_recipients_given_the_same_firms_hold_different_pseudonyms(
    shared: Scene, held: dict[CastMember, list[bytes]], tmp_path: Path
) -> None:
    everything = [pseudonym for each in held.values() for pseudonym in each]
    assert len(set(everything)) == 3 * len(SUBJECTS)
    cast = shared.stage.cast
    # Whoever asks, the pseudonym in one domain is the same: else no match could be.
    assert (
        await pseudonyms(shared, cast.inspectorate, cast.foundation, tmp_path / "n") == held[cast.foundation]
    )
    assert await pseudonyms(shared, cast.bodies[0], cast.bodies[0], tmp_path / "b") == held[cast.bodies[0]]


def test_the_two_keys_together_give_the_pseudonym_and_either_alone_gives_another(
    shared: Scene, held: dict[CastMember, list[bytes]]
) -> None:
    for recipient, expected in held.items():
        keys = keys_of(shared, domain_of(shared, recipient))
        for subject, pseudonym in zip(SUBJECTS[:5], expected, strict=False):
            data = subject.oprf_input()
            blind, element = blind_one(data, Mode.VOPRF)
            parts = [blind_evaluate(key.secret, element) for key in keys]
            assert finalize(data, blind, add_each(*parts))[:16] == pseudonym
            alone = [evaluate(key.secret, data) for key in keys]
            alone += [finalize(data, blind, add_each(part, part)) for part in parts]
            assert pseudonym not in [output[:16] for output in alone]


def test_an_evaluator_that_tries_every_key_it_has_on_every_firm_finds_none(
    shared: Scene, held: dict[CastMember, list[bytes]]
) -> None:
    known = {pseudonym for each in held.values() for pseudonym in each}
    domains = [domain_of(shared, recipient) for recipient in held]
    for place in range(2):
        own = [keys_of(shared, domain)[place] for domain in domains]
        tried = {evaluate(key.secret, s.oprf_input())[:16] for key in own for s in SUBJECTS}
        assert len(tried) == len(known)
        assert not tried & known


def test_nothing_that_an_evaluator_keeps_holds_a_pseudonym_or_an_identifier(
    shared: Scene, held: dict[CastMember, list[bytes]]
) -> None:
    sought = [pseudonym for each in held.values() for pseudonym in each]
    sought += [subject.value.encode() for subject in SUBJECTS]
    for one in shared.stage.cast.evaluators:
        kept = [path for path in one.folder.rglob("*") if path.is_file()]
        assert {"seeds.json", "budget.sqlite", "log.jsonl"} <= {path.name for path in kept}
        for path in kept:
            data = path.read_bytes()
            for value in sought:
                shapes = (value, value.hex().encode(), b64encode(value).rstrip(b"="))
                assert not any(shape in data for shape in shapes), path.name
