# SPDX-License-Identifier: EUPL-1.2
"""Every denial is an answer and a log entry, forwards nothing, and repeats no word that the rules do not know."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import pytest

from broker.storage.port import PartyStatus
from sluis.envelope import Field
from sluis.header import Delivery
from sluis.policy.catalog import ENGINE_CODES
from sluis.v1 import envelope_pb2, exchange_pb2
from sluis.wire import receipt_from_wire
from tests.actors import cast
from tests.world import CLAIMS, FIRM, ORIGIN, VALUES, World, bundle

BSN = "999990019"
NOBODY = cast().stranger.oin
BODY, SNA = cast().body.oin, cast().sna.oin

# What differs from a permitted fine, and the reason of the denial.
DENIALS: list[tuple[str, dict[str, Any]]] = [
    ("PROVISION_NOT_LISTED", {"claims": {**CLAIMS, "provision": "WML 13a"}}),
    ("PROVISION_NOT_LISTED", {"claims": {"decided_on": "2026-03-02"}}),
    ("LOOKBACK", {"claims": {**CLAIMS, "decided_on": "2024-06-21"}}),
    ("LOOKBACK", {"claims": {**CLAIMS, "decided_on": "2026-06-23"}}),
    ("LOOKBACK", {"claims": {"provision": "WML 7"}}),
    ("NO_CERTIFICATE", {"subject": b"nobody certified"}),
    ("WRONG_CHANNEL", {"recipient": BODY}),
    ("WRONG_CHANNEL", {"recipient": BODY, "delivery": Delivery.ON_MATCH}),
    ("WRONG_DELIVERY", {"sender": SNA, "recipient": BODY}),
    ("BSN_PRIVATE", {"fields": {"bsn": BSN}}),
    ("BSN_PRIVATE", {"fields": {"payroll_tax_number": f"{BSN}L01", "law": "WML"}, "strict": True}),
    ("SPECIAL_CATEGORY", {"fields": {"union_membership": "x"}}),
    ("CRIMINAL_NO_BASIS", {"fields": {"conviction": "x"}}),
    ("WORKER_IDENTITY", {"fields": {"worker_name": "Jansen"}}),
    ("FIELD_NOT_LISTED", {"fields": {"director_name": "Jansen"}}),
    ("FIELD_NOT_LISTED", {"fields": {**VALUES, "report_text": "x"}, "strict": True}),
    ("CATEGORY_MISMATCH", {"fields": [Field(name="law", category="address", value=b"WML")]}),
    ("NO_RULE", {"kind": "CERTIFICATE_STATUS"}),
    ("NO_RULE", {"sender": BODY, "recipient": SNA}),
    ("UNKNOWN_PARTY", {"recipient": NOBODY}),
    ("UNKNOWN_AGREEMENT", {"agreement": f"kvk-{BSN}"}),
    ("UNKNOWN_AGREEMENT", {"agreement": "00-algemeen"}),
    ("UNKNOWN_KIND", {"kind": f"BSN-{BSN}"}),
    ("UNKNOWN_PURPOSE", {"purpose": f"P.{BSN}"}),
    ("UNKNOWN_FIELD", {"fields": [Field(name=f"f_{BSN}", category=f"c-{BSN}", value=BSN.encode())]}),
    ("UNKNOWN_FIELD", {"fields": [Field(name=f"f_{BSN}", category="bsn", value=b"")], "strict": True}),
    ("UNKNOWN_CLAIM", {"claims": {**CLAIMS, f"c_{BSN}": "1"}}),
    ("UNKNOWN_CLAIM", {"claims": {**CLAIMS, "remark": BSN}}),
    ("CLAIM_MALFORMED", {"claims": {**CLAIMS, "provision": BSN}}),
    ("CLAIM_MALFORMED", {"claims": {**CLAIMS, "decided_on": f"2026-03-02 {BSN}"}}),
]


def stored(world: World) -> Mapping[str, int]:
    """How many signals and deliveries the database holds."""
    with closing(sqlite3.connect(world.folder / "broker.db")) as database:
        return {
            table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("signal", "delivery")
        }


def assert_denied(world: World, answer: exchange_pb2.PushResponse, reason: str) -> dict[str, Any]:
    """A denial with this first reason, logged, promised, and without effect; returns its entry."""
    assert answer.decision.effect == envelope_pb2.EFFECT_DENY
    assert answer.decision.reasons[0].code == reason
    assert list(answer.decision.released) == []
    receipt = receipt_from_wire(answer.receipt)
    receipt.verify(world.receipt_key.public, log_origin=ORIGIN, entry=answer.entry)
    assert receipt.log_index == world.size - 1
    entry = world.entries(receipt.log_index)[0]
    assert world.raw_entries(receipt.log_index) == [answer.entry]
    assert (entry["operation"], entry["decision"], entry["outcome"]) == ("signal.push", "deny", "refused")
    assert entry["reasons"][0]["code"] == reason
    assert entry["released"] == []
    assert stored(world) == {"signal": 0, "delivery": 0}
    return entry


@pytest.mark.parametrize(
    ("reason", "changes"), DENIALS, ids=[f"{i}-{code}" for i, (code, _) in enumerate(DENIALS)]
)
async def test_a_denial_is_logged_with_its_reason_and_has_no_other_effect(
    world: World, reason: str, changes: dict[str, Any]
) -> None:
    await world.certify(FIRM)
    await world.certify(FIRM, recipient=world.cast.body)
    changes = dict(changes)
    strict = changes.pop("strict", False)
    envelope = world.envelope(changes.pop("subject", FIRM), **changes)
    answer = await world.push(envelope, strict=strict)
    entry = assert_denied(world, answer, reason)
    assert BSN.encode() not in answer.entry
    assert BSN not in answer.decision.SerializeToString().decode("latin-1")
    unknown = {name: "?" for name in ("agreement", "kind", "purpose") if reason == f"UNKNOWN_{name.upper()}"}
    if envelope.header.agreement == "00-algemeen":
        unknown["agreement"] = "00-algemeen"  # the rules know the word; nobody can exchange under it
    shown = {"agreement": "waadi-14b", "kind": envelope.header.kind, "purpose": "CERTIFICAATBEOORDELING"}
    assert {name: entry[name] for name in shown} == {**shown, **unknown}


def test_the_table_holds_every_reason_that_a_push_under_this_agreement_can_be_denied_for() -> None:
    elsewhere = {
        "RULE_NOT_IN_FORCE": "test_decide",
        "STRICT": "never the first reason",
        "NO_FIELDS": "a push without kept fields is malformed",
        "NOT_OWN_DOMAIN": "a register in one's own domain",
        "RULE_STOPPED": "below",
        **dict.fromkeys(("WATCH_TOO_LARGE", "WATCH_TOO_LONG"), "test_watch"),
        "PURPOSE_LOCK": "test_policy_cases",
        "SECRECY": "test_policy_cases",
        **dict.fromkeys(
            ("DEBT_TOO_OLD", "NOT_REQUESTED", "NO_COPY", "NO_SUSPICION", "NO_GATE"),
            "test_policy_cases: rules that ended on 30 June 2026",
        ),
        "ENGINE_ERROR": "test_decide",
    }
    rules = bundle().agreements["waadi-14b"].rules
    codes = {condition.otherwise for rule in rules for condition in rule.conditions}
    codes |= {rule.code for rule in rules if rule.code}
    named = {code for code, _ in DENIALS}
    assert ENGINE_CODES | codes <= named | elsewhere.keys()
    assert named <= bundle().catalog.reasons.keys()


async def test_an_unregistered_recipient_is_not_named_in_the_log(world: World) -> None:
    answer = await world.push(world.envelope(FIRM, recipient=NOBODY))
    entry = assert_denied(world, answer, "UNKNOWN_PARTY")
    assert entry["recipient"] == "?"
    assert NOBODY.encode() not in answer.entry


async def test_all_unknown_words_at_once_are_all_reasons_and_none_is_repeated(world: World) -> None:
    envelope = world.envelope(
        FIRM,
        agreement=f"a{BSN}",
        kind=f"k{BSN}",
        purpose=f"p{BSN}",
        recipient=NOBODY,
        claims={f"c{BSN}": BSN, "provision": BSN},
        fields=[
            Field(name=f"f{BSN}", category="x", value=b""),
            Field(name="law", category="organisation", value=b""),
        ],
    )
    answer = await world.push(envelope)
    entry = assert_denied(world, answer, "UNKNOWN_PARTY")
    assert [item["code"] for item in entry["reasons"]] == [
        *("UNKNOWN_PARTY", "UNKNOWN_AGREEMENT", "UNKNOWN_KIND", "UNKNOWN_PURPOSE"),
        *("UNKNOWN_FIELD", "UNKNOWN_CLAIM", "CLAIM_MALFORMED"),
    ]
    assert entry["reasons"][4]["params"] == {"position": "1"}
    assert [item["name"] for item in entry["withheld"]] == ["law"]
    assert BSN.encode() not in answer.entry


async def test_a_sender_cannot_prove_a_fact_by_claiming_it(world: World) -> None:
    answer = await world.push(world.envelope(FIRM, claims={**CLAIMS, "certificate_valid": "true"}))
    assert_denied(world, answer, "UNKNOWN_CLAIM")


async def test_a_register_proves_only_in_the_domain_it_was_loaded_in(world: World) -> None:
    await world.certify(FIRM, recipient=world.cast.body)
    await world.certify(FIRM, epoch="2025")
    entry = assert_denied(world, await world.push(world.envelope(FIRM)), "NO_CERTIFICATE")
    assert [fact["state"] for fact in entry["facts"]] == ["unknown"]
    await world.certify(b"another firm....")
    entry = assert_denied(world, await world.push(world.envelope(FIRM)), "NO_CERTIFICATE")
    assert [fact["state"] for fact in entry["facts"]] == ["disproven"]


async def test_a_register_of_another_name_proves_nothing(world: World) -> None:
    await world.certify(FIRM, register_name="certificates-draft")
    assert_denied(world, await world.push(world.envelope(FIRM)), "NO_CERTIFICATE")


async def test_a_stopped_recipient_gets_nothing(world: World) -> None:
    await world.certify(FIRM)
    world.operator.set_status(SNA, PartyStatus.STOPPED, "test")
    entry = assert_denied(world, await world.push(world.envelope(FIRM)), "UNKNOWN_PARTY")
    assert entry["recipient"] == "?"
    world.operator.set_status(SNA, PartyStatus.ACTIVE, "test")
    assert (await world.push(world.envelope(FIRM))).decision.effect == envelope_pb2.EFFECT_PERMIT


@pytest.mark.parametrize(
    ("scope", "target"), [("agreement", "waadi-14b"), ("rule", "fine-to-foundation-until-2026-06-30")]
)
async def test_a_stopped_agreement_or_rule_denies_from_the_next_push_on(
    world: World, scope: str, target: str
) -> None:
    await world.certify(FIRM)
    world.operator.stop(scope, target, "test")
    answer = await world.push(world.envelope(FIRM))
    entry = assert_denied(world, answer, "RULE_STOPPED")
    assert entry["reasons"][0]["params"] == {"scope": scope, "target": target}
    assert {item["reason"] for item in entry["withheld"]} == {"RULE_STOPPED"}
    assert entry["obligations"] == {}
    world.operator.resume(scope, target, "test")
    assert (await world.push(world.envelope(FIRM))).decision.effect == envelope_pb2.EFFECT_PERMIT


async def test_a_stop_of_another_rule_stops_nothing_here(world: World) -> None:
    await world.certify(FIRM)
    world.operator.stop("rule", "fine-to-foundation-from-2026-07-01", "test")
    assert (await world.push(world.envelope(FIRM))).decision.effect == envelope_pb2.EFFECT_PERMIT
