# SPDX-License-Identifier: EUPL-1.2
"""Putting other rules in force: an act of two officers, compared with the rules of now, and logged.

    1 the files load whole
    2 one officer proposed, another approved; signatures, keys and organisations hold
    3 what the change widens needs a legal and a privacy officer among them
    4 one transaction: log entry, bundle, activation; from that entry on it decides, at every replica

The statements name the rules that they lead from and to, so an approval cannot be used for another change, nor
after somebody else's change came in between.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from broker.policy.active import stored_bundle
from broker.policy.change.diff import PolicyDiff, diff
from broker.step import Needs, Step
from broker.storage.port import Activation, Officer, PartyStatus, Store, Transaction
from sluis.errors import Conflict, InvalidInput, NotPermitted
from sluis.policy.approval import Act, PolicyStatement
from sluis.policy.archive import pack
from sluis.policy.bundle import Bundle, read_bundle
from sluis.signing import VerifyKey

MAX_AGE = timedelta(days=90)
CLOCK_TOLERANCE = timedelta(minutes=5)
_NOBODY: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Activated:
    """A change of rules that was carried out."""

    log_index: int
    before: str
    after: str
    change: PolicyDiff


class Activator:
    """Carries out changes of rules that officers signed, straight on the store."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    def activate(
        self,
        files: Mapping[str, bytes],
        statements: Sequence[PolicyStatement],
        order: Mapping[str, object] = _NOBODY,
    ) -> Activated:
        """Put the rules in these files in force; `order` tells in the log who gave the order, and why.

        Raises InvalidInput `malformed-rule` for the files, Conflict `wrong-state` when they are in force or the
        statements lead from other rules, `approvals-missing`; NotPermitted `officer-unknown`; NotAuthentic
        `signature-wrong`.
        """
        after = read_bundle(files)
        before = self._active()
        if after.digest == before.digest:
            raise Conflict("wrong-state", "these rules are in force already")
        for statement in statements:
            if statement.to_digest != after.digest:
                raise Conflict("wrong-state", f"the statement of `{statement.officer}` is about other rules")
            if statement.from_digest != before.digest:
                raise Conflict(
                    "wrong-state",
                    f"the rules changed since `{statement.officer}` signed; compare and sign anew",
                )
        change = diff(before, after)
        with self._store.transaction() as tx:
            if tx.active_policy() != before.digest:
                raise Conflict("wrong-state", "the rules changed at this moment; compare and sign anew")
            officers = self._check(tx, statements, change)
            index = self._write(tx, files, before, after, change, statements, officers, order)
        return Activated(log_index=index, before=before.digest, after=after.digest, change=change)

    def _active(self) -> Bundle:
        activations = self._store.activations()
        if not activations:
            raise Conflict("wrong-state", "no rules are in force yet: start the broker once")
        return stored_bundle(self._store, activations[-1].digest)

    def _check(
        self, tx: Transaction, statements: Sequence[PolicyStatement], change: PolicyDiff
    ) -> Mapping[str, Officer]:
        now = self._clock()
        officers = tx.officers({statement.officer for statement in statements})
        parties = tx.parties({officer.organisation for officer in officers.values()})
        for statement in statements:
            officer = officers.get(statement.officer)
            if officer is None or not officer.active:
                raise NotPermitted("officer-unknown", where=statement.officer)
            party = parties.get(officer.organisation)
            if party is None or party.status is not PartyStatus.ACTIVE:
                raise NotPermitted("party-stopped", where=statement.officer)
            statement.verify(VerifyKey(officer.verify_key))
            check_age(statement, now)
        check_eyes(statements, officers, change)
        return officers

    def _write(
        self,
        tx: Transaction,
        files: Mapping[str, bytes],
        before: Bundle,
        after: Bundle,
        change: PolicyDiff,
        statements: Sequence[PolicyStatement],
        officers: Mapping[str, Officer],
        order: Mapping[str, object],
    ) -> int:
        step = Step(tx, self._clock(), [Needs()])
        logged = step.log(
            {
                "operation": "policy.activate",
                "policy": after.digest,
                "replaces": before.digest,
                "verdict": change.verdict.value,
                "statements": [
                    {
                        "act": statement.act.value,
                        "officer": statement.officer,
                        "organisation": officers[statement.officer].organisation,
                        "function": officers[statement.officer].function,
                        "statement": hashlib.sha256(statement.encode()).hexdigest(),
                    }
                    for statement in statements
                ],
                **order,
            }
        )
        row = Activation(log_index=logged.index, digest=after.digest, at_ms=step.now_ms)
        tx.activate_policy(row, pack(files))
        tx.commit()
        return logged.index


def check_age(statement: PolicyStatement, now: datetime) -> None:
    """A statement counts for ninety days. Raises InvalidInput `clock-skew`."""
    if not now - MAX_AGE <= statement.at <= now + CLOCK_TOLERANCE:
        raise InvalidInput("clock-skew", "a statement is too old or of the future", where="at")


def check_eyes(
    statements: Sequence[PolicyStatement], officers: Mapping[str, Officer], change: PolicyDiff
) -> None:
    """Four eyes: who proposed does not approve; what widens needs a legal and a privacy officer."""
    proposers = {item.officer for item in statements if item.act is Act.PROPOSE}
    approvers = {item.officer for item in statements if item.act is Act.APPROVE} - proposers
    if not proposers:
        raise Conflict("approvals-missing", "nobody proposed this change")
    if not approvers:
        raise Conflict("approvals-missing", "no other officer than the proposer approved this change")
    functions = {officers[name].function for name in proposers | approvers}
    wanted = {approval.function for approval in change.required_approvals if approval.function}
    if missing := wanted - functions:
        raise Conflict(
            "approvals-missing", f"the change lets more pass: a {min(missing)} officer must sign too"
        )
