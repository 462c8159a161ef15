# SPDX-License-Identifier: EUPL-1.2
"""The signal that takes the place of a wrong one. It comes with the `correct` that announces it, never alone.

It is not decided under the rules of this moment, since the duty to correct outlives them. So it may differ from the
first in its content only: same parties, agreement, kind, purpose, way of delivery and subject, and no field that the
first did not release. Its entry `signal.correct` carries the rules and duties of the first.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from broker.decide.engine import claims_fit
from broker.decide.model import Party, Request
from broker.exchange import Desk, check_times, kept_fields
from broker.facts import subject_of
from broker.followup.duties import owe_after_release, severity_of
from broker.kept_signal import keep_signal
from broker.match.watch import Watching
from broker.record import bind_signal
from broker.retention.terms import replacement_term
from broker.step import Logged, Needs, Step, new_salt
from broker.storage.follow_up_port import KnownSignal
from broker.storage.port import Delivery, StoredSignal
from sluis.encoding import lp
from sluis.envelope import Envelope, KeptField, withhold
from sluis.errors import Conflict, InvalidInput
from sluis.followup import FollowUp
from sluis.header import Delivery as DeliveryMode
from sluis.header import Header
from sluis.policy.bundle import Bundle
from sluis.policy.rules import Operation
from sluis.receipt import WithheldField
from sluis.v1 import envelope_pb2
from sluis.wire import envelope_from_wire, envelope_to_wire

NOT_IN_FIRST = "NOT_IN_FIRST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """A sealed signal, checked as any other that is offered."""

    envelope: Envelope
    current_key: bool

    @property
    def signal_id(self) -> bytes:
        """Its id."""
        return self.envelope.header.signal_id.bytes

    def digest(self) -> bytes:
        """What makes it this signal and no other."""
        envelope = self.envelope
        return hashlib.sha256(lp(envelope.header_bytes, envelope.root(), envelope.signature)).digest()


def check_replacement(
    step: Step, bundle: Bundle, replacement: Replacement, first: KnownSignal, statement: FollowUp
) -> None:
    """Insist that it differs from the first in its content only.

    Raises InvalidInput `not-a-correction`, Conflict `signal-exists`, and what `check_times` raises.
    """
    header = replacement.envelope.header
    if step.signal_exists(replacement.signal_id):
        raise Conflict("signal-exists")
    check_times(header, step, current_key=replacement.current_key)
    named = (header.signal_id, header.previous) == (statement.replacement, statement.signal_id)
    same = (
        (header.sender, header.recipient, header.agreement, header.kind, header.purpose)
        == (first.sender, first.recipient, first.agreement, first.kind, first.purpose)
    ) and (header.delivery, header.epoch, header.pseudonyms) == (
        (first.delivery, first.epoch, _pseudonyms(first))
    )
    if not named or not same:
        raise InvalidInput("not-a-correction")
    if not _released(step, bundle, replacement, first) or not _claims_fit(step, bundle, replacement):
        raise InvalidInput("not-a-correction", "no field of it was released before, or a claim is unknown")


def put_in_place(step: Step, desk: Desk, replacement: Replacement, first: KnownSignal) -> Logged:
    """Log and keep it as the first was kept, with at most the fields that the first released."""
    envelope, header = replacement.envelope, replacement.envelope.header
    released = _released(step, desk.bundle, replacement, first)
    withheld = [
        (index, item.name)
        for index, item in enumerate(envelope.fields)
        if isinstance(item, KeptField) and item.name not in released
    ]
    entry = _entry(step, first)
    salt = new_salt()
    logged = step.log(
        {
            **{name: entry[name] for name in ("sender", "recipient", "agreement", "kind", "purpose")},
            **{name: entry[name] for name in ("rules", "obligations", "policy")},
            "operation": "signal.correct",
            "decision": "permit",
            "reasons": [],
            "facts": [],
            "released": sorted(released),
            "withheld": [{"name": name, "reason": NOT_IN_FIRST, "rule": ""} for _, name in withheld],
            "exchange": str(header.signal_id),
            "replaces": str(header.previous),
            "anchor": first.pushed_index,
            "delivery": header.delivery.value,
            "outcome": header.delivery.value,
            "binding": bind_signal(salt, header.pseudonym, envelope.root()).hex(),
        },
        salt=salt,
    )
    kept = _keep(step, desk, replacement, [index for index, _ in withheld], logged, first)
    if header.delivery is DeliveryMode.ON_MATCH:
        _tell(step, desk, kept, header)
    else:
        step.deliver(
            Delivery(log_index=logged.index, recipient=header.recipient, signal_id=header.signal_id.bytes)
        )
        owe_after_release(
            step,
            logged.index,
            sender=header.sender,
            recipient=header.recipient,
            signal_id=header.signal_id.bytes,
            severity=severity_of(header.claims),
            obligations=entry["obligations"],
            bundle=desk.bundle,
        )
    return logged


def _keep(
    step: Step,
    desk: Desk,
    replacement: Replacement,
    withheld: Sequence[int],
    logged: Logged,
    first: KnownSignal,
) -> StoredSignal:
    envelope, header = replacement.envelope, replacement.envelope.header
    [before] = step.tx.retention.signals([first.signal_id])
    term = replacement_term(before, header.expires_at_ms)
    fields = [WithheldField(index=index, reason=NOT_IN_FIRST, rule_id="") for index in withheld]
    signal = keep_signal(
        step,
        header,
        logged.index,
        envelope_to_wire(withhold(envelope, withheld)),
        desk.signer.redaction(envelope, fields),
        term,
    )
    if before.lost_at_ms is not None:
        # The months after a lost certificate go on: a correction does not let them begin anew.
        until_ms = min(before.retain_until_ms, term.until_ms)
        step.tx.retention.set_loss(header.signal_id.bytes, before.lost_at_ms, until_ms)
    return signal


def _tell(step: Step, desk: Desk, signal: StoredSignal, header: Header) -> None:
    """A recipient that watches for the subject hears of the right signal as of any other that is deposited.

    In an epoch in which nobody asks any more it does not.
    """
    watching = Watching(desk)
    registers = watching.needs(header) | desk.prover.needs(subject_of(header))
    step.read_more(Needs(parties=frozenset({header.recipient}), registers=registers))
    if step.calendar.is_open(header.epoch):
        watching.tell(step, signal, header)


def _pseudonyms(first: KnownSignal) -> tuple[bytes, ...]:
    """All pseudonyms of the first; the header says them also of one that is emptied of its content."""
    if not first.envelope:
        return (first.pseudonym,)
    envelope = envelope_from_wire(envelope_pb2.Envelope.FromString(first.envelope))
    return (first.pseudonym, *envelope.header.aliases)


def _entry(step: Step, first: KnownSignal) -> Mapping[str, Any]:
    entry: Mapping[str, Any] = json.loads(step.tx.log_entry(first.pushed_index))
    return entry


def _released(step: Step, bundle: Bundle, replacement: Replacement, first: KnownSignal) -> frozenset[str]:
    """The fields of the replacement that the first released, in the category of the catalogue."""
    before = frozenset(_entry(step, first)["released"])
    return frozenset(
        name
        for name, category in kept_fields(replacement.envelope)
        if name in before and name in bundle.fields and bundle.fields[name].category == category
    )


def _claims_fit(step: Step, bundle: Bundle, replacement: Replacement) -> bool:
    """Whether each claim is a word of the catalogue in its form: the broker passes no other text on."""
    header = replacement.envelope.header
    nobody = Party(oin="", role="", sector="")
    request = Request(
        operation=Operation.PUSH,
        sender=nobody,
        recipient=nobody,
        agreement=header.agreement,
        kind=header.kind,
        purpose=header.purpose,
        fields=(),
        claims=header.claims,
        at=step.now,
    )
    return claims_fit(request, bundle.catalog)
