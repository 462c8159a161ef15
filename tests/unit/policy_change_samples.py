# SPDX-License-Identifier: EUPL-1.2
"""A small catalogue in which every sort of condition can be asked, rules to draw from, and concrete requests."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from pydantic import TypeAdapter

from broker.decide.model import FactState, Party, Request
from sluis.policy.bundle import Bundle
from sluis.policy.catalog import ClaimSpec, Partnership
from sluis.policy.conditions import Condition
from sluis.policy.facts import CounterFact, StatedFact
from sluis.policy.rules import Agreement, Obligations, Rule
from tests.unit.decide_samples import BODY, BUNDLE, NLA, PERMIT, PROHIBITION, SNA, VALID

WORDS = {"dutch": "woord", "english": "word"}
STATED = {"functions": ["privacy-officer"], "reasons": {"GOOD_REASON": WORDS}, "valid_days": "30", **WORDS}
GATE = StatedFact.model_validate({"source": "officer", "persons": "1", **STATED})
FOUR_EYES = StatedFact.model_validate({"source": "officer", "persons": "2", **STATED})
COUNTER = CounterFact.model_validate({"source": "counter", "per": "sender", "window": "day", **WORDS})
DATED = ClaimSpec.model_validate({"type": "date", "asserted_by": "sender", **WORDS})
CHOICE = ClaimSpec.model_validate(
    {"type": "choice", "values": ["red", "green", "blue"], "asserted_by": "sender", **WORDS}
)
NAMED = ClaimSpec.model_validate({"type": "partnership", "asserted_by": "sender", **WORDS})
TEAM = Partnership.model_validate(
    {
        "valid_from": "2026-01-01",
        "valid_until": "2026-09-30",
        "roles": [NLA.role, SNA.role],
        "source": "bedacht",
        **WORDS,
    }
)
CLAIMS = {**BUNDLE.catalog.claims, "notified_on": DATED, "colour": CHOICE, "partnership": NAMED}
FACTS = {**BUNDLE.catalog.facts, "gate": GATE, "four_eyes": FOUR_EYES, "sent_today": COUNTER}
CATALOG = replace(
    BUNDLE.catalog,
    claims=CLAIMS,
    facts=FACTS,
    partnerships={**BUNDLE.catalog.partnerships, "team": TEAM},
    assertions={**CLAIMS, "gate": GATE, "four_eyes": FOUR_EYES},
)


def condition(**keys: Any) -> Condition:
    """A condition as a file would hold it."""
    adapter: TypeAdapter[Condition] = TypeAdapter(Condition)
    return adapter.validate_python({"dutch": "Voorwaarde.", "otherwise": "LOOKBACK", **keys})


CONDITIONS = [
    condition(claim="provision", one_of=["WML 7"]),
    condition(claim="provision", one_of=["WML 7", "WML 13"]),
    condition(claim="colour", one_of=["red"]),
    condition(claim="decided_on", not_older_than_years="2"),
    condition(claim="decided_on", not_older_than_years="3"),
    condition(claim="decided_on", not_passed="true"),
    condition(claim="notified_on", working_days_passed="10"),
    condition(fact="certificate_valid"),
    condition(fact="gate"),
    condition(fact="four_eyes"),
    condition(same_party="true"),
    condition(delivery="on_match"),
    condition(partnership=["team"]),
    condition(partnership=["lsi", "team"]),
    condition(counter="sent_today", at_most="5"),
    condition(counter="sent_today", at_most="3"),
    condition(subjects_at_most="2"),
]
AGAINST = [*CONDITIONS, condition(without_fact="gate"), condition(without_fact="certificate_valid")]
FIELDS = ("law", "article", "bsn", "worker_health")
DUTIES = [
    Obligations.model_validate({"retention": retention, "handling": handling, **notice})
    for retention, handling, notice in (
        ("P5Y", "H1", {"notice": "may-inform"}),
        ("P1Y", "H2", {"notice": "may-inform"}),
        ("P2Y", "H1", {"notice": "must-inform", "notice_within": "P1M", "delay_grounds": ["41(1)(d)"]}),
    )
]
ROLES = (NLA.role, SNA.role)
AGREEMENT = BUNDLE.agreements["waadi-14b"]


def permit(name: str = "one", **changes: Any) -> Rule:
    """A permit with little in it."""
    bare = {
        "conditions": (),
        "fields": frozenset({"law"}),
        "obligations": DUTIES[0],
        "valid_from": date(2020, 1, 1),
    }
    return PERMIT.model_copy(update={"id": name, **bare, **changes})


def prohibition(name: str = "against", **changes: Any) -> Rule:
    """A prohibition of everything, unless changed."""
    return PROHIBITION.model_copy(
        update={"id": name, "categories": frozenset(), "recipient_sectors": frozenset(), **changes}
    )


def agreement(rules: Sequence[Rule]) -> Agreement:
    """The agreement with these rules only."""
    return AGREEMENT.model_copy(update={"rules": tuple(rules)})


def bundle(*rules: Rule, **catalog: Any) -> Bundle:
    """A bundle of these rules; parts of the catalogue can be replaced."""
    words = replace(CATALOG, **catalog)
    return replace(BUNDLE, catalog=words).with_agreements({AGREEMENT.id: agreement(rules)})


_days = st.sampled_from([date(2020, 1, 1), date(2026, 7, 1)])
_ends = st.sampled_from([None, date(2026, 6, 30), date(2027, 1, 31)])
_roles = st.frozensets(st.sampled_from(ROLES), min_size=1)
_some = st.frozensets(st.sampled_from(FIELDS), min_size=1, max_size=3)


def permits(name: str, duties: Sequence[Obligations] = tuple(DUTIES)) -> st.SearchStrategy[Rule]:
    """Small permits of every sort."""
    return st.builds(
        lambda until, **changes: permit(name, valid_until=until, **changes),
        until=_ends.filter(lambda end: end != date(2026, 6, 30)),
        fields=_some,
        sender_roles=_roles,
        recipient_roles=_roles,
        conditions=st.lists(st.sampled_from(CONDITIONS), max_size=3, unique=True).map(tuple),
        obligations=st.sampled_from(list(duties)),
        valid_from=_days,
    )


def prohibitions(name: str) -> st.SearchStrategy[Rule]:
    """Small prohibitions, of some fields or of the whole."""
    return st.builds(
        lambda **changes: prohibition(name, **changes),
        fields=st.one_of(_some, st.just(frozenset())),
        recipient_roles=st.frozensets(st.sampled_from(ROLES)),
        conditions=st.lists(st.sampled_from(AGAINST), max_size=2, unique=True).map(tuple),
        valid_from=_days,
    )


def _said(name: str, days: int, at: datetime, organisation: str = NLA.oin) -> str:
    when = (at - timedelta(days=days)).strftime("%Y-%m-%dT%H:%MZ")
    return f"{name}@{organisation};privacy-officer;{when};GOOD_REASON"


def _request(
    changes: Mapping[str, Any], ages: Mapping[str, int | None], persons: Mapping[str, int]
) -> Request:
    at: datetime = changes["at"]
    claims = dict(changes["claims"])
    claims |= {name: str(at.date() - timedelta(days=age)) for name, age in ages.items() if age is not None}
    oin = changes["sender"].oin
    for name, count in persons.items():
        if count:
            claims[name] = ",".join(_said("ab"[index], 3 * index, at, oin) for index in range(count))
    return Request(
        **{**changes, "claims": claims},
        agreement=AGREEMENT.id,
        kind="FINE_IMPOSED",
        purpose="CERTIFICAATBEOORDELING",
    )


_OTHER = Party(oin="00000001000000000009", role=NLA.role, sector="public")
requests = st.builds(
    _request,
    st.fixed_dictionaries(
        {
            "operation": st.sampled_from(["push", "push", "release"]),
            "sender": st.sampled_from([NLA, SNA, _OTHER]),
            "recipient": st.sampled_from([NLA, SNA, BODY]),
            "fields": st.lists(st.sampled_from(FIELDS), unique=True, min_size=1).map(
                lambda names: tuple((name, BUNDLE.fields[name].category.value) for name in names)
            ),
            "claims": st.fixed_dictionaries(
                {},
                optional={
                    "provision": st.sampled_from(["WML 7", "WML 13", "WML 99"]),
                    "colour": st.sampled_from(["red", "green"]),
                    "partnership": st.sampled_from(["team", "lsi", "nobody"]),
                },
            ),
            "facts": st.fixed_dictionaries(
                {},
                optional={
                    "certificate_valid": st.sampled_from([replace(VALID, state=state) for state in FactState])
                },
            ),
            "counters": st.fixed_dictionaries({}, optional={"sent_today": st.integers(0, 6)}),
            "subjects": st.integers(1, 4),
            "delivery": st.sampled_from(["mailbox", "on_match"]),
            "strict": st.booleans(),
            "at": st.sampled_from(
                [
                    datetime(2026, month, day, 12, tzinfo=UTC)
                    for month, day in ((2, 3), (6, 30), (7, 1), (9, 30), (10, 1), (12, 31))
                ]
            ),
        }
    ),
    st.fixed_dictionaries(
        {
            "decided_on": st.sampled_from([None, -1, 0, 1, 729, 730, 731, 1095, 1096, 1200]),
            "notified_on": st.sampled_from([None, -1, 0, 10, 14, 15, 16, 30]),
        }
    ),
    st.fixed_dictionaries({"gate": st.integers(0, 2), "four_eyes": st.integers(0, 2)}),
)
