# SPDX-License-Identifier: EUPL-1.2
"""A request put to Cedar, and its answer: one question for each field, or one about the whole.

What a claim says is read here anew. A claim of the wrong form stays raw text where another type is due, so that
Cedar itself refuses the request; a word that is not in the schema is refused likewise.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import cedarpy

from broker.decide.model import Party, Request
from sluis.policy.bundle import Bundle
from sluis.policy.catalog import Catalog
from sluis.policy.cedar import WHOLE, cedar_policies, cedar_schema
from sluis.policy.facts import CounterFact, RegisterFact, StatedFact
from tests.differential.calendar_by_hand import day_in_amsterdam, microseconds, working_days

Json = dict[str, Any]
NOT_OF_THIS_TYPE = {"malformed": True}


@dataclass(frozen=True, slots=True)
class Answer:
    """What Cedar says of one field: whether the question was valid, whether it passes, by which policies."""

    valid: bool
    allowed: bool
    determining: frozenset[str]


class Cedar:
    """Cedar with the rules of a bundle."""

    def __init__(self, bundle: Bundle, policies: str | None = None) -> None:
        self.catalog = bundle.catalog
        self.schema_text = cedar_schema(bundle)
        self.policies_text = cedar_policies(bundle) if policies is None else policies
        self._schema = cedarpy.Schema.from_str(self.schema_text)
        self._policies = cedarpy.PolicySet.from_str(self.policies_text)
        self._entities = cedarpy.Entities.from_json_str("[]")

    def ask(self, requests: Sequence[Request]) -> list[dict[str, Answer]]:
        """Decide each request: answers by field, under `whole` for an exchange without fields."""
        asked = [self.questions(request) for request in requests]
        flat = [question for questions in asked for question in questions.values()]
        results = iter(cedarpy.is_authorized_batch(flat, self._policies, self._entities, schema=self._schema))
        return [{name: _answer(next(results)) for name in questions} for questions in asked]

    def questions(self, request: Request) -> dict[str, Json]:
        """The questions of one request, by field."""
        context = self._context(request)
        questions: dict[str, Json] = {}
        for name, category in request.fields or ((WHOLE, ""),):
            questions[name] = {
                "principal": {"type": "Role", "id": request.sender.role},
                "action": {"type": "Action", "id": request.operation.value},
                "resource": {"type": "Field" if request.fields else "Exchange", "id": name},
                "context": json.dumps(context | {"category": category}),
            }
        return questions

    def _context(self, request: Request) -> Json:
        today = day_in_amsterdam(request.at)
        facts = self.catalog.facts
        stated = {name for name in request.claims if isinstance(facts.get(name), StatedFact)}
        days = {
            name: day
            for name, text in request.claims.items()
            if name in self.catalog.claims
            and self.catalog.claims[name].type == "date"
            and (day := _day(text))
        }
        return {
            "agreement": {"type": "Agreement", "id": request.agreement},
            "kind": {"type": "Kind", "id": request.kind},
            "purpose": {"type": "Purpose", "id": request.purpose},
            "sender": _party(request.sender),
            "recipient": _party(request.recipient),
            "delivery": request.delivery,
            "subjects": request.subjects,
            "at": microseconds(request.at),
            "today": _number(today),
            "claims": {
                name: _claim(name, value, self.catalog)
                for name, value in request.claims.items()
                if name not in stated
            },
            "statements": {name: _statements(request.claims[name]) for name in stated},
            "facts": {
                name: {"state": {"type": "State", "id": fact.state.value}, "source": fact.source}
                | ({"asserter_role": fact.asserter.role} if fact.asserter else {})
                for name, fact in request.facts.items()
                if isinstance(facts.get(name), RegisterFact)
            },
            "counters": {
                name: count
                for name, count in request.counters.items()
                if isinstance(facts.get(name), CounterFact)
            },
            "working_days": {name: working_days(day, today) for name, day in days.items() if day <= today},
        }


def _answer(result: cedarpy.AuthzResult) -> Answer:
    found = result.diagnostics
    valid = result.decision is not cedarpy.Decision.NoDecision
    assert not valid or not found.errors, found.errors  # a policy that errs would be skipped
    return Answer(valid, result.allowed, frozenset(found.id_annotations_by_reason.values()))


def _party(party: Party) -> Json:
    return {
        "oin": party.oin,
        "role": {"type": "Role", "id": party.role},
        "sector": {"type": "Sector", "id": party.sector},
    }


def _claim(name: str, value: str, catalog: Catalog) -> object:
    spec = catalog.claims.get(name)
    if spec is None:
        return value  # the schema has no such claim
    if spec.type == "date":
        day = _day(value)
        return _number(day) if day else value
    if spec.type == "choice":
        return {"type": f"Claim_{name}", "id": value}
    pattern = spec.pattern or r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}"
    return value if re.fullmatch(pattern, value, re.ASCII) else NOT_OF_THIS_TYPE


def _day(text: str) -> date | None:
    parts = text.split("-")
    if [len(part) for part in parts] != [4, 2, 2] or not "".join(parts).isascii():
        return None
    try:
        return date(*map(int, parts)) if "".join(parts).isdigit() else None
    except ValueError:
        return None


def _number(day: date) -> int:
    return int(day.isoformat().replace("-", ""))


def _statements(text: str) -> Mapping[str, object]:
    parts = text.split(",")
    read = [_statement(part) for part in parts]
    if len(parts) > 2 or None in read:
        return NOT_OF_THIS_TYPE
    return dict(zip(("first", "second"), read, strict=False))


def _statement(text: str) -> Json | None:
    """person@oin;function;time;REASON, taken apart by its separators."""
    try:
        who, function, time, reason = text.split(";")
        person, organisation = who.split("@")
        at = datetime.strptime(time, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    shaped = (
        (r"[A-Za-z0-9-]{1,12}", person),
        (r"\d{20}", organisation),
        (r"[a-z][a-z-]{1,21}", function),
        (r"[A-Z][A-Z_]{2,23}", reason),
    )
    if len(time) != 17 or not all(re.fullmatch(shape, part, re.ASCII) for shape, part in shaped):
        return None
    return {
        "person": person,
        "organisation": organisation,
        "function": function,
        "at": microseconds(at),
        "reason": reason,
    }
