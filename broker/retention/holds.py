# SPDX-License-Identifier: EUPL-1.2
"""Legal holds: what two officers keep from destruction, and how they let go of it again.

    1 one officer signed that it is kept (`sluis.hold`), another that she agrees: signatures, keys, organisations hold
    2 at least one of the two is a privacy officer
    3 what is kept is the proposer's to keep: her organisation sends or receives it
    4 one transaction: log entry and hold; lifting is done alike

A hold keeps data from being destroyed and opens nothing: what has ended is not delivered, matched or released.

{"operation": "hold.set", "hold": ID, "scope": "exchange", "target": UUID | OIN | sha256:..., "reason": "LITIGATION",
 "organisation": OIN, "statements": [{"act", "officer", "organisation", "function", "statement": SHA-256}, ...]}
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from broker.policy.activation import CLOCK_TOLERANCE, MAX_AGE
from broker.policy.officers import OfficerFunction
from broker.step import Needs, Step
from broker.storage.port import Officer, PartyStatus, Store, Transaction
from broker.storage.retention_port import HoldSubject, LegalHold, RetainedSignal
from sluis.errors import Conflict, InvalidInput, NotFound, NotPermitted
from sluis.hold import HoldAct, HoldScope, HoldStatement, SubjectOpening
from sluis.signing import VerifyKey


def held_by(signal: RetainedSignal, holds: Collection[LegalHold]) -> LegalHold | None:
    """The first hold that keeps a signal."""
    exchange = str(UUID(bytes=signal.signal_id))
    parties = (signal.sender, signal.recipient)
    subject = HoldSubject(
        agreement=signal.agreement,
        recipient=signal.recipient,
        epoch=signal.epoch,
        pseudonym=signal.pseudonym,
    )
    for hold in holds:
        match hold.scope:
            case HoldScope.EXCHANGE if hold.target == exchange:
                return hold
            case HoldScope.PARTY if hold.target in parties:
                return hold
            case HoldScope.SUBJECT if hold.organisation in parties and subject in hold.subjects:
                return hold
    return None


def holds_entry(entry: Mapping[str, Any], holds: Collection[LegalHold]) -> bool:
    """Whether a hold keeps the link of an entry without a kept signal: of a refusal, a question, a register."""
    parties = (entry.get("sender"), entry.get("recipient"))
    return any(
        (hold.scope == HoldScope.EXCHANGE and hold.target == entry.get("exchange"))
        or (hold.scope == HoldScope.PARTY and hold.target in parties)
        for hold in holds
    )


class Holds:
    """Sets and lifts holds that officers signed for, straight on the store."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    def set(self, statements: Sequence[HoldStatement], opening: SubjectOpening | None = None) -> LegalHold:
        """Put a hold in force; a hold on a subject comes with the opening of what was signed.

        Raises Conflict `approvals-missing`, `wrong-state` for a hold that was there before; NotPermitted
        `officer-unknown`, `party-stopped`, `not-your-identity` for what is another's; NotAuthentic
        `signature-wrong`; NotFound for an exchange that is not kept.
        """
        asked = _pair(statements, HoldAct.HOLD, HoldAct.APPROVE_HOLD)
        subjects = _subjects(asked, opening)
        with self._store.transaction() as tx:
            step = Step(tx, self._clock(), [Needs(parties=_organisations(tx, statements))])
            officers = _check(step, statements)
            organisation = officers[asked.officer].organisation
            _check_target(tx, asked, organisation)
            logged = step.log(_entry("hold.set", asked, organisation, statements, officers))
            row = LegalHold(
                hold_id=asked.hold,
                scope=asked.scope.value,
                target=asked.target,
                organisation=organisation,
                reason=asked.reason.value,
                set_index=logged.index,
                subjects=subjects,
            )
            if tx.retention.hold(asked.hold) is not None:
                raise Conflict("wrong-state", "there was a hold of this name; sign for a new one")
            tx.retention.add_hold(row)
            tx.commit()
        return row

    def lift(self, statements: Sequence[HoldStatement]) -> LegalHold:
        """End a hold. Raises NotFound when it is not in force, and what `set` raises."""
        asked = _pair(statements, HoldAct.LIFT, HoldAct.APPROVE_LIFT)
        with self._store.transaction() as tx:
            step = Step(tx, self._clock(), [Needs(parties=_organisations(tx, statements))])
            officers = _check(step, statements)
            hold = tx.retention.hold(asked.hold)
            if hold is None or hold.lifted_index is not None:
                raise NotFound("not-found", "no hold of this name is in force")
            if (hold.scope, hold.target, hold.reason) != (asked.scope, asked.target, asked.reason):
                raise Conflict("wrong-state", "the hold of this name is about something else")
            if officers[asked.officer].organisation != hold.organisation:
                raise NotPermitted("not-your-identity", "another organisation asked for this hold")
            logged = step.log(_entry("hold.lift", asked, hold.organisation, statements, officers))
            tx.retention.lift_hold(hold.hold_id, logged.index)
            tx.commit()
        return hold


