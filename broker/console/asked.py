# SPDX-License-Identifier: EUPL-1.2
"""Reads AuthZEN Authorization API 1.0 requests (sections 5 and 7), as docs/standards.md maps them.

Wrong JSON, a missing member or a wrong type is InvalidInput with the path, never with a value. A word that
the rules do not know is no error: the decision denies it. Members that this page does not know are ignored,
as section 10.1.1 wants. Sizes are bounded, so that no request can keep the process busy.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias, cast

from broker.decide.model import Fact, FactState, Party, Request
from sluis.errors import InvalidInput
from sluis.policy.bundle import Bundle
from sluis.policy.iris import agreement_of, rule_of
from sluis.policy.rules import Operation

Members: TypeAlias = Mapping[str, Any]

MAX_BODY = 1 << 20
MAX_EVALUATIONS = 100
MAX_MEMBERS = 200  # fields, claims, facts or counters of one request
MAX_TEXT = 1000
MAX_COUNT = 10**6  # too short for an identifier to hide in

ENTITIES = ("subject", "action", "resource")
REQUIRED = {"subject": ("type", "id"), "action": ("name",), "resource": ("type", "id")}
SEMANTICS = ("execute_all", "deny_on_first_deny", "permit_on_first_permit")

# RFC 3339; the examples of AuthZEN leave out the seconds.
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2})(?:(:[0-9]{2})(\.[0-9]{1,9})?)?(?:[Zz]|([+-][0-9]{2}:[0-9]{2}))",
    re.ASCII,
)
_YEARS = range(1900, 9000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A well-formed evaluation. Without a `request`, `unknown` says which word stands in the way."""

    request: Request | None
    unknown: tuple[str, ...]
    activity: str  # the processing activity in the caller's own words, or empty
    resource_id: str
    traceparent: str | None


