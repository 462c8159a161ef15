# SPDX-License-Identifier: EUPL-1.2
"""What an organisation exchanged about one data subject (AVG art. 15), asked without naming the subject.

The identifier stays here. Its pseudonyms are computed with the evaluators, who see blinded elements only, in each
domain in which the organisation has exchanges; they count in its budget. The broker gets the pseudonyms, and gives
back entries of the log, each of which is then proven to stand in it.
"""

from dataclasses import dataclass
from typing import Any

from sluis.canonical import parse_canonical
from sluis.client.connection import Connections
from sluis.client.pseudonymiser import Pseudonymiser
from sluis.client.trust import Trust
from sluis.errors import NotAuthentic, SluisError
from sluis.identifiers import Identifier, Oin
from sluis.v1 import audit_pb2

CONFIRMED = "signal.acknowledge"
FOLLOWED = "followup."


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectEntry:
    """An entry of the log, proven to stand in it."""

    log_index: int
    content: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectExchange:
    """An exchange about the subject, its entries oldest first."""

    exchange: str
    expires_at_ms: int
    entries: tuple[SubjectEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectReport:
    """What was found, and which domains could not be asked (with the code of the reason)."""

    domains: int
    exchanges: tuple[SubjectExchange, ...]
    not_asked: tuple[tuple[str, str, str, str], ...]  # agreement, recipient, epoch, code


async def ask_subject(
    identifier: Identifier, oin: Oin, connections: Connections, trust: Trust, pseudonymiser: Pseudonymiser
) -> SubjectReport:
    """Ask about one subject in every domain of the organisation's own exchanges.

    A domain that cannot be asked (no key, budget spent) is reported, never left out in silence. Raises NotAuthentic
    for an answer that does not hold.
    """
    asked, not_asked = await own_pseudonyms(identifier, connections, pseudonymiser)
    questions = [audit_pb2.SubjectQuestion(domain=domain, pseudonym=pseudonym) for domain, pseudonym in asked]
    found: list[SubjectExchange] = []
    if questions:
        request = audit_pb2.FindSubjectRequest(questions=questions)
        answer = await connections.patiently(lambda: connections.audit.FindSubject(request, timeout=60))
        found = [await _checked(item, oin, trust) for item in answer.exchanges]
    return SubjectReport(domains=len(questions), exchanges=tuple(found), not_asked=tuple(not_asked))


async def own_pseudonyms(
    identifier: Identifier, connections: Connections, pseudonymiser: Pseudonymiser
) -> tuple[list[tuple[audit_pb2.SubjectDomain, bytes]], list[tuple[str, str, str, str]]]:
    """The subject's pseudonym in every domain of the organisation's own exchanges, and the domains without one."""
    listed = await connections.patiently(
        lambda: connections.audit.ListSubjectDomains(audit_pb2.ListSubjectDomainsRequest(), timeout=30)
    )
    found: list[tuple[audit_pb2.SubjectDomain, bytes]] = []
    not_asked: list[tuple[str, str, str, str]] = []
    for domain in listed.domains:
        try:
            [pseudonym] = await pseudonymiser.pseudonyms(
                [identifier], domain.agreement, Oin.parse(domain.recipient_oin), domain.epoch
            )
        except NotAuthentic:
            raise
        except SluisError as error:
            not_asked.append((domain.agreement, domain.recipient_oin, domain.epoch, error.code))
            continue
        found.append((domain, pseudonym))
    return found, not_asked


async def _checked(message: audit_pb2.SubjectExchange, oin: Oin, trust: Trust) -> SubjectExchange:
    entries: list[SubjectEntry] = []
    for row in message.entries:
        content = parse_canonical(row.entry)
        if content.get("exchange") != message.exchange:
            raise NotAuthentic("log-inconsistent", "the broker shows an entry of another exchange")
        # A confirmation or follow-up does not name both parties; the entry before it is among these.
        follows = bool(entries) and str(content.get("operation")).startswith((CONFIRMED, FOLLOWED))
        if not follows and oin not in (content.get("sender"), content.get("recipient")):
            raise NotAuthentic("log-inconsistent", "the broker shows an entry between others")
        await trust.prove_inclusion(row.log_index, row.entry)
        entries.append(SubjectEntry(log_index=row.log_index, content=dict(content)))
    return SubjectExchange(
        exchange=message.exchange, expires_at_ms=message.expires_at_ms, entries=tuple(entries)
    )
