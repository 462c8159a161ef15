# SPDX-License-Identifier: EUPL-1.2
"""What is refused when rules are loaded, beyond their form.

    a word that is not in the catalogue            (it would silently match nothing)
    a rule id that is used twice
    a rule that cites an unknown article, or outlives the version that it cites
    a rule in force that rests on a text which nobody has read
    a reference (juriconnect, ELI) to another article than the one cited
    BSN, special or criminal data, or a kind that is about persons, released to a private role
    special data without AVG 9(2) and four eyes; criminal data without AVG 10
    data on persons without a privacy gate        (an officer who weighed their interests)
    a condition `without_fact` in a permit         (a fact that is missing must never permit)
    a counter in a prohibition                     (the broker counts what permits let pass)
    a permit in a general agreement                (it may only prohibit)
    permits that can apply together, one demanding notice and one forbidding it

Every refusal is InvalidInput `malformed-rule` with file, line, term and the way to mend it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sluis.errors import InvalidInput
from sluis.policy.catalog import Catalog, Category, ClaimSpec, Sector
from sluis.policy.conditions import (
    ClaimListed,
    CountedAtMost,
    DeliveryIs,
    FactMissing,
    FactProven,
    InPartnership,
    NotOlder,
    NotPassed,
    SameParty,
    SubjectsAtMost,
    WorkingDaysPassed,
)
from sluis.policy.facts import CounterFact, StatedFact
from sluis.policy.laws import ArticleVersion, Mark
from sluis.policy.rules import Agreement, LegalBasis, Notice, Rule, RuleEffect, Status
from sluis.policy.yaml_strict import Document, Path

ABOUT_PERSONS = frozenset({Category.PERSONAL, Category.BSN, Category.SPECIAL, Category.CRIMINAL})
FOUR_EYES = 2
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
                raise place.refuse("this id is used twice; give one of the two rules another", "id")
            seen.add(place.rule.id)
            if agreement.is_general and place.rule.effect is RuleEffect.PERMIT:
                raise place.refuse(
                    "an agreement for every agreement may only prohibit; put the permit in one of its own",
                    "effect",
                )
            _check_words(place, catalog)
            _check_conditions(place, catalog)
            _check_bases(place, catalog)
            _check_categories(place, catalog)
            _check_kinds(place, catalog)
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
                raise place.refuse(_unknown(word, _SORT[key]), key)


_SORT = {
    "sender_roles": "roles",
    "recipient_roles": "roles",
    "kinds": "kinds",
    "purposes": "purposes",
    "fields": "fields",
    "code": "reasons",
}


# The keys that go with each type of claim.
_USE = {
    "provision": "use `one_of`",
    "choice": "use `one_of`",
    "date": "use `not_older_than_years`, `not_passed` or `working_days_passed`",
    "partnership": "use the condition `partnership`",
}


def _unknown(word: str, sort: str) -> str:
    return f"`{word}` is not in the catalogue of {sort}; correct it, or add it to catalog/{sort}.yaml"


def _check_conditions(place: _Place, catalog: Catalog) -> None:
    for number, condition in enumerate(place.rule.conditions):
        here = ("conditions", number)
        if condition.otherwise not in catalog.reasons:
            raise place.refuse(_unknown(condition.otherwise, "reasons"), *here, "otherwise")
        match condition:
            case FactProven():
                _check_fact(place, condition.fact, catalog, (*here, "fact"))
            case FactMissing():
                if place.rule.effect is RuleEffect.PERMIT:
                    raise place.refuse("a missing fact never permits; use `fact`", *here, "without_fact")
                _check_fact(place, condition.without_fact, catalog, (*here, "without_fact"))
            case CountedAtMost():
                if place.rule.effect is RuleEffect.PROHIBIT:
                    raise place.refuse(
                        "the broker counts what permits let pass, so a prohibition cannot count; "
                        "put `counter` in the permits",
                        *here,
                        "counter",
                    )
                if not isinstance(catalog.facts.get(condition.counter), CounterFact):
                    raise place.refuse(
                        f"`{condition.counter}` is not a counter of the catalogue; name a fact with `source: counter`",
                        *here,
                        "counter",
                    )
            case InPartnership():
                if strange := condition.partnership - catalog.partnerships.keys():
                    raise place.refuse(_unknown(min(strange), "partnerships"), *here, "partnership")
            case ClaimListed() | NotOlder() | NotPassed() | WorkingDaysPassed():
                _check_claim(place, condition, catalog, here)
            case SameParty() | DeliveryIs() | SubjectsAtMost():
                pass


def _check_fact(place: _Place, name: str, catalog: Catalog, here: Path) -> None:
    fact = catalog.facts.get(name)
    if fact is None:
        raise place.refuse(_unknown(name, "facts"), *here)
    if isinstance(fact, CounterFact):
        raise place.refuse(f"`{name}` is a counter; use `counter` with `at_most`", *here)


def _check_claim(
    place: _Place,
    condition: ClaimListed | NotOlder | NotPassed | WorkingDaysPassed,
    catalog: Catalog,
    here: Path,
) -> None:
    claim = catalog.claims.get(condition.claim)
    if claim is None:
        raise place.refuse(_unknown(condition.claim, "claims"), *here, "claim")
    if (claim.type in ("provision", "choice")) is not isinstance(condition, ClaimListed):
        raise place.refuse(
            f"the claim `{condition.claim}` is of another type: {_USE[claim.type]}", *here, "claim"
        )
    if isinstance(condition, ClaimListed):
        if claim.type == "provision":
            _check_provisions(place, condition, claim, catalog, here)
        elif strange := [value for value in sorted(condition.one_of) if not claim.fits(value)]:
            raise place.refuse(
                f"`{strange[0]}` is no value of the claim `{condition.claim}`; see catalog/claims.yaml",
                *here,
                "one_of",
            )


def _check_provisions(
    place: _Place, condition: ClaimListed, claim: ClaimSpec, catalog: Catalog, here: Path
) -> None:
    for provision in sorted(condition.one_of):
        law, _, rest = provision.partition(" ")
        article = rest.split("(")[0]
        known = law in catalog.laws and any(
            version.article == article for version in catalog.laws[law].articles
        )
        if not known or not claim.fits(provision):
            raise place.refuse(
                f"`{provision}` is not in the catalogue of laws, or not written as the claim demands; correct it",
                *here,
                "one_of",
            )


def _check_bases(place: _Place, catalog: Catalog) -> None:
    for number, basis in enumerate(place.rule.legal_basis):
        here = ("legal_basis", number)
        law = catalog.laws.get(basis.law)
        if law is None:
            raise place.refuse(_unknown(basis.law, "laws"), *here, "law")
        version = _version_for(place, basis, list(law.articles), here)
        if place.rule.status is Status.IN_FORCE and version.mark is not Mark.VERIFIED:
            raise place.refuse(
                f"it is in force, but {basis.citation} is marked `{version.mark}`; make it `assumed`", *here
            )
        wanted = law.reference(basis.article, basis.paragraph)
        if not any(f"{basis.reference}{end}".startswith(f"{wanted}{end}") for end in "&/"):
            key = "juriconnect" if basis.juriconnect else "eli"
            raise place.refuse(
                f"the reference does not point at {basis.citation}; it begins with `{wanted}`", *here, key
            )


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
            f"the catalogue has no single text of {basis.law} {basis.article} on {rule.valid_from}; "
            "correct the article or `valid_from`, or add the version to catalog/laws.yaml",
            *here,
        )
    end = begun[0].valid_until
    if end is not None and (rule.valid_until is None or rule.valid_until > end):
        raise place.refuse(
            f"it outlives {basis.law} {basis.article}, whose text ends on {end}; end it on that day",
            "valid_until",
        )
    return begun[0]


def _check_categories(place: _Place, catalog: Catalog) -> None:
    rule = place.rule
    if rule.effect is not RuleEffect.PERMIT:
        return
    private = any(catalog.roles[role].sector is Sector.PRIVATE for role in rule.recipient_roles)
    articles = {basis.gdpr for basis in rule.legal_basis}
    for name in sorted(rule.fields):
        category = catalog.fields[name].category
        if private and category in NEVER_TO_PRIVATE:
            raise place.refuse(f"`{name}` ({category}) may not go to a private party; take it out", "fields")
        if category is Category.SPECIAL and not any(item.startswith("9(2)") for item in articles):
            raise place.refuse(f"`{name}` is a special category: cite AVG 9(2)", "legal_basis")
        if category is Category.SPECIAL and _eyes(rule, catalog) < FOUR_EYES:
            raise place.refuse(
                f"`{name}` is a special category: demand a fact by two officers (`persons: 2`)", "conditions"
            )
        if category is Category.CRIMINAL and "10" not in articles:
            raise place.refuse(f"`{name}` is criminal data: cite AVG 10", "legal_basis")
        if category in ABOUT_PERSONS and not _eyes(rule, catalog):
            raise place.refuse(
                f"`{name}` ({category}) is about a person: demand a fact by an officer, such as the privacy gate",
                "conditions",
            )


def _check_kinds(place: _Place, catalog: Catalog) -> None:
    """Of such a kind even the subject is a person, whichever fields go along (UAVG 46, AVV 10)."""
    rule = place.rule
    if rule.effect is not RuleEffect.PERMIT:
        return
    private = any(catalog.roles[role].sector is Sector.PRIVATE for role in rule.recipient_roles)
    about_persons = sorted(name for name in rule.kinds if catalog.kinds[name].is_personal)
    if private and about_persons:
        raise place.refuse(
            f"`{about_persons[0]}` is about persons and may not go to a private party; take it out", "kinds"
        )


def _eyes(rule: Rule, catalog: Catalog) -> int:
    """How many officers must have spoken before the rule permits."""
    facts = [catalog.facts[item.fact] for item in rule.conditions if isinstance(item, FactProven)]
    return max(
        (fact.persons for fact in facts if isinstance(fact, StatedFact) and fact.proof == "officer"),
        default=0,
    )


def _check_notice(places: list[_Place]) -> None:
    for one in _with_notice(places, Notice.MUST):
        for other in _with_notice(places, Notice.MUST_NOT):
            if _overlap(one.rule, other.rule):
                raise other.refuse(
                    f"its notice duty contradicts that of `{one.rule.id}`; make them agree",
                    "obligations",
                    "notice",
                )


def _with_notice(places: list[_Place], notice: Notice) -> list[_Place]:
    return [place for place in places if place.rule.obligations and place.rule.obligations.notice is notice]


def _overlap(one: Rule, other: Rule) -> bool:
    same_days = one.holds_on(other.valid_from) or other.holds_on(one.valid_from)
    keys = ("operations", "sender_roles", "recipient_roles", "kinds", "purposes")
    return same_days and all(getattr(one, key) & getattr(other, key) for key in keys)
