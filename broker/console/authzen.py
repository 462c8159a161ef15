# SPDX-License-Identifier: EUPL-1.2
"""The decision point of OpenID AuthZEN Authorization API 1.0, with the additions of the NLGov profile.

    POST /access/v1/evaluation             one exchange
    POST /access/v1/evaluations            up to 100, with `options.evaluations_semantic`
    GET  /.well-known/authzen-configuration

A dry run under the rules in force now: facts, claims and counters are what the caller *supposes*, and the
answer lists them. Nothing is stored but one ADL record (sluis/decision_log.py) for each call, as an event.
No HTTP in here; `broker/console/app.py` does that.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog

from broker.console.asked import Asked, Members, read_batch, read_evaluation, read_json, with_defaults
from broker.decide.engine import decide
from broker.decide.explain import Explanation, explain
from broker.decide.model import Decision, Effect, Party, Reason, Request
from broker.record import UNKNOWN, decision_record
from sluis import __version__
from sluis import decision_log as adl
from sluis.errors import InvalidInput, SluisError
from sluis.identifiers import Oin
from sluis.policy.bundle import Bundle
from sluis.policy.iris import activity_iri

EVALUATION = "/access/v1/evaluation"
EVALUATIONS = "/access/v1/evaluations"
METADATA = "/.well-known/authzen-configuration"

log = structlog.get_logger("broker.console")

# Words that stop a request before there is anything to decide; reasons of this page, not of the rules.
_NOT_KNOWN = {
    "UNKNOWN_SUBJECT_TYPE": ("de vrager is geen partij", "the subject is not a party"),
    "UNKNOWN_ACTION": ("de handeling is niet bekend", "the action is not known"),
    "UNKNOWN_RESOURCE_TYPE": ("het gevraagde is geen uitwisseling", "the resource is not an exchange"),
}

_STOPS_ON = {"deny_on_first_deny": False, "permit_on_first_permit": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """An evaluation: what goes back, and what the decision log keeps of question and answer."""

    response: dict[str, Any]
    request: dict[str, Any]
    activity: str = ""
    failed: bool = False

    @property
    def permits(self) -> bool:
        return self.response["decision"] is True

    @property
    def logged(self) -> dict[str, Any]:
        """The response without its sentences, which follow from the codes."""
        context = {name: value for name, value in self.response["context"].items() if name != "reason_user"}
        return {**self.response, "context": context}


class DecisionPoint:
    """Answers evaluations. `current` gives the rules in force, so a change of rules is seen at once."""

    def __init__(
        self,
        current: Callable[[], Bundle],
        clock: Callable[[], datetime],
        *,
        url: str,
        origin: str,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._current = current
        self._clock = clock
        self._url = url
        self._resource = {"service.name": "sluis-broker", "sluis.log.origin": origin}
        self._random = random

    def metadata(self) -> dict[str, str]:
        """The metadata of section 9."""
        return {
            "policy_decision_point": self._url,
            "access_evaluation_endpoint": self._url + EVALUATION,
            "access_evaluations_endpoint": self._url + EVALUATIONS,
        }

    def evaluation(self, body: bytes, traceparent: str | None = None) -> dict[str, Any]:
        """Answer one evaluation. Raises InvalidInput for a body that is none."""
        return self._one(read_json(body), traceparent)

    def evaluations(self, body: bytes, traceparent: str | None = None) -> dict[str, Any]:
        """Answer a batch; an evaluation that is malformed in itself is denied, the others go on.

        Raises InvalidInput for a body that is no batch.
        """
        document = read_json(body)
        items, semantic = read_batch(document)
        if not items:  # section 7.1: then it is a single evaluation
            return self._one(document, traceparent)
        context = document.get("context", {})
        span = self._span(context.get("traceparent"), traceparent)
        bundle, now = self._current(), self._clock()
        answers: list[_Answer] = []
        for item in items:
            answer = self._item(item, document, bundle, now)
            answers.append(answer)
            if answer.permits is _STOPS_ON.get(semantic):
                break
        request = {
            "evaluations": [answer.request for answer in answers],
            "options": {"evaluations_semantic": semantic},
        }
        response = {"evaluations": [answer.logged for answer in answers]}
        self._record(adl.EVALUATIONS, span, now, bundle, answers, request, response)
        return {"evaluations": [answer.response for answer in answers]}

    def _one(self, document: Members, traceparent: str | None) -> dict[str, Any]:
        bundle, now = self._current(), self._clock()
        asked = read_evaluation(document, bundle, now)
        span = self._span(asked.traceparent, traceparent)
        answer = _answer(asked, bundle, now)
        self._record(adl.EVALUATION, span, now, bundle, [answer], answer.request, answer.logged)
        return answer.response

    def _item(self, item: object, document: Members, bundle: Bundle, now: datetime) -> _Answer:
        try:
            return _answer(read_evaluation(with_defaults(item, document), bundle, now), bundle, now)
        except InvalidInput as error:
            response = {"decision": False, "context": {"error": {"status": 400, **described(error)}}}
            return _Answer(response=response, request={})

    def _span(self, in_body: object, in_header: str | None) -> adl.Span:
        """The caller's trace: of the body, where a mistake is refused, else of the header, where it is ignored."""
        if in_body is not None:
            if not isinstance(in_body, str):
                raise InvalidInput("malformed-request", "text is due", where="context.traceparent")
            return adl.new_span(in_body, self._random)
        try:
            return adl.new_span(in_header, self._random)
        except InvalidInput:  # W3C Trace Context, section 4.3: then a new trace begins
            return adl.new_span(None, self._random)

    def _record(
        self,
        event_name: str,
        span: adl.Span,
        now: datetime,
        bundle: Bundle,
        answers: Sequence[_Answer],
        request: Mapping[str, object],
        response: Mapping[str, object],
    ) -> None:
        attributes: dict[str, object] = {
            "adl.core.policies": {"sluis": bundle.digest},
            "adl.core.configuration": {"sluis": __version__},
        }
        activities = {answer.activity for answer in answers}
        if len(activities) == 1 and (activity := activities.pop()):
            attributes["dpl.core.processing_activity_id"] = activity
        record = adl.decision_record(
            event_name=event_name,
            span=span,
            at=now,
            failed=any(answer.failed for answer in answers),
            attributes=attributes,
            request=request,
            response=response,
            resource=self._resource,
        )
        log.info("adl.record", record=record)


