# SPDX-License-Identifier: EUPL-1.2
"""The parties of the tests: real keys, certificates of one authority, and cards signed under them."""

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec

from sluis.cards import PartyCard
from sluis.certificates import Authority, certificate_pem
from sluis.identifiers import Oin
from sluis.rpc.caller import Caller, caller_of
from sluis.sealing_keys import SealingKey
from sluis.signing import SigningKey

START = datetime(2026, 6, 22, 10, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A party with its keys."""

    oin: Oin
    name: str
    role: str
    signing: SigningKey
    sealing: SealingKey
    tls: ec.EllipticCurvePrivateKey
    pem: bytes
    card: PartyCard

    @property
    def caller(self) -> Caller:
        """The party as the broker sees it when it calls."""
        return caller_of(self.pem)


@functools.cache
def authority() -> Authority:
    """The authority that every party's certificate comes from."""
    return Authority.create(
        "Test CA", valid_from=START - timedelta(days=400), valid_until=START + timedelta(days=4000)
    )


def make_actor(number: int, role: str, name: str, **dates: datetime) -> Actor:
    """Make a party with new keys; `valid_from` and `valid_until` are those of its certificate."""
    oin = Oin(f"000000990000000{number:02}000")
    tls = ec.generate_private_key(ec.SECP256R1())
    period = {"valid_from": START - timedelta(days=300), "valid_until": START + timedelta(days=3000)} | dates
    certificate = authority().issue(tls.public_key(), name=name, oin=oin, **period)
    signing, sealing = SigningKey.generate(), SealingKey.generate()
    card = PartyCard.create(
        oin=oin,
        name=name,
        signing_key=signing.public,
        sealing_key=sealing.public,
        created_at=START,
        certificate_chain=[certificate],
        private_key=tls,
    )
    pem = certificate_pem(certificate)
    return Actor(oin=oin, name=name, role=role, signing=signing, sealing=sealing, tls=tls, pem=pem, card=card)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Everyone who takes part, and a stranger who does not."""

    nla: Actor
    sna: Actor
    body: Actor
    other_body: Actor
    officer: Actor
    evaluators: tuple[Actor, Actor]
    stranger: Actor

    @property
    def registered(self) -> tuple[Actor, ...]:
        """Those whom the directory knows."""
        return (self.nla, self.sna, self.body, self.other_body, self.officer, *self.evaluators)


@functools.cache
def cast() -> Cast:
    """Make the parties, once."""
    return Cast(
        nla=make_actor(1, "labour-inspectorate", "Inspectie"),
        sna=make_actor(2, "certificate-foundation", "Stichting"),
        body=make_actor(3, "certification-body", "Instelling Een"),
        other_body=make_actor(4, "certification-body", "Instelling Twee"),
        officer=make_actor(5, "privacy-officer", "FG"),
        evaluators=(make_actor(6, "evaluator", "Evaluator A"), make_actor(7, "evaluator", "Evaluator B")),
        stranger=make_actor(8, "certification-body", "Onbekend"),
    )
