# SPDX-License-Identifier: EUPL-1.2
"""What an officer may read about the rules: every activation, who signed, proposals, and counts of her exchanges.

Rules and who signed for them are no secret among officers. A draft is its officer's own. Counts and replays are of
the exchanges that she may see, as everywhere.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from broker.console.people import Officer, Role
from broker.policy.proposals import Signatory
from broker.policy.recent import Recent
from broker.storage.port import Activation, Store
from broker.storage.port import Officer as PolicyOfficer
from broker.storage.projected import EVERY, Days, Sight
from broker.storage.proposal_port import PolicyProposal
from sluis.errors import NotFound, NotPermitted
from sluis.policy.approval import PolicyStatement

MOST_PROPOSALS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """An activation as the log tells of it; `verdict` and `statements` are empty for the first rules."""

    activation: Activation
    entry: Mapping[str, Any]

    @property
    def at(self) -> datetime:
        """Since when."""
        return datetime.fromtimestamp(self.activation.at_ms / 1000, UTC)

    @property
    def verdict(self) -> str:
        """Wider, narrower, both or same."""
        return str(self.entry.get("verdict", ""))

    def signers(self, act: str) -> list[tuple[str, str]]:
        """Who signed to do this, with the function."""
        return [
            (item["officer"], item["function"])
            for item in self.entry.get("statements", ())
            if item["act"] == act
        ]


class PolicyReader:
    """The rules, as this officer may read them."""

    def __init__(self, store: Store, officer: Officer, may_see: Callable[[Mapping[str, Any]], bool]) -> None:
        self._store = store
        self._officer = officer
        self._may_see = may_see

    @property
    def signatory(self) -> Signatory:
        """Who signs, when she signs."""
        return Signatory(reference=self._officer.reference, organisation=self._officer.organisation)

    def versions(self) -> list[Version]:
        """Every activation, oldest first."""
        return [
            Version(activation=row, entry=self._content(row.log_index)) for row in self._store.activations()
        ]

    def active(self) -> str:
        """The digest of the rules that decide now, as the log has it. Raises NotFound when there are none."""
        rows = self._store.activations()
        if not rows:
            raise NotFound("not-found")
        return rows[-1].digest

    def archive(self, digest: str) -> bytes:
        """The files of rules that were activated. Raises NotFound."""
        found = self._store.policy_bundle(digest)
        if found is None:
            raise NotFound("not-found")
        return found

    def counts(self, first: date, last: date) -> Mapping[str, int]:
        """How many of her exchanges each rule decided, first and foremost."""
        if self._officer.role is Role.OPERATOR:
            return {}
        sight = Sight(self._officer.scope) if self._officer.scope else Sight.everything()
        days = Days(first, last)
        return self._store.exchange_index.facets(sight, EVERY, days).counts.get("rule", {})

    def recent(self, now: datetime, days: int) -> Recent:
        """Her decided exchanges of the last days."""
        return Recent(store=self._store, since=now - timedelta(days=days), admits=self._may_see)

    def officers(self) -> Mapping[str, PolicyOfficer]:
        """Whose signatures can change the rules, by name."""
        found: dict[str, PolicyOfficer] = {}
        while page := self._store.officer_page(max(found, default=""), 1_000):
            found |= {row.officer: row for row in page}
        return found

    def myself(self) -> PolicyOfficer | None:
        """Herself, when the operator enrolled her to sign."""
        row = self.officers().get(self._officer.reference)
        return row if row and row.active and row.organisation == self._officer.organisation else None

    def signing(self) -> PolicyOfficer:
        """Herself. Raises NotPermitted `officer-unknown` when she may not sign."""
        row = self.myself()
        if row is None:
            raise NotPermitted("officer-unknown")
        return row

    def proposals(self) -> list[PolicyProposal]:
        """What was proposed, newest first, and her own draft."""
        return [row for row in self._store.proposals.newest(MOST_PROPOSALS) if self._shown(row)]

    def proposal(self, proposal_id: str) -> PolicyProposal:
        """One proposal. Raises NotFound, also for a draft of somebody else."""
        row = self._store.proposals.proposal(proposal_id)
        if row is None or not self._shown(row):
            raise NotFound("not-found")
        return row

    def statements(self, proposal_id: str) -> Sequence[PolicyStatement]:
        """What was signed about it, in the order of the log."""
        rows = self._store.proposals.statements(proposal_id)
        return [PolicyStatement.parse(row.content) for row in rows]

    def _shown(self, row: PolicyProposal) -> bool:
        mine = (row.organisation, row.officer) == (self._officer.organisation, self._officer.reference)
        return mine or bool(self._store.proposals.statements(row.proposal_id))

    def _content(self, log_index: int) -> Mapping[str, Any]:
        row = self._store.log_row(log_index)
        found: Mapping[str, Any] = json.loads(row.entry) if row else {}
        return found
