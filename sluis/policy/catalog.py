# SPDX-License-Identifier: EUPL-1.2
"""The catalogue: every word that a rule or a request may use. What is not in it does not exist.

One file for each sort of word in `policies/catalog/`: roles, fields, kinds, purposes, facts, claims, laws,
reasons. A file `roles.yaml` holds one key `roles` with the words below it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from sluis.errors import InvalidInput
from sluis.policy.schema import Code, Entry, IsoDate, Prose, Sequence, Term, WholeNumber, read, read_date
from sluis.policy.yaml_strict import Document

FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
ArticleNumber = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}(:[0-9]{1,3})?[a-z]{0,2}$")]

# Codes that the engine itself gives; `reasons.yaml` must have a text for each.
ENGINE_CODES = frozenset(
    {
        "UNKNOWN_PARTY",
        "UNKNOWN_AGREEMENT",
        "UNKNOWN_KIND",
        "UNKNOWN_PURPOSE",
        "UNKNOWN_FIELD",
        "UNKNOWN_CLAIM",
        "CLAIM_MALFORMED",
        "CATEGORY_MISMATCH",
        "NO_FIELDS",
        "NO_RULE",
        "FIELD_NOT_LISTED",
        "STRICT",
        "RULE_STOPPED",
        "ENGINE_ERROR",
    }
)


class Sector(StrEnum):
    """Whether a role belongs to public authority."""

    PUBLIC = "public"
    PRIVATE = "private"


class Category(StrEnum):
    """What sort of data a field holds; a sole trader's organisation data are personal data too."""

    ORGANISATION = "organisation"
    PERSONAL = "personal"
    BSN = "bsn"
    SPECIAL = "special"
    CRIMINAL = "criminal"
    ADDRESS = "address"
    META = "meta"


class Mark(StrEnum):
    """How well we know the text of an article: read today, read in a 2017 text, recalled, or assumed."""

    VERIFIED = "verified"
    TEXT_2017 = "2017"
    RECALLED = "recalled"
    ASSUMED = "assumed"


class Labelled(Entry):
    """A word with its meaning in both languages."""

    dutch: Prose
    english: Prose


class Role(Labelled):
    """A sort of participant."""

    sector: Sector


class ValueSpec(Entry):
    """What values a field may have."""

    type: Literal["identifier", "text", "date", "whole-number", "choice"]
    pattern: str | None = None
    max_length: WholeNumber | None = None
    values: Sequence | None = None

    @model_validator(mode="after")
    def _fits_type(self) -> Self:
        due = {"identifier": {"pattern"}, "text": {"max_length"}, "choice": {"values"}}.get(self.type, set())
        given = {name for name in ("pattern", "max_length", "values") if getattr(self, name) is not None}
        if given != due:
            raise ValueError(f"a value of type `{self.type}` has exactly: {', '.join(due) or 'no other key'}")
        _check_pattern(self.pattern)
        return self

    def check(self, value: str, where: str) -> None:
        """Insist that `value` fits. Raises InvalidInput; the message never holds the value."""
        if self.type == "identifier" and not re.fullmatch(self.pattern or "", value, re.ASCII):
            raise InvalidInput("identifier-format", where=where)
        if self.type == "choice" and value not in (self.values or ()):
            raise InvalidInput("unknown-value", where=where)
        if self.type == "whole-number" and not re.fullmatch(r"[1-9][0-9]{0,8}", value, re.ASCII):
            raise InvalidInput("number-format", where=where)
        if self.type == "date" and not is_date(value):
            raise InvalidInput("date-format", where=where)
        if self.type == "text" and not _is_line(value, self.max_length or 0):
            raise InvalidInput(
                "unknown-value", "the text is empty, too long or holds a control character", where=where
            )


class FieldSpec(Labelled):
    """A field that a signal may carry."""

    category: Category
    value: ValueSpec


class Kind(Labelled):
    """A kind of signal, and by which identifier its subject is known."""

    subject: Literal["kvk", "vestiging", "rsin", "bsn", "lhn", "btw", "bag", "vnr", "oin"]


class Purpose(Labelled):
    """What data may be used for."""


class FactSpec(Labelled):
    """A fact that only a register proves, in the pseudonymisation domain of the recipient."""

    register_name: Term = Field(alias="register")
    owner_role: Term
    domain: Literal["recipient"]

    @property
    def source(self) -> str:
        """How a `Fact` names this register as its source."""
        return f"register:{self.register_name}"


