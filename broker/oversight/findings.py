# SPDX-License-Identifier: EUPL-1.2
"""A finding: something that an officer looks at, and how she concludes.

    open ──assign──▶ assigned ──conclude──▶ concluded
                        ▲            └─ where four eyes are due ─▶ proposed ──confirm, by another──▶ concluded
                        └──────────── send back, by another ────────┘

Four eyes are due for a conclusion that something is wrong, and for the most severe signals. Every step is an entry of
the log (`reviewing.py`). A finding belongs to one organisation, or to the authority when `organisation` is empty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from broker.oversight.sampling import Ground
from sluis.errors import Conflict, InvalidInput, NotPermitted


class State(StrEnum):
    """How far a finding is."""

    OPEN = "open"
    ASSIGNED = "assigned"
    PROPOSED = "proposed"
    CONCLUDED = "concluded"


class Conclusion(StrEnum):
    """What an officer concluded."""

    IN_ORDER = "in-order"
    REMARK = "remark"
    RULE_UNCLEAR = "rule-unclear"
    NOT_IN_ORDER = "not-in-order"
    BREACH = "breach"

    @classmethod
    def parse(cls, text: str) -> "Conclusion":
        """Read a code. Raises InvalidInput `malformed-request`."""
        try:
            return cls(text)
        except ValueError:
            raise InvalidInput("malformed-request", "choose a conclusion", where="conclusion") from None


WRONG = frozenset({Conclusion.NOT_IN_ORDER, Conclusion.BREACH})


class Anomaly(Protocol):
    """Something unusual in the log: a code, a sentence, and the addresses of pages that show it."""

    @property
    def code(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def links(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`subject` tells what it is about, once for each organisation; `about` what a page says of it."""

    finding_id: str
    organisation: str
    subject: str
    ground: Ground
    log_index: int
    opened_at_ms: int
    about: Mapping[str, str] = field(default_factory=dict)
    state: State = State.OPEN
    reviewer: str = ""
    second_reviewer: str = ""
    conclusion: Conclusion | None = None
    reason: str = ""

    def four_eyes(self, conclusion: Conclusion) -> bool:
        """Whether another officer must confirm this conclusion."""
        return conclusion in WRONG or self.ground is Ground.SEVERITY

    def assigned(self, reviewer: str) -> "Finding":
        """Give it to an officer. Raises Conflict `wrong-state`."""
        self._must_be(State.OPEN, State.ASSIGNED)
        return replace(self, state=State.ASSIGNED, reviewer=reviewer)

    def concluded(self, by: str, conclusion: Conclusion, reason: str) -> "Finding":
        """Conclude it, or propose to. Raises Conflict `wrong-state`, NotPermitted `not-your-role`."""
        self._must_be(State.ASSIGNED)
        if by != self.reviewer:
            raise NotPermitted("not-your-role", "only the officer to whom it is assigned concludes")
        due = self.four_eyes(conclusion)
        return replace(
            self,
            state=State.PROPOSED if due else State.CONCLUDED,
            conclusion=conclusion,
            reason=reason,
            second_reviewer="",
        )

    def confirmed(self, by: str) -> "Finding":
        """Confirm another's conclusion. Raises Conflict `wrong-state`, NotPermitted `not-your-role`."""
        self._second(by)
        return replace(self, state=State.CONCLUDED, second_reviewer=by)

    def sent_back(self, by: str) -> "Finding":
        """Send another's conclusion back to her. Raises Conflict `wrong-state`, NotPermitted `not-your-role`."""
        self._second(by)
        return replace(self, state=State.ASSIGNED, second_reviewer="", conclusion=None, reason="")

    def _second(self, by: str) -> None:
        self._must_be(State.PROPOSED)
        if by == self.reviewer:
            raise NotPermitted("not-your-role", "the second officer is another than the first")

    def _must_be(self, *states: State) -> None:
        if self.state not in states:
            raise Conflict("wrong-state", f"this finding is {self.state.value}")
