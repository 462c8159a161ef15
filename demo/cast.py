# SPDX-License-Identifier: EUPL-1.2
"""The parties of the demo: invented organisations with throw-away keys, under a throw-away authority.

DIR/<party>     keys/, state/, sluis.toml, card.json
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sluis.cards import PartyCard
from sluis.certificates import Authority, certificate_pem
from sluis.identifiers import Oin
from sluis.keys import ROOTS, TLS_CERTIFICATE, TLS_REQUEST, KeyFolder, write_new

# Positions 1-8 are 00000099: the test range of the OIN register.
TEST_PREFIX = "00000099"
# Those that the refusals are about.
OTHERS = (
    ("uwv", "UWV", "social-security-agency"),
    ("belastingdienst", "Belastingdienst", "tax-administration"),
    ("gemeente", "Gemeente Waterland", "municipality"),
    ("ilt", "Inspectie Leefomgeving en Transport", "transport-inspectorate"),
    ("rvig", "Rijksdienst voor Identiteitsgegevens", "registry-of-non-residents"),
    ("nau", "Nederlandse Autoriteit Uitleenmarkt", "admission-authority"),
    ("sncu", "Stichting Naleving CAO voor Uitzendkrachten", "cao-supervisor"),
    ("bond", "Vakbond Flex", "social-partner"),
    ("snf", "Stichting Normering Flexwonen", "housing-standard-foundation"),
    ("openbaar", "Openbaar register", "publication"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CastMember:
    """A party: its name, role, OIN and folder."""

    slug: str
    name: str
    role: str
    oin: Oin
    folder: Path

    @property
    def keys(self) -> Path:
        """Its key folder."""
        return self.folder / "keys"

    @property
    def state(self) -> Path:
        """Where it keeps its state."""
        return self.folder / "state"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Everyone, and the authority that issued their certificates."""

    authority: Authority
    inspectorate: CastMember
    foundation: CastMember
    bodies: tuple[CastMember, ...]
    officer: CastMember
    others: tuple[CastMember, ...]
    broker: CastMember
    evaluators: tuple[CastMember, CastMember]

    @property
    def participants(self) -> tuple[CastMember, ...]:
        """Those that call the broker with a kit."""
        return (self.inspectorate, self.foundation, *self.bodies, self.officer, *self.others)

    @property
    def everyone(self) -> tuple[CastMember, ...]:
        """All who have a certificate."""
        return (*self.participants, self.broker, *self.evaluators)


def make_cast(root: Path, body_names: Sequence[str]) -> Cast:
    """Make all parties with keys, certificates and cards below a folder."""

    def member(slug: str, name: str, role: str, number: int) -> CastMember:
        oin = Oin.parse(f"{TEST_PREFIX}{number:09}000")
        return CastMember(slug=slug, name=name, role=role, oin=oin, folder=root / slug)

    now = datetime.now(UTC)
    start, end = now - timedelta(hours=1), now + timedelta(days=30)
    cast = Cast(
        authority=Authority.create("Sluis demo authority", valid_from=start, valid_until=end),
        inspectorate=member("nla", "Nederlandse Arbeidsinspectie (demo)", "labour-inspectorate", 1),
        foundation=member("sna", "Stichting Normering Arbeid (demo)", "certificate-foundation", 2),
        bodies=tuple(
            member(f"body-{number}", name, "certification-body", 100 + number)
            for number, name in enumerate(body_names, 1)
        ),
        officer=member("officer", "Functionaris gegevensbescherming (demo)", "privacy-officer", 3),
        others=tuple(
            member(slug, f"{name} (demo)", role, 20 + number)
            for number, (slug, name, role) in enumerate(OTHERS)
        ),
        broker=member("broker", "Sluis-broker (demo)", "broker", 4),
        evaluators=(
            member("evaluator-a", "Evaluator A: Universiteit (demo)", "evaluator", 11),
            member("evaluator-b", "Evaluator B: Auditdienst (demo)", "evaluator", 12),
        ),
    )
    for one in cast.everyone:
        folder = KeyFolder.create(one.keys, name=one.name[:60], oin=one.oin)
        request = (one.keys / TLS_REQUEST).read_bytes()
        certificate = cast.authority.answer(request, valid_from=start, valid_until=end)
        write_new(one.keys / TLS_CERTIFICATE, certificate_pem(certificate), mode=0o644)
        write_new(one.keys / ROOTS, certificate_pem(cast.authority.certificate), mode=0o644)
        write_new(one.folder / "card.json", make_card(one, folder), mode=0o644)
    return cast


def make_card(member: CastMember, folder: KeyFolder) -> bytes:
    """The member's card, signed under its certificate."""
    card = PartyCard.create(
        oin=member.oin,
        name=member.name,
        signing_key=folder.signing().public,
        sealing_key=folder.sealing().public,
        created_at=datetime.now(UTC),
        certificate_chain=folder.tls_chain(),
        private_key=folder.tls_private_key(),
    )
    return card.encode()
