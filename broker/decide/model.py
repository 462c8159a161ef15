# SPDX-License-Identifier: EUPL-1.2
"""What is decided, and the decision.

A `Request` is all that a decision depends on besides the rules: no clock, no database. A `Decision` is
language-free: codes with parameters, names of fields and rules, never a value; reasons most decisive first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import MAXYEAR, MINYEAR, datetime
from enum import StrEnum
from types import MappingProxyType

from sluis.errors import InvalidInput
from sluis.policy.rules import Operation

_NOTHING: Mapping[str, str] = MappingProxyType({})


class Effect(StrEnum):
    """Whether the exchange may go on."""

    PERMIT = "permit"
    DENY = "deny"


class FactState(StrEnum):
    """What is known of a fact or condition."""

    PROVEN = "proven"
    DISPROVEN = "disproven"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A participant; one that nobody knows has an empty role and sector."""

    oin: str
    role: str
    sector: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A fact, where it was found, and who vouches for it.

    `source` is as `FactSpec.source` writes it, for example `register:certificates`; a fact from another
    source, or by a party whose role may not vouch for it, counts as unknown.
    """

    state: FactState
    source: str
    asserter: Party | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An exchange that is about to happen. Raises InvalidInput `malformed-request`.

    `claims` holds what the sender signed in the header, statements of persons among them; `facts` only what
    the broker found in registers.
    """

    operation: Operation
    sender: Party
    recipient: Party
    agreement: str
    kind: str
    purpose: str
    fields: tuple[tuple[str, str], ...]  # name and category as declared
    at: datetime
    claims: Mapping[str, str] = field(default_factory=dict, hash=False)
    facts: Mapping[str, Fact] = field(default_factory=dict, hash=False)
    counters: Mapping[str, int] = field(default_factory=dict, hash=False)  # before this request
    subjects: int = 1
    delivery: str = ""
    strict: bool = False

    def __post_init__(self) -> None:
        if self.at.tzinfo is None or self.at.utcoffset() is None:
            raise InvalidInput("malformed-request", "the time of a request must have a zone", where="at")
        if not MINYEAR < self.at.year < MAXYEAR:  # elsewhere a day in Amsterdam may not exist
            raise InvalidInput("malformed-request", "the time of a request is out of reach", where="at")
        if len({name for name, _ in self.fields}) != len(self.fields):
            raise InvalidInput("malformed-request", "a field stands there twice", where="fields")
        if self.subjects < 0 or any(count < 0 for count in self.counters.values()):
            raise InvalidInput("malformed-request", "a number of subjects is below zero", where="subjects")
        try:
            object.__setattr__(self, "operation", Operation(self.operation))
        except ValueError:
            raise InvalidInput("malformed-request", "the operation is not known", where="operation") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRef:
    """A rule that contributed: `basis` holds its articles, such as `Waadi 14b(1)`."""

    id: str
    status: str
    basis: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why not, as a code of the catalogue with parameters."""

    code: str
    params: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Withheld:
    """A field that does not pass, and the rule that says so (empty: no rule lets it pass)."""

    name: str
    code: str
    rule_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The outcome. Every requested field of the catalogue is either released or withheld."""

    effect: Effect
    policy_digest: str
    rules: tuple[RuleRef, ...] = ()
    reasons: tuple[Reason, ...] = ()
    released: tuple[str, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    obligations: Mapping[str, str] = field(default_factory=dict, hash=False)
    assumed: bool = False

    def denied(self, code: str, params: Mapping[str, str] = _NOTHING) -> "Decision":
        """The same decision turned into a denial for a reason outside the rules, such as a stop."""
        return replace(
            self,
            effect=Effect.DENY,
            reasons=(Reason(code, params), *self.reasons),
            released=(),
            withheld=(*self.withheld, *(Withheld(name, code) for name in self.released)),
            obligations=_NOTHING,
        )
