# SPDX-License-Identifier: EUPL-1.2
"""A permitted exchange to vary, and the installed rules with rules added."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from broker.decide.engine import decide
from broker.decide.model import Decision, Fact, FactState, Party, Request
from sluis.policy.bundle import Bundle, default_directory, load_bundle
from sluis.policy.rules import Rule

DIRECTORY = default_directory()
FILES = {
    f"{folder}/{entry.name}": entry.read_bytes()
    for folder in ("catalog", "agreements")
    for entry in DIRECTORY.joinpath(folder).iterdir()
    if entry.name.endswith(".yaml")
}
# The catalogue and two agreements, for tests that load rules over and over.
FEW = {
    name: data
    for name, data in FILES.items()
    if name.startswith("catalog/") or name.endswith(("/00-algemeen.yaml", "/waadi-14b.yaml"))
}
BUNDLE = load_bundle(DIRECTORY)
NLA = Party(oin="00000001000000000001", role="labour-inspectorate", sector="public")
SNA = Party(oin="00000003000000000002", role="certificate-foundation", sector="private")
BODY = Party(oin="00000003000000000003", role="certification-body", sector="private")
VALID = Fact(state=FactState.PROVEN, source="register:certificates", asserter=SNA)
AUTUMN = datetime(2026, 11, 23, 12, tzinfo=UTC)
FINE = Request(
    operation="push",  # type: ignore[arg-type]  # as the broker writes it
    sender=NLA,
    recipient=SNA,
    agreement="waadi-14b",
    kind="FINE_IMPOSED",
    purpose="CERTIFICAATBEOORDELING",
    delivery="mailbox",
    fields=(("establishment_number", "organisation"), ("law", "organisation")),
    claims={"provision": "WML 7", "decided_on": "2026-03-02"},
    facts={"certificate_valid": VALID},
    at=AUTUMN,
)


def with_rules(*, permits: list[Rule] | None = None, prohibitions: list[Rule] | None = None) -> Bundle:
    """The bundle with rules added to every place where they could decide."""
    rules = {rule.id: rule for rule in (permits or []) + (prohibitions or [])}
    index = dict(BUNDLE.permits)
    for rule in permits or []:
        for operation in rule.operations:
            for sender in rule.sender_roles:
                for recipient in rule.recipient_roles:
                    for kind in rule.kinds:
                        key = ("waadi-14b", operation.value, sender, recipient, kind)
                        index[key] = (*index.get(key, ()), rule)
    against = dict(BUNDLE.prohibitions)
    for rule in prohibitions or []:
        for operation in rule.operations:
            for role in BUNDLE.catalog.roles:
                place = ("waadi-14b", operation.value, role)
                against[place] = (*against.get(place, ()), rule)
    return replace(BUNDLE, permits=index, prohibitions=against, rules={**BUNDLE.rules, **rules})


PERMIT = BUNDLE.rules["fine-to-foundation-from-2026-07-01"]
PROHIBITION = BUNDLE.rules["no-bsn-to-private"]


def outcome(**changes: Any) -> Decision:
    return decide(replace(FINE, **changes), BUNDLE)


def reason(decision: Decision) -> str:
    return decision.reasons[0].code if decision.reasons else ""