def described(error: SluisError) -> dict[str, str]:
    """An error for a caller: its stable code, a sentence, and where; never a value."""
    where = {"where": error.where} if error.where else {}
    return {"code": error.code, "message": error.message, **where}


def _answer(asked: Asked, bundle: Bundle, now: datetime) -> _Answer:
    request = asked.request
    if request is None:
        decision = Decision(
            effect=Effect.DENY,
            policy_digest=bundle.digest,
            reasons=tuple(Reason(code) for code in asked.unknown),
        )
        words = _not_known(asked.unknown)
        return _Answer(
            response=_response(decision, words, now, (), ""),
            request={"subject": {"type": UNKNOWN, "id": UNKNOWN}, "action": {"name": UNKNOWN}}
            | {"resource": {"type": UNKNOWN, "id": UNKNOWN}},
        )
    decision = decide(request, bundle)
    known = request.agreement in bundle.agreements
    activity = activity_iri(request.agreement) if known else ""
    response = _response(
        decision, explain(decision, bundle), request.at, _supposed(request, bundle), activity
    )
    return _Answer(
        response=response,
        request=_described_request(asked, request, bundle, activity),
        activity=activity,
        failed=Reason("ENGINE_ERROR") in decision.reasons,
    )


def _response(
    decision: Decision, words: Explanation, at: datetime, supposed: Sequence[str], activity: str
) -> dict[str, Any]:
    described = decision_record(decision)
    context = {name: value for name, value in described.items() if name != "decision"}
    if activity:
        context["processing_activity_id"] = activity
    return {
        "decision": decision.effect is Effect.PERMIT,
        "context": {
            **context,
            "assumed": decision.assumed,
            "reason_user": {"nl": words.dutch, "en": words.english},
            "supposed": list(supposed),
            "time": _utc(at),
        },
    }


def _not_known(codes: Sequence[str]) -> Explanation:
    dutch, english = zip(*(_NOT_KNOWN[code] for code in codes), strict=True)
    return Explanation(dutch=f"Geweigerd: {'; '.join(dutch)}.", english=f"Denied: {'; '.join(english)}.")


def _supposed(request: Request, bundle: Bundle) -> list[str]:
    """The facts, claims and counters of the catalogue that the decision took from the caller."""
    catalog = bundle.catalog
    named = {*request.facts, *request.claims, *request.counters}
    return sorted(name for name in named if name in catalog.assertions or name in catalog.facts)


def _described_request(asked: Asked, request: Request, bundle: Bundle, activity: str) -> dict[str, Any]:
    """The request in words of the rules; whatever else it held is `?` or left out, and so is every claim's value."""
    catalog = bundle.catalog
    properties = {"processing_activity_id": activity} if activity else {}
    return {
        "subject": {"type": "party", **_described_party(request.sender, "id", bundle)},
        "action": {"name": request.operation.value, **({"properties": properties} if properties else {})},
        "resource": {
            "type": "exchange",
            "id": _uuid(asked.resource_id),
            "properties": {
                "agreement": request.agreement if request.agreement in bundle.agreements else UNKNOWN,
                "recipient": _described_party(request.recipient, "oin", bundle),
                "kind": request.kind if request.kind in catalog.kinds else UNKNOWN,
                "purpose": request.purpose if request.purpose in catalog.purposes else UNKNOWN,
                "fields": [
                    {"name": name if name in catalog.fields else UNKNOWN} for name, _ in request.fields
                ],
                "strict": request.strict,
                "subjects": request.subjects,
            },
        },
        "context": {
            "time": _utc(request.at),
            "claims": sorted(name for name in request.claims if name in catalog.assertions),
            "facts": {
                name: {"state": fact.state.value}
                for name, fact in sorted(request.facts.items())
                if name in catalog.facts
            },
            "counters": sorted(name for name in request.counters if name in catalog.facts),
        },
    }


def _described_party(party: Party, key: str, bundle: Bundle) -> dict[str, Any]:
    known = party.role in bundle.catalog.roles
    try:
        oin = Oin(party.oin) if known else UNKNOWN
    except InvalidInput:
        oin = UNKNOWN
    role = party.role if known else UNKNOWN
    return {key: oin, "properties": {"role": role}} if key == "id" else {key: oin, "role": role}


def _uuid(text: str) -> str:
    """The id of a signal as senders make them (random, or time and random); anything else could be a number."""
    try:
        found = UUID(text)
    except ValueError:
        return UNKNOWN
    return str(found) if found.version in (4, 7) else UNKNOWN


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