def read_json(body: bytes) -> Members:
    """Read a body that is an object (I-JSON: UTF-8, no name twice). Raises InvalidInput `malformed-request`."""
    try:
        document = json.loads(body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise InvalidInput("malformed-request", "the body is not one JSON text in UTF-8") from None
    return _object(document, "body")


def read_batch(document: Members) -> tuple[list[Any], str]:
    """The evaluations, whose defaults are still to be filled in, and the semantics.

    No evaluations: the document is itself one. Raises InvalidInput `malformed-request`, `batch-too-large`.
    """
    for name in (*ENTITIES, "context"):
        if name in document:
            _object(document[name], name)
    items = document.get("evaluations", [])
    if not isinstance(items, list):
        raise InvalidInput("malformed-request", "a list is due", where="evaluations")
    if len(items) > MAX_EVALUATIONS:
        message = f"at most {MAX_EVALUATIONS} evaluations go in one request"
        raise InvalidInput("batch-too-large", message, where="evaluations")
    options = _object(document.get("options", {}), "options")
    semantic = options.get("evaluations_semantic", SEMANTICS[0])
    if semantic not in SEMANTICS:
        message = f"one of {', '.join(SEMANTICS)}"
        raise InvalidInput("malformed-request", message, where="options.evaluations_semantic")
    return items, semantic


def with_defaults(item: Any, document: Members) -> Members:
    """An evaluation with the top-level members where it has none of its own (section 7.1.1).

    A member of its own replaces the whole default; only a missing `type`, `id` or `name` still comes from it.
    """
    own = _object(item, "evaluation")
    merged: dict[str, Any] = {}
    for name in (*ENTITIES, "context"):
        default = document.get(name)
        if name not in own:
            if default is not None:
                merged[name] = default
        elif name in REQUIRED and isinstance(own[name], dict) and default:
            parts = {key: default[key] for key in REQUIRED[name] if key in default}
            merged[name] = parts | own[name]
        else:
            merged[name] = own[name]
    return merged


def read_evaluation(document: Members, bundle: Bundle, now: datetime) -> Asked:
    """Read one evaluation. Raises InvalidInput `malformed-request`."""
    subject, action, resource = (_entity(document, name) for name in ENTITIES)
    context = _object(document.get("context", {}), "context")
    operation, unknown = _operation(subject, action, resource)
    activity = _text(_properties(action, "action"), "processing_activity_id", "action.properties")
    exchange = _exchange(subject, resource, context, bundle, activity, now)
    traceparent = context.get("traceparent")
    if traceparent is not None and not isinstance(traceparent, str):
        raise InvalidInput("malformed-request", "text is due", where="context.traceparent")
    return Asked(
        request=None if operation is None else Request(operation=operation, **exchange),
        unknown=unknown,
        activity=activity,
        resource_id=resource["id"],
        traceparent=traceparent,
    )


def _operation(
    subject: Members, action: Members, resource: Members
) -> tuple[Operation | None, tuple[str, ...]]:
    unknown = []
    if subject["type"] != "party":
        unknown.append("UNKNOWN_SUBJECT_TYPE")
    if action["name"] not in list(Operation):
        unknown.append("UNKNOWN_ACTION")
    if resource["type"] != "exchange":
        unknown.append("UNKNOWN_RESOURCE_TYPE")
    return (None, tuple(unknown)) if unknown else (Operation(action["name"]), ())


def _exchange(
    subject: Members, resource: Members, context: Members, bundle: Bundle, activity: str, now: datetime
) -> dict[str, Any]:
    properties = _properties(resource, "resource")
    where = "resource.properties"
    recipient = _object(properties.get("recipient", {}), f"{where}.recipient")
    role = _text(_properties(subject, "subject"), "role", "subject.properties")
    return {
        "sender": _party(subject["id"], role, bundle),
        "recipient": _party(
            _text(recipient, "oin", f"{where}.recipient"),
            _text(recipient, "role", f"{where}.recipient"),
            bundle,
        ),
        "agreement": _agreement(_text(properties, "agreement", where), activity, bundle),
        "kind": _text(properties, "kind", where),
        "purpose": _text(properties, "purpose", where),
        "fields": _fields(properties.get("fields", [])),
        "delivery": _text(properties, "delivery", where),
        "strict": _flag(properties, "strict", where),
        "subjects": _count(properties.get("subjects", 1), f"{where}.subjects"),
        "claims": {
            name: _is_text(value, "context.claims") for name, value in _members(context, "claims").items()
        },
        "facts": {name: _fact(value, bundle) for name, value in _members(context, "facts").items()},
        "counters": {
            name: _count(value, "context.counters") for name, value in _members(context, "counters").items()
        },
        "at": _time(context["time"]) if "time" in context else now,
    }


def _agreement(named: str, activity: str, bundle: Bundle) -> str:
    """The agreement, also by the processing activity; of two that differ, one must be a mistake."""
    agreement = agreement_of(activity)
    if agreement is None and (rule_id := rule_of(activity)) is not None:
        holders = [
            item.id for item in bundle.agreements.values() for rule in item.rules if rule.id == rule_id
        ]
        agreement = holders[0] if holders else ""
    if agreement is None or agreement == named or not named:
        return named or agreement or ""
    message = "the processing activity is not one of the agreement of the resource"
    raise InvalidInput("malformed-request", message, where="action.properties.processing_activity_id")


def _party(oin: str, role: str, bundle: Bundle) -> Party:
    return Party(oin=oin, role=role, sector=bundle.sector_of(role))


def _fields(value: object) -> tuple[tuple[str, str], ...]:
    where = "resource.properties.fields"
    if not isinstance(value, list) or len(value) > MAX_MEMBERS:
        raise InvalidInput("malformed-request", f"a list of at most {MAX_MEMBERS} is due", where=where)
    items = [_object(item, where) for item in value]
    if any("name" not in item or "category" not in item for item in items):
        raise InvalidInput("malformed-request", "a field has a name and a category", where=where)
    return tuple((_text(item, "name", where), _text(item, "category", where)) for item in items)


def _fact(value: object, bundle: Bundle) -> Fact:
    where = "context.facts"
    fact = _object(value, where)
    try:
        state = FactState(_text(fact, "state", where))
    except ValueError:
        message = f"the state of a fact is one of {', '.join(FactState)}"
        raise InvalidInput("malformed-request", message, where=where) from None
    asserter = fact.get("asserter")
    if asserter is not None:
        asserter = _object(asserter, f"{where}.asserter")
        asserter = _party(_text(asserter, "oin", where), _text(asserter, "role", where), bundle)
    return Fact(state=state, source=_text(fact, "source", where), asserter=asserter)


def _time(value: object) -> datetime:
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is not None:
        day, minute, second, fraction, offset = match.groups()
        text = f"{day}T{minute}{second or ':00'}{(fraction or '')[:7]}{offset or '+00:00'}"
        try:
            at = datetime.fromisoformat(text)
            if at.astimezone(UTC).year in _YEARS:
                return at
        except (ValueError, OverflowError):
            pass
    message = "a time with its zone is due (RFC 3339), from 1900 on"
    raise InvalidInput("malformed-request", message, where="context.time")


def _entity(document: Members, name: str) -> Members:
    if name not in document:
        raise InvalidInput("malformed-request", "this member is missing", where=name)
    entity = _object(document[name], name)
    for key in REQUIRED[name]:
        if key not in entity:
            raise InvalidInput("malformed-request", "this member is missing", where=f"{name}.{key}")
        _text(entity, key, name)
    return entity


def _properties(entity: Members, name: str) -> Members:
    return _object(entity.get("properties", {}), f"{name}.properties")


def _members(context: Members, name: str) -> Members:
    found = _object(context.get(name, {}), f"context.{name}")
    if len(found) > MAX_MEMBERS:
        raise InvalidInput("malformed-request", f"at most {MAX_MEMBERS} are read", where=f"context.{name}")
    return found


def _object(value: object, where: str) -> Members:
    if not isinstance(value, dict):
        raise InvalidInput("malformed-request", "an object is due", where=where)
    return cast(Members, value)


def _text(entity: Members, key: str, where: str) -> str:
    return _is_text(entity.get(key, ""), f"{where}.{key}")


def _is_text(value: object, where: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        message = f"text of at most {MAX_TEXT} characters is due"
        raise InvalidInput("malformed-request", message, where=where)
    return value


def _flag(entity: Members, key: str, where: str) -> bool:
    value = entity.get(key, False)
    if not isinstance(value, bool):
        raise InvalidInput("malformed-request", "true or false is due", where=f"{where}.{key}")
    return value


def _count(value: object, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_COUNT:
        raise InvalidInput("malformed-request", "a whole number from 0 is due", where=where)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _no_constant(_text: str) -> None:
    raise ValueError("JSON has no such number")
