# SPDX-License-Identifier: EUPL-1.2
"""The catalogue: every word that a rule or a request may use. What is not in it does not exist.

One file for each sort of word in `policies/catalog/`: roles, fields, kinds, purposes, facts, claims, laws,
reasons, follow_ups. A file `roles.yaml` holds one key `roles` with the words below it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from sluis.errors import InvalidInput
from sluis.policy.facts import FactSpec, RegisterFact, StatedFact
from sluis.policy.follow_up_words import FollowUpWords, check_words
from sluis.policy.laws import Law
from sluis.policy.schema import (
    Code,
    Entry,
    IsoDate,
    Labelled,
    Prose,
    Sequence,
    Term,
    Terms,
    WholeNumber,
    read,
    read_date,
)
from sluis.policy.yaml_strict import Document

FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]

TERM = r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}"
_OIN = re.compile(r"[0-9]{20}")

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
        "RULE_NOT_IN_FORCE",
        "FIELD_NOT_LISTED",
        "STRICT",
        "RULE_STOPPED",
        "WATCH_TOO_LARGE",
        "WATCH_TOO_LONG",
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


class Role(Labelled):
    """A sort of participant. With `oins`, only these organisations may have the role."""

    sector: Sector
    oins: Terms | None = None


class Partnership(Labelled):
    """A partnership of bodies (samenwerkingsverband): who belongs to it, since when, and by which decision."""

    valid_from: IsoDate
    valid_until: IsoDate | None = None
    roles: Terms = Field(min_length=1)
    oins: Terms | None = None
    source: Prose

    def has_member(self, oin: str, role: str) -> bool:
        """Whether an organisation of this role belongs to it."""
        return role in self.roles and (self.oins is None or oin in self.oins)


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

    subject: Literal["kvk", "vestiging", "rsin", "bsn", "lhn", "btw", "bag", "vnr", "oin", "persoon"]

    @property
    def is_personal(self) -> bool:
        """Whether the subject is always a natural person."""
        return self.subject in ("bsn", "vnr", "persoon")


class Purpose(Labelled):
    """What data may be used for."""


class ClaimSpec(Labelled):
    """What a sender asserts in the header, and which sealed fields, if any, the recipient finds it equal to."""

    type: Literal["provision", "date", "choice", "partnership"]
    pattern: str | None = None
    values: Sequence | None = None
    refused: dict[str, Code] = Field(default_factory=dict)  # values that exist, and why they never pass
    asserted_by: Literal["sender"]
    equals: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _fits_type(self) -> Self:
        due = {"provision": {"pattern"}, "choice": {"values"}}.get(self.type, set())
        given = {name for name in ("pattern", "values") if getattr(self, name) is not None}
        if given != due:
            raise ValueError(f"a claim of type `{self.type}` has exactly: {', '.join(due) or 'no other key'}")
        _check_pattern(self.pattern)
        return self

    def fits(self, value: str) -> bool:
        """Whether the value has the form that the catalogue prescribes."""
        if self.type == "date":
            return is_date(value)
        if self.type == "choice":
            return value in (self.values or ())
        return self._form.fullmatch(value) is not None

    @cached_property
    def _form(self) -> re.Pattern[str]:
        return re.compile(self.pattern or TERM, re.ASCII)

    def expected(self, fields: Mapping[str, str]) -> str:
        """The value due, from the sealed fields. Raises InvalidInput `column-missing`."""
        if missing := [name for name in self.equals if name not in fields]:
            raise InvalidInput("column-missing", where=missing[0])
        return " ".join(fields[name] for name in self.equals)


class _Roles(Entry):
    roles: dict[Term, Role]


class _Fields(Entry):
    fields: dict[FieldName, FieldSpec]


class _Kinds(Entry):
    kinds: dict[Term, Kind]


class _Purposes(Entry):
    purposes: dict[Term, Purpose]


class _Functions(Entry):
    functions: dict[Term, Labelled]


class _Partnerships(Entry):
    partnerships: dict[Term, Partnership]


class _Facts(Entry):
    facts: dict[FieldName, FactSpec]


class _Claims(Entry):
    claims: dict[FieldName, ClaimSpec]


class _Laws(Entry):
    laws: dict[Term, Law]


class _Reasons(Entry):
    reasons: dict[Code, Labelled]


class _FollowUps(Entry):
    follow_ups: FollowUpWords


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """All words, by sort."""

    roles: Mapping[str, Role]
    functions: Mapping[str, Labelled]
    partnerships: Mapping[str, Partnership]
    fields: Mapping[str, FieldSpec]
    kinds: Mapping[str, Kind]
    purposes: Mapping[str, Purpose]
    facts: Mapping[str, FactSpec]
    claims: Mapping[str, ClaimSpec]
    laws: Mapping[str, Law]
    reasons: Mapping[str, Labelled]
    follow_ups: FollowUpWords
    assertions: Mapping[str, ClaimSpec | StatedFact]

    @property
    def register_facts(self) -> Mapping[str, RegisterFact]:
        """The facts that a register proves."""
        return {name: fact for name, fact in self.facts.items() if isinstance(fact, RegisterFact)}


SORTS = (
    "roles",
    "functions",
    "partnerships",
    "fields",
    "kinds",
    "purposes",
    "facts",
    "claims",
    "laws",
    "reasons",
    "follow_ups",
)


def read_catalog(documents: Mapping[str, Document]) -> Catalog:
    """Build the catalogue from its files, one for each sort. Raises InvalidInput `malformed-rule`."""
    facts = read(documents["facts"], _Facts).facts
    claims = read(documents["claims"], _Claims).claims
    stated = {name: fact for name, fact in facts.items() if isinstance(fact, StatedFact)}
    if both := stated.keys() & claims.keys():
        name = min(both)
        raise documents["claims"].refusal(
            f"`{name}` is the name of a fact too; rename one of them", ("claims", name)
        )
    catalog = Catalog(
        roles=read(documents["roles"], _Roles).roles,
        functions=read(documents["functions"], _Functions).functions,
        partnerships=read(documents["partnerships"], _Partnerships).partnerships,
        fields=read(documents["fields"], _Fields).fields,
        kinds=read(documents["kinds"], _Kinds).kinds,
        purposes=read(documents["purposes"], _Purposes).purposes,
        facts=facts,
        claims=claims,
        laws=read(documents["laws"], _Laws).laws,
        reasons=read(documents["reasons"], _Reasons).reasons,
        follow_ups=read(documents["follow_ups"], _FollowUps).follow_ups,
        assertions={**claims, **stated},
    )
    for check in (_check_roles, _check_facts, _check_claims, _check_reasons, _check_laws):
        check(catalog, documents)
    check_words(catalog.follow_ups, documents["follow_ups"])
    return catalog


def _check_roles(catalog: Catalog, documents: Mapping[str, Document]) -> None:
    for name, partnership in catalog.partnerships.items():
        if strange := partnership.roles - catalog.roles.keys():
            raise documents["partnerships"].refusal(
                f"the role `{min(strange)}` is not in the catalogue; correct it, or add it to catalog/roles.yaml",
                ("partnerships", name, "roles"),
            )
        if partnership.valid_until is not None and partnership.valid_until < partnership.valid_from:
            raise documents["partnerships"].refusal(
                f"the partnership `{name}` ends before it begins; correct a date", ("partnerships", name)
            )
    listed = [("roles", name, role.oins) for name, role in catalog.roles.items()]
    listed += [("partnerships", name, item.oins) for name, item in catalog.partnerships.items()]
    for sort, name, oins in listed:
        for oin in sorted(oins or ()):
            if not _OIN.fullmatch(oin):
                raise documents[sort].refusal(
                    f"`{oin}` is not an OIN; write its 20 digits", (sort, name, "oins")
                )


def _check_facts(catalog: Catalog, documents: Mapping[str, Document]) -> None:
    for name, fact in catalog.facts.items():
        if isinstance(fact, RegisterFact) and fact.owner_role not in catalog.roles:
            raise documents["facts"].refusal(
                f"the role `{fact.owner_role}` is not in the catalogue; correct it, or add it to catalog/roles.yaml",
                ("facts", name, "owner_role"),
            )
        if isinstance(fact, StatedFact) and (strange := fact.functions - catalog.functions.keys()):
            raise documents["facts"].refusal(
                f"the function `{min(strange)}` is not in the catalogue; correct or add it (catalog/functions.yaml)",
                ("facts", name, "functions"),
            )


def _check_claims(catalog: Catalog, documents: Mapping[str, Document]) -> None:
    for name, claim in catalog.claims.items():
        for field in claim.equals:
            if field not in catalog.fields:
                raise documents["claims"].refusal(
                    f"the field `{field}` is not in the catalogue; correct it, or add it to catalog/fields.yaml",
                    ("claims", name, "equals"),
                )
        for value, code in claim.refused.items():
            if code not in catalog.reasons or value in (claim.values or ()):
                raise documents["claims"].refusal(
                    f"the refused value `{value}` needs a reason of catalog/reasons.yaml, and is not in `values`",
                    ("claims", name, "refused"),
                )
        if (claim.type == "partnership") != (name == "partnership"):
            raise documents["claims"].refusal(
                "the claim `partnership`, and no other, is of type `partnership`", ("claims", name, "type")
            )


def _check_reasons(catalog: Catalog, documents: Mapping[str, Document]) -> None:
    if missing := ENGINE_CODES - catalog.reasons.keys():
        raise documents["reasons"].refusal(f"the reason `{min(missing)}` has no text; add it", ("reasons",))


def _check_laws(catalog: Catalog, documents: Mapping[str, Document]) -> None:
    for name, law in catalog.laws.items():
        for index, version in enumerate(law.articles):
            if version.valid_until is not None and version.valid_until < version.valid_from:
                raise documents["laws"].refusal(
                    f"article {version.article} of `{name}` ends before it begins; correct a date",
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
