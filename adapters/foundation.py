# SPDX-License-Identifier: EUPL-1.2
"""The designated foundation (SNA): keeps the register of certified firms, and passes facts on to certifiers.

The register stands in the foundation's own domain, where it proves that a fined firm is certified, and for each
certifying body in that body's domain with only that body's firms, where it proves the same at the moment of a
match. A fact received is passed on to the bodies that certify the firm today, deposited until they ask.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime

from adapters.certified_register import CertifiedFirm
from adapters.labour_inspectorate import KIND, PURPOSE, RETENTION
from sluis.client import Kit
from sluis.client.receiver import ReceivedSignal
from sluis.client.registrar import LoadOutcome, RegisterRow
from sluis.client.sender import Draft, PushOutcome
from sluis.encoding import lp
from sluis.errors import NotFound
from sluis.header import Delivery
from sluis.identifiers import Identifier, IdentifierType, Oin

REGISTER = "certificates"
REGISTER_KIND = "CERTIFICATE_STATUS"
PASSED_ON = ("establishment_number", "law", "article", "count", "found_on", "decided_on")


async def certification_bodies(kit: Kit) -> dict[str, Oin]:
    """The certification bodies in the directory, by name as `certified.csv` writes it."""
    return {party.name: Oin.parse(party.oin) for party in await kit.trust.parties("certification-body")}


async def load_registers(
    kit: Kit,
    firms: Sequence[CertifiedFirm],
    bodies: Mapping[str, Oin],
    *,
    only: Collection[Oin] = (),
    progress: Callable[[int], None] = lambda done: None,
) -> list[LoadOutcome]:
    """Put the register in force, in the foundation's own domain and in each body's; or in `only` some of these.

    Raises NotFound `not-found` when a certifying body in the list takes no part, before anything is loaded.
    """
    by_body: dict[Oin, list[CertifiedFirm]] = defaultdict(list)
    for firm in firms:
        if firm.certified_by not in bodies:
            raise NotFound(
                "not-found", "a certifying body of the list takes no part", where=f"line {firm.line}"
            )
        by_body[bodies[firm.certified_by]].append(firm)
    outcomes: list[LoadOutcome] = []
    for recipient, held in [(kit.oin, list(firms)), *sorted(by_body.items())]:
        if only and recipient not in only:
            continue
        rows = [
            RegisterRow(subject=firm.establishment, valid_from=firm.valid_from, valid_until=firm.valid_until)
            for firm in held
        ]
        outcomes += await kit.registrar.load(
            REGISTER, recipient, rows, kind=REGISTER_KIND, purpose=PURPOSE, progress=progress
        )
    return outcomes


def onward_drafts(
    signals: Sequence[ReceivedSignal],
    firms: Sequence[CertifiedFirm],
    bodies: Mapping[str, Oin],
    today: date,
) -> list[Draft]:
    """One draft for each received fact and each body that certifies the firm today."""
    certifiers: dict[str, set[Oin]] = defaultdict(set)
    for firm in firms:
        if firm.valid_on(today):
            certifiers[firm.establishment.value].add(bodies[firm.certified_by])
    return [
        _onward(signal, recipient)
        for signal in signals
        for recipient in sorted(certifiers[signal.fields["establishment_number"]])
    ]


def _onward(signal: ReceivedSignal, recipient: Oin) -> Draft:
    fields = {name: signal.fields[name] for name in PASSED_ON}
    return Draft(
        identity=lp(signal.header.signal_id.bytes),
        recipient=recipient,
        subject=Identifier.parse(IdentifierType.VESTIGING, fields["establishment_number"]),
        kind=KIND,
        purpose=PURPOSE,
        fields=fields,
        claims=dict(signal.header.claims),
        expires_at_ms=min(
            signal.header.expires_at_ms, int((datetime.now(UTC) + RETENTION).timestamp() * 1000)
        ),
        delivery=Delivery.ON_MATCH,
        previous=signal.header.signal_id,
    )


async def pass_on(
    kit: Kit,
    signals: Sequence[ReceivedSignal],
    firms: Sequence[CertifiedFirm],
    bodies: Mapping[str, Oin],
    today: date,
    *,
    progress: Callable[[int], None] = lambda done: None,
) -> list[PushOutcome]:
    """Deposit received facts for the certifiers; each once, whatever is run twice."""
    return await kit.sender.push(onward_drafts(signals, firms, bodies, today), progress=progress)