def _pair(statements: Sequence[HoldStatement], first: HoldAct, second: HoldAct) -> HoldStatement:
    """The statement of who asked, once another officer agreed to the same."""
    found = {statement.act: statement for statement in statements}
    if len(statements) != 2 or found.keys() != {first, second}:
        raise Conflict("approvals-missing", "one officer asks and another agrees: two statements are due")
    asked, agreed = found[first], found[second]
    if asked.officer == agreed.officer:
        raise Conflict("approvals-missing", "the same officer signed twice; another officer is due")
    if asked.about != agreed.about:
        raise Conflict("wrong-state", "the two statements are about different holds")
    return asked


def _subjects(asked: HoldStatement, opening: SubjectOpening | None) -> frozenset[HoldSubject]:
    if asked.scope is not HoldScope.SUBJECT:
        if opening is not None:
            raise InvalidInput("malformed-request", "only a hold on a subject has an opening")
        return frozenset()
    if opening is None or opening.commitment() != asked.target:
        raise InvalidInput("malformed-request", "the opening is not of what was signed", where="target")
    return frozenset(
        HoldSubject(agreement=agreement, recipient=recipient, epoch=epoch, pseudonym=pseudonym)
        for agreement, recipient, epoch, pseudonym in opening.subjects
    )


def _organisations(tx: Transaction, statements: Sequence[HoldStatement]) -> frozenset[str]:
    officers = tx.officers({statement.officer for statement in statements})
    return frozenset(officer.organisation for officer in officers.values())


def _check(step: Step, statements: Sequence[HoldStatement]) -> Mapping[str, Officer]:
    officers = step.tx.officers({statement.officer for statement in statements})
    for statement in statements:
        officer = officers.get(statement.officer)
        if officer is None or not officer.active:
            raise NotPermitted("officer-unknown", where=statement.officer)
        party = step.party(officer.organisation)
        if party is None or party.status is not PartyStatus.ACTIVE:
            raise NotPermitted("party-stopped", where=statement.officer)
        statement.verify(VerifyKey(officer.verify_key))
        if not step.now - MAX_AGE <= statement.at <= step.now + CLOCK_TOLERANCE:
            raise InvalidInput("clock-skew", "a statement is too old or of the future", where="at")
    if OfficerFunction.PRIVACY.value not in {officer.function for officer in officers.values()}:
        raise Conflict("approvals-missing", "one of the two must be a privacy officer")
    return officers


def _check_target(tx: Transaction, asked: HoldStatement, organisation: str) -> None:
    """What is kept must be the proposer's organisation's to keep."""
    if asked.scope is HoldScope.PARTY and asked.target != organisation:
        raise NotPermitted("not-your-identity", "an officer keeps exchanges of her own organisation")
    if asked.scope is HoldScope.EXCHANGE:
        signals = tx.retention.signals([UUID(asked.target).bytes])
        if not signals or signals[0].destroyed_index is not None:
            raise NotFound("not-found", "no signal of this exchange is kept", where="target")
        if organisation not in (signals[0].sender, signals[0].recipient):
            raise NotFound("not-found", "no signal of this exchange is kept", where="target")


def _entry(
    operation: str,
    asked: HoldStatement,
    organisation: str,
    statements: Sequence[HoldStatement],
    officers: Mapping[str, Officer],
) -> dict[str, object]:
    return {
        "operation": operation,
        "hold": asked.hold,
        "scope": asked.scope.value,
        "target": asked.target,
        "reason": asked.reason.value,
        "organisation": organisation,
        "statements": [
            {
                "act": statement.act.value,
                "officer": statement.officer,
                "organisation": officers[statement.officer].organisation,
                "function": officers[statement.officer].function,
                "statement": hashlib.sha256(statement.encode()).hexdigest(),
            }
            for statement in sorted(statements, key=lambda item: item.act is not asked.act)
        ],
    }
