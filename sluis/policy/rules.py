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
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from sluis.policy.catalog import Category, Sector
from sluis.policy.conditions import Condition
from sluis.policy.laws import ArticleNumber
from sluis.policy.schema import Code, Entry, IsoDate, Period, Prose, Term, Terms, once


class Operation(StrEnum):
    """What a request is about to do."""

    PUSH = "push"
    QUESTION = "question"
    WATCH = "watch"
    RELEASE = "release"
    REGISTER = "register"
    ASK = "ask"
    ANSWER = "answer"


# Only these carry sealed fields; a question, a watch list and a register carry pseudonyms, ask and answer (about a
# signal) codes.
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
    juriconnect: (
        Annotated[str, StringConstraints(pattern=r"^jci1\.3:c:BWBR[0-9]{7}(&[a-z]+=[0-9A-Za-z:.-]+)+$")]
        | None
    ) = None
    eli: (
        Annotated[
            str,
            StringConstraints(
                pattern=r"^http://data\.europa\.eu/eli/reg/[0-9]{4}/[0-9]+/art_[0-9]+(/par_[0-9]+)?$"
            ),
        ]
        | None
    ) = None
    explanation: Prose

    @model_validator(mode="after")
    def _has_one_reference(self) -> Self:
        if (self.juriconnect is None) == (self.eli is None):
            raise ValueError("a legal basis has either `juriconnect` (Dutch law) or `eli` (Union law)")
        return self

    @property
    def reference(self) -> str:
        """Where the text stands: juriconnect or ELI."""
        return self.juriconnect or self.eli or ""

    @cached_property
    def citation(self) -> str:
        """Short form, such as `Waadi 14b(3)(b)`."""
        return f"{self.law} {self.article}" + "".join(
            f"({step})" for step in (self.paragraph, self.part) if step is not None
        )


# UAVG 41(1): the interests for which telling the subject may be put off, such as `41(1)(d)`.
DelayGround: TypeAlias = Annotated[str, StringConstraints(pattern=r"^41\(1\)\([a-j]\)$")]


class Obligations(Entry):
    """What the recipient takes upon itself. Grounds of delay are for a person to invoke, never automatic."""

    retention: Period
    retention_after_loss: Period | None = None
    handling: Literal["H0", "H1", "H2", "H3", "H4"]
    notice: Notice
    notice_within: Period | None = None
    feedback_within: Period | None = None
    delay_grounds: Annotated[frozenset[DelayGround], BeforeValidator(once)] = frozenset()

    @model_validator(mode="after")
    def _notice_is_whole(self) -> Self:
        if (self.notice is Notice.MUST) != (self.notice_within is not None):
            raise ValueError("`notice_within` goes with `notice: must-inform`")
        if self.delay_grounds and self.notice is Notice.MAY:
            raise ValueError("`delay_grounds` belong to a duty to inform, or not to inform")
        return self


ExchangeId: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[EX][0-9]{2}$")]


class Rule(Entry):
    """One rule. Empty lists of a prohibition mean: any. `exchanges` names the exchanges (E..) or refusals (X..)
    of the domain that the rule is there for.
    """

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,79}$")]
    title: Prose
    exchanges: Annotated[tuple[ExchangeId, ...], BeforeValidator(once)] = ()
    effect: RuleEffect
    status: Status
    valid_from: IsoDate
    valid_until: IsoDate | None = None
    operations: Annotated[frozenset[Operation], BeforeValidator(once)] = Field(min_length=1)
    sender_roles: Terms = frozenset()
    sender_sectors: Annotated[frozenset[Sector], BeforeValidator(once)] = frozenset()
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
        if self.code or self.categories or self.recipient_sectors or self.sender_sectors:
            raise ValueError("`code`, `categories` and sectors belong to prohibitions")
        if self.obligations is None:
            raise ValueError("a permit needs `obligations`")
        with_fields = self.operations <= WITH_FIELDS
        if not with_fields and self.operations & WITH_FIELDS:
            raise ValueError("push and release do not go together with other operations in one rule")
        if self.obligations.feedback_within and not with_fields:
            raise ValueError("`feedback_within` is for what a signal brings: push and release")
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
