# SPDX-License-Identifier: EUPL-1.2
"""Proposed rules on SQLite and PostgreSQL: see `proposal_port.py`."""

from collections.abc import Sequence

from sqlalchemy import select

from broker.storage.engines import Engines, session
from broker.storage.proposal_port import PolicyProposal, SignedStatement
from broker.storage.queries import TABLES


class ProposalRows:
    """The `ProposalStore` of the port; any thread may call it."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    def proposal(self, proposal_id: str) -> PolicyProposal | None:
        """One proposal or draft."""
        table = TABLES["policy_proposal"]
        with session(self._engines.reader) as connection:
            row = connection.execute(select(*table.c).where(table.c.proposal_id == proposal_id)).first()
        return None if row is None else PolicyProposal(**row._asdict())

    def newest(self, limit: int) -> Sequence[PolicyProposal]:
        """The newest ones first."""
        table = TABLES["policy_proposal"]
        query = select(*table.c).order_by(table.c.at_ms.desc(), table.c.proposal_id).limit(max(limit, 0))
        with session(self._engines.reader) as connection:
            return [PolicyProposal(**row._asdict()) for row in connection.execute(query)]

    def statements(self, proposal_id: str) -> Sequence[SignedStatement]:
        """What was signed about a proposal, in the order of the log."""
        table = TABLES["policy_statement"]
        query = select(*table.c).where(table.c.proposal_id == proposal_id).order_by(table.c.log_index)
        with session(self._engines.reader) as connection:
            return [SignedStatement(**row._asdict()) for row in connection.execute(query)]
