# SPDX-License-Identifier: EUPL-1.2
"""Proposing and approving a change of the rules in the console, by signed statements (`sluis.policy.approval`).

    draft      uploaded; its officer alone sees it, and her next draft takes its place
    proposed   its officer signed that she proposes it; every officer sees it
    approved   another officer signed; who must sign is what `Activator` asks
    in force   activated; its rules are those of the last activation
    overtaken  other rules came in force since it was compared: upload, compare and sign anew

The statement must be of the officer who is signed in, under the key with which the operator enrolled her. The entry:

{"operation": "policy.propose", "policy": "sha256:...", "replaces": "sha256:...", "officer": "fg-1",
 "organisation": OIN, "function": "privacy", "statement": SHA-256 of the statement}
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from broker.policy.activation import check_age, check_eyes
from broker.policy.bundle_files import Brought
from broker.policy.change.diff import PolicyDiff
from broker.step import Needs, Step
from broker.storage.port import Officer, PartyStatus
from broker.storage.proposal_port import PolicyProposal, SignedStatement
from sluis.encoding import lp
from sluis.errors import Conflict, InvalidInput, NotPermitted
from sluis.identifiers import find_hidden_identifiers
from sluis.policy.approval import Act, PolicyStatement
from sluis.signing import VerifyKey

_LETTERS = bytes.maketrans(b"0123456789abcdef", b"abcdefghijklmnop")


class State(StrEnum):
    """How far a proposal is."""

    DRAFT = "draft"
    PROPOSED = "proposed"
    APPROVED = "approved"
    IN_FORCE = "in-force"
    OVERTAKEN = "overtaken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatory:
    """Who is signed in: the reference and the organisation."""

    reference: str
    organisation: str


def draft_of(brought: Brought, active: str, officer: Signatory, now: datetime) -> PolicyProposal:
    """The draft of uploaded rules. Raises Conflict `wrong-state` when they are in force, InvalidInput for cases."""
    if brought.bundle.digest == active:
        raise Conflict("wrong-state", "these rules are in force already")
    if brought.failed:
        raise InvalidInput("malformed-rule", "cases do not come out as written", where=brought.failed[0])
    words = (active, brought.bundle.digest, officer.organisation, officer.reference)
    name = hashlib.sha256(lp("sluis/v1/proposal", *words)).hexdigest()[:32]
    return PolicyProposal(
        # Letters alone: whatever reads a log for numbers of persons finds none in it.
        proposal_id=name.encode().translate(_LETTERS).decode(),
        organisation=officer.organisation,
        officer=officer.reference,
        from_digest=active,
        to_digest=brought.bundle.digest,
        content=brought.content,
        cases=brought.cases,
        at_ms=int(now.timestamp() * 1000),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepDraft:
    """Keeps uploaded rules; nothing is logged before somebody signs for them."""

    row: PolicyProposal

    def needs(self) -> Needs:
        """Nothing but the head."""
        return Needs()

    def settle(self, step: Step) -> None:
        """Keep it in place of the officer's other drafts."""
        step.wrote = True
        step.tx.add_proposal(self.row)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepStatement:
    """Keeps what an officer signed about a proposal, and logs it."""

    proposal: PolicyProposal
    statement: PolicyStatement
    signatory: Signatory

    def needs(self) -> Needs:
        """The officer's organisation."""
        return Needs(parties=frozenset({self.signatory.organisation}))

    def settle(self, step: Step) -> None:
        """Check and keep it.

        Raises NotPermitted `officer-unknown`, `party-stopped`; NotAuthentic `signature-wrong`; Conflict
        `already-signed`, `wrong-state`, `approvals-missing`; InvalidInput `clock-skew`, `hidden-identifier`.
        """
        officer = self._officer(step)
        self._check(step)
        statement, proposal = self.statement, self.proposal
        data = statement.encode()
        logged = step.log(
            {
                "operation": f"policy.{statement.act.value}",
                "policy": proposal.to_digest,
                "replaces": proposal.from_digest,
                "officer": officer.officer,
                "organisation": officer.organisation,
                "function": officer.function,
                "statement": hashlib.sha256(data).hexdigest(),
            }
        )
        step.tx.add_statement(
            SignedStatement(
                proposal_id=proposal.proposal_id,
                officer=officer.officer,
                act=statement.act.value,
                content=data,
                log_index=logged.index,
            )
        )

    def _officer(self, step: Step) -> Officer:
        """The officer in person, under her own key."""
        name = self.signatory.reference
        officer = step.tx.officers([name]).get(name)
        if (
            officer is None
            or not officer.active
            or officer.organisation != self.signatory.organisation
            or self.statement.officer != name
        ):
            raise NotPermitted("officer-unknown")
        party = step.party(officer.organisation)
        if party is None or party.status is not PartyStatus.ACTIVE:
            raise NotPermitted("party-stopped")
        self.statement.verify(VerifyKey(officer.verify_key))
        return officer

    def _check(self, step: Step) -> None:
        statement, proposal = self.statement, self.proposal
        if (statement.from_digest, statement.to_digest) != (proposal.from_digest, proposal.to_digest):
            raise Conflict("wrong-state", "the statement is about other rules")
        if step.tx.active_policy() != proposal.from_digest:
            raise Conflict("wrong-state", "the rules changed since they were compared; upload them anew")
        check_age(statement, step.now)
        if find_hidden_identifiers(statement.reason):
            raise InvalidInput("hidden-identifier", where="reason")
        signed = step.tx.statements(proposal.proposal_id)
        if statement.officer in signed:
            raise Conflict("already-signed")
        if statement.act is Act.PROPOSE and (signed or proposal.officer != statement.officer):
            raise Conflict("wrong-state", "who uploaded the rules proposes them, once")
        if statement.act is Act.APPROVE and Act.PROPOSE.value not in signed.values():
            raise Conflict("approvals-missing", "nobody proposed this change yet")


def state_of(
    proposal: PolicyProposal,
    statements: Sequence[PolicyStatement],
    officers: Mapping[str, Officer],
    change: PolicyDiff,
    active: str,
) -> State:
    """How far a proposal is now."""
    if active == proposal.to_digest:
        return State.IN_FORCE
    if active != proposal.from_digest:
        return State.OVERTAKEN
    if not statements:
        return State.DRAFT
    return State.PROPOSED if lacks(statements, officers, change) else State.APPROVED


def standing(statements: Sequence[PolicyStatement], officers: Mapping[str, Officer]) -> list[PolicyStatement]:
    """What was signed by officers who still may."""
    return [item for item in statements if item.officer in officers and officers[item.officer].active]


def lacks(statements: Sequence[PolicyStatement], officers: Mapping[str, Officer], change: PolicyDiff) -> bool:
    """Whether a signature is still due."""
    try:
        check_eyes(standing(statements, officers), officers, change)
    except Conflict:
        return True
    return False
