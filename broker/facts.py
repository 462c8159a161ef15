# SPDX-License-Identifier: EUPL-1.2
"""Facts, proven by the broker from registers at the moment of deciding; no sender can assert one.

A register fact such as `certificate_valid` is read in the pseudonymisation domain of the *recipient*: the
owner of the register (SNA) keeps one snapshot in each domain where it may prove something. No active snapshot
of an owner of the right role: unknown. A snapshot that does not hold the subject on this day: disproven.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from broker.decide.model import Fact, FactState, Party
from broker.step import RegisterKey, Step
from sluis.policy.bundle import Bundle

OPERATIONS = ("push", "release", "ask", "answer")
MEMO = "register facts"
Specs: TypeAlias = Mapping[str, tuple[str, str]]  # register and role of its owner, by fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a fact is about: a pseudonym in a recipient's domain."""

    agreement: str
    recipient: str
    epoch: str
    pseudonym: bytes

    def in_register(self, register: str) -> RegisterKey:
        """Where a register of this domain holds the subject."""
        return RegisterKey(
            agreement=self.agreement,
            register=register,
            recipient=self.recipient,
            epoch=self.epoch,
            pseudonym=self.pseudonym,
        )


class AboutSubject(Protocol):
    """What names a subject in a recipient's domain: a header, or a signal as it is kept."""

    @property
    def agreement(self) -> str: ...
    @property
    def recipient(self) -> str: ...
    @property
    def epoch(self) -> str: ...
    @property
    def pseudonym(self) -> bytes: ...


def subject_of(signal: AboutSubject) -> Subject:
    """Whom a signal is about, as the broker knows it."""
    return Subject(
        agreement=signal.agreement,
        recipient=signal.recipient,
        epoch=signal.epoch,
        pseudonym=signal.pseudonym,
    )


class FactProver:
    """Knows for each agreement which facts its rules ask, and proves them."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        specs: dict[str, Specs] | None = bundle.memo.get(MEMO)
        if specs is None:  # to look through all rules takes longer than all else at the start of a replica
            specs = bundle.memo[MEMO] = {
                agreement: _specs(bundle, agreement) for agreement in bundle.agreements
            }
        self._specs = specs

    def needs(self, subject: Subject) -> frozenset[RegisterKey]:
        """What to read before a push or a release about the subject is decided."""
        specs = self._specs.get(subject.agreement, {})
        return frozenset(subject.in_register(register) for register, _ in specs.values())

    def prove(self, step: Step, subject: Subject) -> Mapping[str, Fact]:
        """Prove or disprove each fact on the day of the step, in Dutch time."""
        today = step.now.astimezone(self._bundle.zone).date().isoformat()
        facts = {}
        for name, (register, owner_role) in self._specs.get(subject.agreement, {}).items():
            key = subject.in_register(register)
            owners = {oin for oin in step.register_owners(key) if step.role(oin) == owner_role}
            held = any(
                period.owner in owners
                and period.valid_from <= today
                and (not period.valid_until or today <= period.valid_until)
                for period in step.periods(key)
            )
            facts[name] = Fact(
                state=FactState.PROVEN if held else FactState.DISPROVEN if owners else FactState.UNKNOWN,
                source=f"register:{register}",
                asserter=self._owner(min(owners), owner_role) if owners else None,
            )
        return facts

    def _owner(self, oin: str, role: str) -> Party:
        return Party(oin=oin, role=role, sector=self._bundle.sector_of(role))


def _specs(bundle: Bundle, agreement: str) -> Specs:
    return {
        name: (spec.register_name, spec.owner_role)
        for operation in OPERATIONS
        for name, spec in bundle.register_facts(agreement, operation).items()
    }
