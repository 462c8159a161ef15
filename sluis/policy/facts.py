# SPDX-License-Identifier: EUPL-1.2
"""Facts that rules ask for, each with the one source that may prove it (`policies/catalog/facts.yaml`).

    register   the broker looks it up in a register, in the pseudonymisation domain of the recipient
    sender     a named person at the sender states it, with function, time and a reason from a list
    officer    likewise, by an officer whose function may do so; with `persons: 2` by two of them (four eyes)
    counter    the broker counts, in the transaction of the log

A statement travels as a claim under the fact's name, signed with the header; two of them with a comma between:

    fg-2@00000001003214345000;privacy-officer;2026-11-25T09:30Z;WORKER_NOT_HARMED

The person is a reference that only the organisation can resolve, never a name.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Discriminator, Field, Tag, model_validator

from sluis.errors import InvalidInput
from sluis.policy.schema import Code, Labelled, Term, Terms, WholeNumber

_STATEMENT = re.compile(
    r"(?P<person>[A-Za-z0-9-]{1,12})@(?P<organisation>[0-9]{20});(?P<function>[a-z][a-z-]{1,21});"
    r"(?P<at>[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}Z);(?P<reason>[A-Z][A-Z_]{2,23})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a person at an organisation states, and why."""

    person: str
    organisation: str
    function: str
    at: datetime
    reason: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one statement in its only form. Raises InvalidInput `malformed-request`."""
        match = _STATEMENT.fullmatch(text)
        if match is None:
            raise InvalidInput("malformed-request", "a statement is person@oin;function;time;REASON")
        try:
            at = datetime.fromisoformat(match["at"])
        except ValueError:
            raise InvalidInput("malformed-request", "the time of a statement does not exist") from None
        return cls(
            person=match["person"],
            organisation=match["organisation"],
            function=match["function"],
            at=at,
            reason=match["reason"],
        )

    def __str__(self) -> str:
        return f"{self.person}@{self.organisation};{self.function};{self.at:%Y-%m-%dT%H:%M}Z;{self.reason}"


@lru_cache(maxsize=64)  # one decision asks for the same statements several times
def parse_statements(text: str) -> tuple[Statement, ...]:
    """Read one or two statements. Raises InvalidInput `malformed-request`."""
    parts = text.split(",")
    if len(parts) > 2:
        raise InvalidInput("malformed-request", "at most two statements")
    return tuple(Statement.parse(part) for part in parts)


class RegisterFact(Labelled):
    """A fact that only a register proves, in the pseudonymisation domain of the recipient."""

    proof: Literal["register"] = Field(alias="source")
    register_name: Term = Field(alias="register")
    owner_role: Term
    domain: Literal["recipient"]

    @property
    def source(self) -> str:
        """How a `Fact` names this register as its source."""
        return f"register:{self.register_name}"


class StatedFact(Labelled):
    """A fact on the word of persons at the sender, each with a function of the list and a reason of the list.

    A statement counts for `valid_days` days after its time, and never before it.
    """

    proof: Literal["sender", "officer"] = Field(alias="source")
    functions: Terms = Field(min_length=1)
    reasons: dict[Code, Labelled] = Field(min_length=1)
    valid_days: Annotated[WholeNumber, Field(ge=1)]
    persons: Annotated[WholeNumber, Field(ge=1, le=2)] = 1

    @model_validator(mode="after")
    def _can_be_stated(self) -> Self:
        """A function or reason that does not fit into a statement could never prove anything."""
        for function in sorted(self.functions):
            for reason in self.reasons:
                if not self.fits(f"a@{'0' * 20};{function};2026-01-01T00:00Z;{reason}"):
                    raise ValueError(f"a statement cannot say `{function}` with `{reason}`; shorten them")
        return self

    def fits(self, value: str) -> bool:
        """Whether a claim under this fact's name has the form of statements."""
        try:
            parse_statements(value)
        except InvalidInput:
            return False
        return True


class CounterFact(Labelled):
    """How many subjects passed today, in Dutch time, by rules that ask for this counter."""

    proof: Literal["counter"] = Field(alias="source")
    per: Literal["sender", "sender-and-recipient"]
    window: Literal["day"]


def _proof(value: object) -> str | None:
    source = value.get("source") if isinstance(value, dict) else None
    return source if isinstance(source, str) else None


FactSpec: TypeAlias = Annotated[
    Annotated[RegisterFact, Tag("register")]
    | Annotated[StatedFact, Tag("sender")]
    | Annotated[StatedFact, Tag("officer")]
    | Annotated[CounterFact, Tag("counter")],
    Discriminator(
        _proof,
        custom_error_type="fact_source",
        custom_error_message="`source` is one of: register, sender, officer, counter",
    ),
]
