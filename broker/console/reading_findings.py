# SPDX-License-Identifier: EUPL-1.2
"""What an officer may read of findings and of exchanges as a whole: hers, or those of all for the authority."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from broker.console.people import Officer, Role
from broker.oversight.findings import Finding
from broker.oversight.population import is_private_of, population
from broker.oversight.reviewing import Population, finding_of
from broker.oversight.yearly import Year, count_year
from broker.storage.finding_port import DrawRow
from broker.storage.port import Store
from broker.storage.projected import EVERY, Days, ExchangeRow, Facets, Filter, Results, Sight
from sluis.errors import NotFound, NotPermitted
from sluis.policy.bundle import Bundle

PAGE = 200


class Oversight:
    """Findings and the index of exchanges in one officer's sight. Raises NotPermitted for an operator."""

    def __init__(self, store: Store, officer: Officer) -> None:
        if officer.role is Role.OPERATOR:
            raise NotPermitted("not-your-role")
        self._store = store
        self._scope = officer.scope
        self._sight = Sight(officer.scope) if officer.scope else Sight.everything()

    # findings

    def findings(self, state: str, before: int, limit: int) -> list[Finding]:
        """Findings, those about the newest exchange first."""
        return [finding_of(row) for row in self._store.findings.page(self._scope, state, before, limit)]

    def finding(self, finding_id: str) -> Finding:
        """One finding. Raises NotFound also for one of another organisation."""
        row = self._store.findings.one(self._scope, finding_id)
        if row is None:
            raise NotFound("not-found")
        return finding_of(row)

    def about(self, subjects: Collection[str]) -> Mapping[str, str]:
        """The ids of her findings by what they are about."""
        return self._store.findings.about(self._scope, subjects)

    def counts(self) -> Mapping[str, int]:
        """How many findings are in each state."""
        return self._store.findings.counts(self._scope)

    def draws(self) -> Sequence[DrawRow]:
        """Every draw, oldest first."""
        return self._store.findings.draws(self._scope)

    def population(self, bundle: Bundle) -> Population:
        """What the next draw is from."""
        draws = self.draws()
        first = draws[-1].end_index if draws else 0
        index = self._store.exchange_index
        return population(index, self._sight, first, bundle, is_private_of(bundle, self.roles()))

    # exchanges

    def roles(self) -> dict[str, str]:
        """The role of every participant."""
        found: dict[str, str] = {}
        after = ""
        while page := self._store.party_page(after, PAGE, ""):
            found |= {row.oin: row.role for row in page}
            after = page[-1].oin
        return found

    def facets(self, chosen: Filter, days: Days | None) -> Facets:
        """Counts by facet."""
        return self._store.exchange_index.facets(self._sight, chosen, days)

    def matrix(self, days: Days | None, chosen: Filter = EVERY) -> Mapping[tuple[str, str], Results]:
        """Who sent how much to whom."""
        return self._store.exchange_index.matrix(self._sight, days, chosen)

    def rows(self, chosen: Filter, days: Days | None, limit: int) -> list[ExchangeRow]:
        """Up to so many rows, newest first."""
        found: list[ExchangeRow] = []
        before: int | None = None
        while len(found) < limit:
            page = self._store.exchange_index.exchanges(
                self._sight, chosen, days, before, min(PAGE, limit - len(found))
            )
            if not page:
                break
            found += page
            before = page[-1].log_index
        return found

    def year(self, days: Days) -> Year:
        """The numbers of a year, over all. Raises NotPermitted for who may not see all."""
        if self._scope:
            raise NotPermitted("not-your-role")
        return count_year(self._store, days)

    def exchange(self, exchange: str) -> Sequence[ExchangeRow]:
        """All entries of one exchange. Raises NotFound also for one that is not hers."""
        found = self._store.exchange_index.exchange(self._sight, exchange)
        if not found:
            raise NotFound("not-found")
        return found


def days_of(first: str, last: str) -> Days | None:
    """A range of days from filters; None when neither is chosen. Raises InvalidInput."""
    if not first and not last:
        return None
    return Days(date.fromisoformat(first or "2000-01-01"), date.fromisoformat(last or "2999-12-31"))