class ClaimSpec(Labelled):
    """What a sender asserts in the header, and which sealed fields the recipient finds it equal to."""

    type: Literal["provision", "date"]
    pattern: str | None = None
    asserted_by: Literal["sender"]
    equals: Annotated[tuple[str, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _fits_type(self) -> Self:
        if (self.type == "provision") != (self.pattern is not None):
            raise ValueError("a claim of type `provision` has a `pattern`, a date has none")
        _check_pattern(self.pattern)
        return self

    def fits(self, value: str) -> bool:
        """Whether the value has the form that the catalogue prescribes."""
        if self.pattern is None:
            return is_date(value)
        return re.fullmatch(self.pattern, value, re.ASCII) is not None

    def expected(self, fields: Mapping[str, str]) -> str:
        """The value due, from the sealed fields. Raises InvalidInput `column-missing`."""
        if missing := [name for name in self.equals if name not in fields]:
            raise InvalidInput("column-missing", where=missing[0])
        return " ".join(fields[name] for name in self.equals)


class ArticleVersion(Entry):
    """A text of an article, from and until which day, and where we read it."""

    article: ArticleNumber
    valid_from: IsoDate
    valid_until: IsoDate | None = None
    mark: Mark
    source: Prose
    note: Prose | None = None


class Law(Entry):
    """A law or decree with the versions of the articles that rules rest on."""

    bwb: Annotated[str, StringConstraints(pattern=r"^BWBR[0-9]{7}$")]
    title: Prose
    articles: tuple[ArticleVersion, ...]


class _Roles(Entry):
    roles: dict[Term, Role]


class _Fields(Entry):
    fields: dict[FieldName, FieldSpec]


class _Kinds(Entry):
    kinds: dict[Term, Kind]


class _Purposes(Entry):
    purposes: dict[Term, Purpose]


class _Facts(Entry):
    facts: dict[FieldName, FactSpec]


class _Claims(Entry):
    claims: dict[FieldName, ClaimSpec]


class _Laws(Entry):
    laws: dict[Term, Law]


class _Reasons(Entry):
    reasons: dict[Code, Labelled]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """All words, by sort."""

    roles: Mapping[str, Role]
    fields: Mapping[str, FieldSpec]
    kinds: Mapping[str, Kind]
    purposes: Mapping[str, Purpose]
    facts: Mapping[str, FactSpec]
    claims: Mapping[str, ClaimSpec]
    laws: Mapping[str, Law]
    reasons: Mapping[str, Labelled]


SORTS = ("roles", "fields", "kinds", "purposes", "facts", "claims", "laws", "reasons")


def read_catalog(documents: Mapping[str, Document]) -> Catalog:
    """Build the catalogue from its files, one for each sort. Raises InvalidInput `malformed-rule`."""
    catalog = Catalog(
        roles=read(documents["roles"], _Roles).roles,
        fields=read(documents["fields"], _Fields).fields,
        kinds=read(documents["kinds"], _Kinds).kinds,
        purposes=read(documents["purposes"], _Purposes).purposes,
        facts=read(documents["facts"], _Facts).facts,
        claims=read(documents["claims"], _Claims).claims,
        laws=read(documents["laws"], _Laws).laws,
        reasons=read(documents["reasons"], _Reasons).reasons,
    )
    _check_references(catalog, documents)
    return catalog


def _check_references(catalog: Catalog, documents: Mapping[str, Document]) -> None:
    for name, fact in catalog.facts.items():
        if fact.owner_role not in catalog.roles:
            raise documents["facts"].refusal(
                f"the role `{fact.owner_role}` is not in the catalogue", ("facts", name, "owner_role")
            )
    for name, claim in catalog.claims.items():
        for field in claim.equals:
            if field not in catalog.fields:
                raise documents["claims"].refusal(
                    f"the field `{field}` is not in the catalogue", ("claims", name, "equals")
                )
    if missing := ENGINE_CODES - catalog.reasons.keys():
        raise documents["reasons"].refusal(f"the reason `{min(missing)}` has no text", ("reasons",))
    for name, law in catalog.laws.items():
        for index, version in enumerate(law.articles):
            if version.valid_until is not None and version.valid_until < version.valid_from:
                raise documents["laws"].refusal(
                    f"article {version.article} of `{name}` ends before it begins",
                    ("laws", name, "articles", index),
                )


def is_date(value: str) -> bool:
    """Whether the text is a date YYYY-MM-DD that exists."""
    try:
        read_date(value)
    except ValueError:
        return False
    return True


def _is_line(value: str, max_length: int) -> bool:
    return 0 < len(value) <= max_length and value.isprintable()


def _check_pattern(pattern: str | None) -> None:
    try:
        re.compile(pattern or "")
    except (re.error, RecursionError):
        raise ValueError("the pattern is not a regular expression") from None
