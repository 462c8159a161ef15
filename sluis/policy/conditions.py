# SPDX-License-Identifier: EUPL-1.2
"""The conditions of a rule, each recognised by the one key that only it has.

    {claim: provision, one_of: [WML 7]}                the claimed value is in the list
    {claim: decided_on, not_older_than_years: 2}       the claimed day lies at most so far back
    {claim: keep_until, not_passed: "true"}            the claimed day is today or later
    {claim: notified_on, working_days_passed: 10}      so many working days lie between the claimed day and today
    {fact: certificate_valid}                          the fact is proven
    {without_fact: written_demand}                     the fact is not proven; for prohibitions
    {same_party: "true"}                               sender and recipient are one party
    {delivery: on_match}                               how a push reaches its recipient
    {partnership: [lsi]}                               both are members of the partnership that is claimed
    {counter: persons_today, at_most: 50}              so many subjects a day, this one included
    {subjects_at_most: 1}                              so many subjects in one request

Every condition has a `dutch` sentence and an `otherwise`: the reason when it does not hold.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag

from sluis.policy.schema import Code, Entry, Prose, Term, Terms, WholeNumber


class _Condition(Entry):
    dutch: Prose
    otherwise: Code


class ClaimListed(_Condition):
    """The claimed value is one of a list."""

    claim: Term
    one_of: Terms = Field(min_length=1)


class NotOlder(_Condition):
    """The claimed date lies at most so many years back."""

    claim: Term
    not_older_than_years: WholeNumber = Field(ge=1)


class NotPassed(_Condition):
    """The claimed date is today or later."""

    claim: Term
    not_passed: Literal["true"]


class WorkingDaysPassed(_Condition):
    """At least so many working days lie between the claimed date and today."""

    claim: Term
    working_days_passed: WholeNumber = Field(ge=1, le=60)


class FactProven(_Condition):
    """The fact is proven."""

    fact: Term


class FactMissing(_Condition):
    """The fact is not proven. In a prohibition: it applies unless somebody proves the fact."""

    without_fact: Term


class SameParty(_Condition):
    """Sender and recipient are one party: it acts in its own pseudonymisation domain."""

    same_party: Literal["true"]


class DeliveryIs(_Condition):
    """A push goes to the recipient in this way."""

    delivery: Literal["mailbox", "on_match"]


class InPartnership(_Condition):
    """The claim `partnership` names one of these, it stands today, and both parties are members."""

    partnership: Terms = Field(min_length=1)


class CountedAtMost(_Condition):
    """With this request, the counter stays at or below a number."""

    counter: Term
    at_most: WholeNumber = Field(ge=1)


class SubjectsAtMost(_Condition):
    """The request is about at most so many subjects."""

    subjects_at_most: WholeNumber = Field(ge=1)


_KEYS = (
    "one_of",
    "not_older_than_years",
    "not_passed",
    "working_days_passed",
    "fact",
    "without_fact",
    "same_party",
    "delivery",
    "partnership",
    "counter",
    "subjects_at_most",
)


def _sort_of_condition(value: object) -> str | None:
    return next((key for key in _KEYS if isinstance(value, dict) and key in value), None)


Condition: TypeAlias = Annotated[
    Annotated[ClaimListed, Tag("one_of")]
    | Annotated[NotOlder, Tag("not_older_than_years")]
    | Annotated[NotPassed, Tag("not_passed")]
    | Annotated[WorkingDaysPassed, Tag("working_days_passed")]
    | Annotated[FactProven, Tag("fact")]
    | Annotated[FactMissing, Tag("without_fact")]
    | Annotated[SameParty, Tag("same_party")]
    | Annotated[DeliveryIs, Tag("delivery")]
    | Annotated[InPartnership, Tag("partnership")]
    | Annotated[CountedAtMost, Tag("counter")]
    | Annotated[SubjectsAtMost, Tag("subjects_at_most")],
    Discriminator(
        _sort_of_condition,
        custom_error_type="condition",
        custom_error_message=f"a condition has one of: {', '.join(_KEYS)}",
    ),
]
