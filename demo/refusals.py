# SPDX-License-Identifier: EUPL-1.2
"""Every refusal that the rules exist for, played over the wire: the cases of `policies/cases/weigeringen.yaml`.

Each is asked beforehand (a dry run) and then really offered: sealed by the sender's kit, decided by the broker.
Where the rules know no exchange between two parties at all, the evaluators have no key, so nothing can be offered.
Dates move along with the day on which the demo runs; every case asks for all or nothing. One exchange passes in
part: what the law does not let through stays behind, the rest arrives.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

from adapters.json_lines import keep_in
from demo.cast import CastMember
from demo.stage import Stage
from sluis.client import Kit
from sluis.client.foresight import foresee
from sluis.client.receiver import ReceivedSignal
from sluis.client.sender import Draft, PushOutcome
from sluis.encoding import lp
from sluis.header import Delivery
from sluis.identifiers import Identifier, IdentifierType
from sluis.policy.bundle import Bundle, default_directory
from sluis.policy.cases import Case, load_cases
from sluis.policy.catalog import ClaimSpec, ValueSpec
from sluis.policy.facts import StatedFact, Statement
from sluis.policy.schema import read_date

FILE: Final = "weigeringen"
STATED_AGO: Final = timedelta(minutes=10)
KEPT: Final = timedelta(days=365)
# Invented, of the right form; the BSN is from the test range.
SUBJECTS: Final = {
    "kvk": "00999901",
    "vestiging": "099900009999",
    "bsn": "999990019",
    "bag": "0599010000999999",
    "oin": "00000099000000001000",
}
VALUES: Final = {
    "bsn": SUBJECTS["bsn"],
    "bag_id": SUBJECTS["bag"],
    "establishment_number": SUBJECTS["vestiging"],
    "kvk_number": SUBJECTS["kvk"],
    "article": "7",
    "law": "WML",
}
REPORTED: Final = ("establishment_number", "law", "article", "decided_on")
REPORT: Final[Mapping[str, object]] = {
    "naam": "E04",
    "afspraak": "wml-18p",
    "datum": "2026-11-23",
    "handeling": "push",
    "van": "labour-inspectorate",
    "naar": "cao-supervisor",
    "aflevering": "mailbox",
    "soort": "WML_FINE",
    "doel": "CAO-TOEZICHT",
    "besluit": "toegestaan",
    "beweringen": {"provision": "WML 7", "decided_on": "2026-03-02"},
    "verklaard": ["supervisor_recognised"],
}
PERSON: Final = "Agnieszka Nowakowska-Zielinska"
# What may show up in no byte at the broker or an evaluator.
CANARIES: Final = (SUBJECTS["bsn"], SUBJECTS["bag"], SUBJECTS["vestiging"], PERSON)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """What became of one case."""

    case: Case
    foreseen: str  # the reason in the dry run
    sentence: str
    outcome: PushOutcome | None  # none: the evaluators have no key for such an exchange

    @property
    def holds(self) -> bool:
        """Whether it was refused for the reason that the case names, beforehand and in earnest."""
        wanted = self.case.reason
        return self.foreseen == wanted and (
            self.outcome is None or (not self.outcome.permitted and self.outcome.reason == wanted)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PartlyReleased:
    """The exchange that passed in part, as sender and recipient saw it."""

    outcome: PushOutcome
    received: Sequence[ReceivedSignal]

    @property
    def holds(self) -> bool:
        """Whether the recipient got exactly the fields that the broker released."""
        return (
            self.outcome.permitted
            and set(self.outcome.withheld) == {"bsn", "fine_amount"}
            and [set(signal.fields) & {"bsn", "fine_amount"} for signal in self.received] == [set()]
        )


class Refusals:
    """Plays the cases on a stage. `certified` is a firm with a valid certificate."""

    def __init__(self, stage: Stage, today: date, certified: Identifier) -> None:
        self._stage = stage
        self._today = today
        self._certified = certified
        self._by_role = {member.role: member for member in reversed(stage.cast.participants)}

    async def play(self) -> list[Refused]:
        """Play every case."""
        directory = default_directory()
        async with Kit.open(self._stage.settings(self._stage.cast.inspectorate)) as kit:
            bundle = kit.bundle
        cases = [case for case in load_cases(directory, bundle) if case.file == FILE]
        return [await self._play(case) for case in cases]

    async def release_in_part(self) -> PartlyReleased:
        """The inspectorate reports a fine to the cao supervisor with more than may pass."""
        return await self.report((*REPORTED, "bsn", "fine_amount"))

    async def report(self, fields: Sequence[str], *, seconds: int | None = None) -> PartlyReleased:
        """The inspectorate reports a fine to the cao supervisor, who keeps it; to live for so many seconds."""
        case = Case.model_validate({**REPORT, "velden": list(fields)})
        recipient = self._by_role["cao-supervisor"]
        async with self._kit(case) as kit:
            draft = self._draft(case, kit.bundle)
            if seconds is not None:
                ends = datetime.now(UTC) + timedelta(seconds=seconds)
                draft = replace(
                    draft,
                    identity=lp(draft.identity, "short-lived"),
                    expires_at_ms=int(ends.timestamp() * 1000),
                )
            (outcome,) = await kit.sender.push([draft])
        received: list[ReceivedSignal] = []
        keep = keep_in(recipient.folder / "received.jsonl")

        async def keep_and_note(signals: Sequence[ReceivedSignal]) -> None:
            await keep(signals)
            received.extend(signals)

        async with Kit.open(self._stage.settings(recipient)) as kit:
            await kit.receiver.receive(keep_and_note)
        return PartlyReleased(outcome=outcome, received=received)

    async def _play(self, case: Case) -> Refused:
        async with self._kit(case) as kit:
            draft = replace(self._draft(case, kit.bundle), strict=True)
            (told,) = await foresee([draft], case.agreement, kit.connections, kit.bundle, case.proven)
            outcome: PushOutcome | None = None
            if (case.sender, case.recipient) in kit.bundle.flows(case.agreement):
                (outcome,) = await kit.sender.push([draft])
        return Refused(case=case, foreseen=told.reason, sentence=told.dutch, outcome=outcome)

    def _kit(self, case: Case) -> AbstractAsyncContextManager[Kit]:
        settings = self._stage.settings(self._member(case.sender))
        return Kit.open(settings.model_copy(update={"agreement": case.agreement}))

    def _member(self, role: str) -> CastMember:
        return self._by_role[role]

    def _draft(self, case: Case, bundle: Bundle) -> Draft:
        moved = {name: self._move(value, case.day) for name, value in case.claims.items()}
        stated = {name: self._state(name, case, bundle) for name in case.stated}
        fields = {name: self._value(name, bundle) for name in case.fields}
        for name, value in moved.items():  # what a claim repeats is sealed as well
            claim = bundle.claims.get(name)
            if isinstance(claim, ClaimSpec):
                fields |= dict(zip(claim.equals, value.split(" "), strict=False))
        return Draft(
            identity=lp("demo", case.name),
            recipient=self._member(case.recipient).oin,
            subject=self._subject(case, bundle),
            kind=case.kind,
            purpose=case.purpose,
            delivery=Delivery(case.delivery),
            fields=fields,
            claims=moved | stated,
            expires_at_ms=int((datetime.now(UTC) + KEPT).timestamp() * 1000),
        )

    def _move(self, value: str, day: date) -> str:
        """A date of the case, as far from today as it was from the day of the case."""
        try:
            return (read_date(value) + (self._today - day)).isoformat()
        except ValueError:
            return value

    def _state(self, name: str, case: Case, bundle: Bundle) -> str:
        spec = bundle.catalog.facts[name]
        if not isinstance(spec, StatedFact):
            raise TypeError("a case states what nobody can state")
        return ",".join(
            str(
                Statement(
                    person=f"demo-{number}",
                    organisation=self._member(case.sender).oin,
                    function=min(spec.functions),
                    at=datetime.now(UTC) - STATED_AGO,
                    reason=next(iter(spec.reasons)),
                )
            )
            for number in range(1, spec.persons + 1)
        )

    def _subject(self, case: Case, bundle: Bundle) -> Identifier:
        sort = bundle.catalog.kinds[case.kind].subject
        if sort == "vestiging" and "certificate_valid" in case.proven:
            return self._certified
        return Identifier(type=IdentifierType(sort), value=SUBJECTS[sort])

    def _value(self, name: str, bundle: Bundle) -> str:
        return VALUES.get(name) or _sample(bundle.fields[name].value, self._today)


def _sample(spec: ValueSpec, today: date) -> str:
    """A value of the right form."""
    samples: Mapping[str, str] = {
        "text": PERSON if spec.max_length and spec.max_length >= len(PERSON) else "onbekend",
        "date": today.isoformat(),
        "whole-number": "3",
        "choice": (spec.values or ("",))[0],
    }
    return samples.get(spec.type, "")
