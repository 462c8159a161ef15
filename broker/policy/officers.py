# SPDX-License-Identifier: EUPL-1.2
"""The officers whose signatures can change the rules: enrolled and retired by the operator, in the log.

An officer is a reference that only the organisation can resolve, with a function and an Ed25519 key of its own.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Self

from broker.step import Needs, Step
from broker.storage.port import Officer, PartyStatus, Store
from sluis.errors import Conflict, InvalidInput, NotFound, NotPermitted
from sluis.policy.approval import check_officer
from sluis.signing import VerifyKey

_PAGE = 1_000


class OfficerFunction(StrEnum):
    """For what an officer answers."""

    PRIVACY = "privacy"
    LEGAL = "legal"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a function. Raises InvalidInput `unknown-value`."""
        try:
            return cls(text)
        except ValueError:
            known = " or ".join(cls)
            raise InvalidInput(
                "unknown-value", f"an officer's function is {known}", where="function"
            ) from None


class Officers:
    """Enrols and retires officers, straight on the store."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    def enrol(self, name: str, organisation: str, function: OfficerFunction, key: VerifyKey) -> Officer:
        """Let an officer of an active participant sign from now on.

        Raises Conflict `key-exists` for a name or key that is taken (a retired name stays taken: its signatures
        stand in the log), NotPermitted `party-unknown` or `party-stopped`, InvalidInput for a malformed name.
        """
        check_officer(name)
        if any(row.verify_key == key.raw for row in self.all()):
            raise Conflict("key-exists", "another officer has this key; each signs with a key of its own")
        with self._store.transaction() as tx:
            step = Step(tx, self._clock(), [Needs(parties=frozenset({organisation}))])
            party = step.party(organisation)
            if party is None:
                raise NotPermitted("party-unknown")
            if party.status is not PartyStatus.ACTIVE:
                raise NotPermitted("party-stopped")
            if tx.officers([name]):
                raise Conflict("key-exists", f"there is an officer `{name}` already")
            logged = step.log(
                {
                    "operation": "officer.enrol",
                    "officer": name,
                    "organisation": organisation,
                    "function": function.value,
                    "key": hashlib.sha256(key.raw).hexdigest(),
                }
            )
            row = Officer(
                officer=name,
                organisation=organisation,
                function=function.value,
                verify_key=key.raw,
                active=True,
                log_index=logged.index,
            )
            tx.put_officer(row)
            tx.commit()
        return row

    def retire(self, name: str, reason: str) -> None:
        """End an officer's power to sign. Raises NotFound."""
        with self._store.transaction() as tx:
            step = Step(tx, self._clock(), [])
            known = tx.officers([name]).get(name)
            if known is None or not known.active:
                raise NotFound("not-found", "no active officer has this name", where="officer")
            logged = step.log({"operation": "officer.retire", "officer": name, "reason": reason})
            tx.put_officer(
                Officer(
                    officer=name,
                    organisation=known.organisation,
                    function=known.function,
                    verify_key=known.verify_key,
                    active=False,
                    log_index=logged.index,
                )
            )
            tx.commit()

    def all(self) -> list[Officer]:
        """Every officer, retired ones too."""
        found: list[Officer] = []
        while page := self._store.officer_page(found[-1].officer if found else "", _PAGE):
            found += page
        return found
