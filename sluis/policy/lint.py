# SPDX-License-Identifier: EUPL-1.2
"""What is refused when rules are loaded, beyond their form.

    a word that is not in the catalogue            (it would silently match nothing)
    a rule id that is used twice
    a rule that cites an unknown article, or outlives the version that it cites
    a rule in force that rests on a text which nobody has read
    a juriconnect reference to another article than the one cited
    BSN, special or criminal data released to a private role
    a permit in a general agreement                (it may only prohibit)
    permits that can apply together, one demanding notice and one forbidding it

Every refusal is InvalidInput `malformed-rule` with file and line.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sluis.errors import InvalidInput
from sluis.policy.catalog import ArticleVersion, Catalog, Category, ClaimSpec, Mark, Sector
from sluis.policy.rules import (
    Agreement,
    DeliveryIs,
    FactProven,
    LegalBasis,
    Notice,
    NotOlder,
    ProvisionListed,
    Rule,
    RuleEffect,
    SameParty,
    Status,
)
from sluis.policy.yaml_strict import Document, Path

NEVER_TO_PRIVATE = frozenset({Category.BSN, Category.SPECIAL, Category.CRIMINAL})


@dataclass(frozen=True, slots=True)
class _Place:
    """A rule with where it stands."""

    document: Document
    index: int
    rule: Rule

    def refuse(self, message: str, *steps: str | int) -> InvalidInput:
        path: Path = ("rules", self.index, *steps)
        return self.document.refusal(f"rule `{self.rule.id}`: {message}", path)


def check_agreements(
    agreements: Mapping[str, Agreement], documents: Mapping[str, Document], catalog: Catalog
) -> None:
    """Check all agreements against the catalogue and each other. Raises InvalidInput `malformed-rule`."""
    seen: set[str] = set()
    for name, agreement in sorted(agreements.items()):
        places = [_Place(documents[name], index, rule) for index, rule in enumerate(agreement.rules)]
        for place in places:
            if place.rule.id in seen:
                raise place.refuse("this id is used twice", "id")
            seen.add(place.rule.id)
            if agreement.is_general and place.rule.effect is RuleEffect.PERMIT:
                raise place.refuse("an agreement for every agreement may only prohibit", "effect")
            _check_words(place, catalog)
            _check_conditions(place, catalog)
            _check_bases(place, catalog)
            _check_categories(place, catalog)
        _check_notice(places)


def _check_words(place: _Place, catalog: Catalog) -> None:
    rule = place.rule
    words: dict[str, tuple[Collection[str], Collection[str]]] = {
        "sender_roles": (rule.sender_roles, catalog.roles),
        "recipient_roles": (rule.recipient_roles, catalog.roles),
        "kinds": (rule.kinds, catalog.kinds),
        "purposes": (rule.purposes, catalog.purposes),
        "fields": (rule.fields, catalog.fields),
        "code": ([rule.code] if rule.code else [], catalog.reasons),
    }
    for key, (used, known) in words.items():
        for word in sorted(used):
            if word not in known:
                raise place.refuse(f"`{word}` is not in the catalogue of {_SORT[key]}", key)


_SORT = {
    "sender_roles": "roles",
    "recipient_roles": "roles",
    "kinds": "kinds",
    "purposes": "purposes",
    "fields": "fields",
    "code": "reasons",
}


def _check_conditions(place: _Place, catalog: Catalog) -> None:
    for number, condition in enumerate(place.rule.conditions):
        here = ("conditions", number)
        if condition.otherwise not in catalog.reasons:
            raise place.refuse(
                f"`{condition.otherwise}` is not in the catalogue of reasons", *here, "otherwise"
            )
        match condition:
            case FactProven():
                if condition.fact not in catalog.facts:
                    raise place.refuse(f"`{condition.fact}` is not in the catalogue of facts", *here, "fact")
            case ProvisionListed() | NotOlder():
                claim = catalog.claims.get(condition.claim)
                if claim is None:
                    raise place.refuse(
                        f"`{condition.claim}` is not in the catalogue of claims", *here, "claim"
                    )
                if (claim.type == "date") is not isinstance(condition, NotOlder):
                    raise place.refuse(f"the claim `{condition.claim}` is of another type", *here, "claim")
                if isinstance(condition, ProvisionListed):
                    _check_provisions(place, condition, claim, catalog, here)
            case SameParty() | DeliveryIs():
                pass


def _check_provisions(
    place: _Place, condition: ProvisionListed, claim: ClaimSpec, catalog: Catalog, here: Path
) -> None:
    for provision in sorted(condition.one_of):
        law, _, rest = provision.partition(" ")
        article = rest.split("(")[0]
        known = law in catalog.laws and any(
            version.article == article for version in catalog.laws[law].articles
        )
        if not known or not claim.fits(provision):
            raise place.refuse(f"`{provision}` is not in the catalogue of laws", *here, "one_of")


def _check_bases(place: _Place, catalog: Catalog) -> None:
    for number, basis in enumerate(place.rule.legal_basis):
        here = ("legal_basis", number)
        law = catalog.laws.get(basis.law)
        if law is None:
            raise place.refuse(f"`{basis.law}` is not in the catalogue of laws", *here, "law")
        version = _version_for(place, basis, list(law.articles), here)
        if place.rule.status is Status.IN_FORCE and version.mark is not Mark.VERIFIED:
            raise place.refuse(
                f"it is in force, but {basis.citation} is marked `{version.mark}`; make it `assumed`", *here
            )
        wanted = f"jci1.3:c:{law.bwb}&artikel={basis.article}" + (
            f"&lid={basis.paragraph}" if basis.paragraph else ""
        )
        if not f"{basis.juriconnect}&".startswith(f"{wanted}&"):
            raise place.refuse(f"the reference does not point at {basis.citation}", *here, "juriconnect")


def _version_for(
    place: _Place, basis: LegalBasis, versions: list[ArticleVersion], here: Path
) -> ArticleVersion:
    """The version of the article in which the rule begins; the rule must also end in it."""
    rule = place.rule
    begun = [version for version in versions if version.article == basis.article]
    begun = [
        version
        for version in begun
        if version.valid_from <= rule.valid_from
        and (version.valid_until is None or rule.valid_from <= version.valid_until)
    ]
    if len(begun) != 1:
        raise place.refuse(
            f"the catalogue has no single text of {basis.law} {basis.article} on {rule.valid_from}", *here
        )
    end = begun[0].valid_until
    if end is not None and (rule.valid_until is None or rule.valid_until > end):
        raise place.refuse(
            f"it outlives {basis.law} {basis.article}, whose text ends on {end}", "valid_until"
        )
    return begun[0]


def _check_categories(place: _Place, catalog: Catalog) -> None:
    rule = place.rule
    private = any(catalog.roles[role].sector is Sector.PRIVATE for role in rule.recipient_roles)
    if rule.effect is not RuleEffect.PERMIT or not private:
        return
    for name in sorted(rule.fields):
        category = catalog.fields[name].category
        if category in NEVER_TO_PRIVATE:
            raise place.refuse(f"`{name}` ({category}) may not go to a private party", "fields")


def _check_notice(places: list[_Place]) -> None:
    for one in _with_notice(places, Notice.MUST):
        for other in _with_notice(places, Notice.MUST_NOT):
            if _overlap(one.rule, other.rule):
                raise other.refuse(
                    f"its notice duty contradicts that of `{one.rule.id}`", "obligations", "notice"
                )


def _with_notice(places: list[_Place], notice: Notice) -> list[_Place]:
    return [place for place in places if place.rule.obligations and place.rule.obligations.notice is notice]


def _overlap(one: Rule, other: Rule) -> bool:
    same_days = one.holds_on(other.valid_from) or other.holds_on(one.valid_from)
    keys = ("operations", "sender_roles", "recipient_roles", "kinds", "purposes")
    return same_days and all(getattr(one, key) & getattr(other, key) for key in keys)
