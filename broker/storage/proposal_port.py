# SPDX-License-Identifier: EUPL-1.2
"""What the store keeps of proposed rules: the files as uploaded, and the statements that officers signed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyProposal:
    """Uploaded rules, packed (`sluis.policy.archive`); `cases` is how many came out as written."""

    proposal_id: str
    organisation: str
    officer: str
    from_digest: str
    to_digest: str
    content: bytes
    cases: int
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedStatement:
    """A statement as signed (`sluis.policy.approval`), and the entry of the log that tells of it."""

    proposal_id: str
    officer: str
    act: str
    content: bytes
    log_index: int


class ProposalStore(Protocol):
    """Reads beside the log's transaction."""

    def proposal(self, proposal_id: str) -> PolicyProposal | None: ...
    def newest(self, limit: int) -> Sequence[PolicyProposal]:
        """The newest ones first, drafts among them."""
        ...

    def statements(self, proposal_id: str) -> Sequence[SignedStatement]:
        """What was signed about a proposal, in the order of the log."""
        ...
