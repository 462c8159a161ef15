# SPDX-License-Identifier: EUPL-1.2
"""Agreements and their rules, as a privacy lawyer reads them in `policies/agreements/`.

A permit names parties, kind, purpose and fields and matches only while every condition is proven.
A prohibition matches unless a condition is disproven; with `categories` or `fields` it withholds those
fields, without them it stops the whole exchange. `draft` rules never decide; `assumed` ones do, and say so.
Dates are days in Europe/Amsterdam, both inclusive.
"""

from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, StringConstraints, Tag, model_validator

from sluis.policy.catalog import ArticleNumber, Category, Sector
from sluis.policy.schema import Code, Entry, IsoDate, Period, Prose, Term, Terms, WholeNumber, once


class Operation(StrEnum):
    """What a request is about to do."""

    PUSH = "push"
    QUESTION = "question"
    RELEASE = "release"
    REGISTER = "register"


# Only these carry sealed fields; a question and a register carry pseudonyms.
WITH_FIELDS = frozenset({Operation.PUSH, Operation.RELEASE})


class Status(StrEnum):
    """How firmly a rule stands."""

    IN_FORCE = "in-force"
    ASSUMED = "assumed"
    DRAFT = "draft"


class RuleEffect(StrEnum):
    """What a matching rule does."""

    PERMIT = "permit"
    PROHIBIT = "prohibit"


class Notice(StrEnum):
    """Whether the recipient tells the subject."""

    MAY = "may-inform"
    MUST = "must-inform"
    MUST_NOT = "must-not-inform"


class LegalBasis(Entry):
    """The article a rule rests on, and why it bears the rule."""

    gdpr: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,2}(\([0-9]{1,2}\))?(\([a-j]\))?$")]
    law: Term
    article: ArticleNumber
    paragraph: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,2}[a-z]?$")] | None = None
    part: Annotated[str, StringConstraints(pattern=r"^[a-z]$")] | None = None
    juriconnect: Annotated[
        str, StringConstraints(pattern=r"^jci1\.3:c:BWBR[0-9]{7}(&[a-z]+=[0-9A-Za-z:.-]+)+$")
    ]
    explanation: Prose

    @cached_property
    def citation(self) -> str:
        """Short form, such as `Waadi 14b(3)(b)`."""
        return f"{self.law} {self.article}" + "".join(
            f"({step})" for step in (self.paragraph, self.part) if step is not None
        )


class Obligations(Entry):
    """What the recipient takes upon itself."""

    retention: Period
    retention_after_loss: Period | None = None
    handling: Literal["H0", "H1", "H2", "H3", "H4"]
    notice: Notice


class _Condition(Entry):
    dutch: Prose
    otherwise: Code


class ProvisionListed(_Condition):
    """The claimed value is one of a list."""

    claim: Term
    one_of: Terms = Field(min_length=1)


class NotOlder(_Condition):
    """The claimed date lies at most so many years back."""

    claim: Term
    not_older_than_years: WholeNumber = Field(ge=1)


class FactProven(_Condition):
    """The fact is proven."""

    fact: Term


class SameParty(_Condition):
    """Sender and recipient are one party: it acts in its own pseudonymisation domain."""

    same_party: Literal["true"]


class DeliveryIs(_Condition):
    """A push goes to the recipient in this way."""

    delivery: Literal["mailbox", "on_match"]


_KEYS = ("one_of", "not_older_than_years", "fact", "same_party", "delivery")


def _sort_of_condition(value: object) -> str | None:
    return next((key for key in _KEYS if isinstance(value, dict) and key in value), None)


Condition = Annotated[
    Annotated[ProvisionListed, Tag("one_of")]
    | Annotated[NotOlder, Tag("not_older_than_years")]
    | Annotated[FactProven, Tag("fact")]
    | Annotated[SameParty, Tag("same_party")]
    | Annotated[DeliveryIs, Tag("delivery")],
    Discriminator(
        _sort_of_condition,
        custom_error_type="condition",
        custom_error_message=f"a condition has one of: {', '.join(_KEYS)}",
    ),
]


class Rule(Entry):
    """One rule. Empty lists of a prohibition mean: any."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,79}$")]
    title: Prose
    effect: RuleEffect
    status: Status
    valid_from: IsoDate
    valid_until: IsoDate | None = None
    operations: Annotated[frozenset[Operation], BeforeValidator(once)] = Field(min_length=1)
    sender_roles: Terms = frozenset()
    recipient_roles: Terms = frozenset()
    recipient_sectors: Annotated[frozenset[Sector], BeforeValidator(once)] = frozenset()
    kinds: Terms = frozenset()
    purposes: Terms = frozenset()
    fields: Terms = frozenset()
    categories: Annotated[frozenset[Category], BeforeValidator(once)] = frozenset()
    conditions: tuple[Condition, ...] = ()
    code: Code | None = None
    obligations: Obligations | None = None
    legal_basis: Annotated[tuple[LegalBasis, ...], Field(min_length=1)]
    explanation: Prose

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.valid_until is not None and self.valid_until < self.valid_from:
            raise ValueError("the rule ends before it begins")
        if self.effect is RuleEffect.PERMIT:
            self._check_permit()
        elif self.code is None or self.obligations is not None:
            raise ValueError("a prohibition has a `code` and no `obligations`")
        return self

    def _check_permit(self) -> None:
        for name in ("sender_roles", "recipient_roles", "kinds", "purposes"):
            if not getattr(self, name):
                raise ValueError(f"a permit needs `{name}`")
        if self.code or self.categories or self.recipient_sectors:
            raise ValueError("`code`, `categories` and `recipient_sectors` belong to prohibitions")
        if self.obligations is None:
            raise ValueError("a permit needs `obligations`")
        with_fields = self.operations <= WITH_FIELDS
        if not with_fields and self.operations & WITH_FIELDS:
            raise ValueError("push and release do not go together with question or register in one rule")
        if with_fields != bool(self.fields):
            raise ValueError("`fields` are needed for push and release, and for nothing else")

    def holds_on(self, day: date) -> bool:
        """Whether the day lies in the rule's period."""
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)

    @property
    def withholds_fields(self) -> bool:
        """True for a prohibition of certain fields, false for one of the whole exchange."""
        return bool(self.fields or self.categories)


class Agreement(Entry):
    """A file of rules. One that applies to every agreement may only prohibit."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    title: Prose
    explanation: Prose
    applies_to: Literal["this-agreement", "every-agreement"] = "this-agreement"
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]

    @property
    def is_general(self) -> bool:
        """Whether its prohibitions stand above every agreement."""
        return self.applies_to == "every-agreement"
