# SPDX-License-Identifier: EUPL-1.2
"""What came of the change of epochs: whether it holds, in words for people, and for the report file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from demo.afterlife_told import Client
from sluis.client.registrar import LoadOutcome
from sluis.client.sender import PushOutcome


@dataclass(slots=True)
class EpochsChanged:
    """Three epochs as the parties and the log tell of them."""

    client: Client
    first: str
    second: str
    third: str
    pushes: list[PushOutcome] = field(default_factory=list)
    sealed_in: dict[UUID, str] = field(
        default_factory=dict
    )  # the epoch in which each fine reached the foundation
    waiting_id: UUID | None = None  # the fine that waits in the first epoch
    pushed_id: UUID | None = None  # the fine that the kit had sealed in the second, and sealed anew
    # the report that lives for seconds in the second epoch
    report_id: UUID | None = None
    report_epochs: Sequence[str] = ()
    copy: str = ""
    # a kit that was not told
    knew: str = ""
    learnt: str = ""
    kept_by_kit: tuple[int, int | None] = (
        0,
        None,
    )  # its pseudonyms of the second epoch, before and after its end
    loads: list[LoadOutcome] = field(default_factory=list)
    # a body that was away
    asked: int = 0
    asked_in: Sequence[str] = ()
    hits: dict[str, tuple[UUID | None, int]] = field(default_factory=dict)  # what it found, by epoch
    # the end of the second epoch
    stays: str = ""  # the code with which the first is kept
    retired_index: int = 0
    destroyed_at: Sequence[int] = ()  # the entries with the evaluators' statements
    seeds: Sequence[Sequence[str]] = ()  # the epochs of which each evaluator has a seed

    def failures(self) -> list[str]:
        """What does not hold of it; empty when all is well."""
        live = [self.first, self.third]
        fines = {self.first: self.waiting_id, self.third: self.pushed_id}
        held = {
            "a signal of the change of epochs was refused": all(one.permitted for one in self.pushes),
            "the new epoch took no signal": list(self.report_epochs) == [self.second],
            "a register was refused in a new epoch": all(load.permitted for load in self.loads)
            and {load.epoch for load in self.loads} == set(live),
            "a kit that missed the change did not seal anew": self.knew == self.second
            and self.learnt == self.third
            and self.sealed_in == {fine: epoch for epoch, fine in fines.items()},
            "a body that missed the change did not ask in both epochs": list(self.asked_in) == live
            and {epoch: found for epoch, (found, _) in self.hits.items()} == fines,
            "an epoch with signals in it could be retired": self.stays == "wrong-state",
            "an epoch of which nothing is left was not retired": self.retired_index > 0
            and self.copy == "DESTROYED",
            "the seeds of a retired epoch were not destroyed": len(set(self.destroyed_at))
            == len(self.seeds)
            == 2
            and all(list(epochs) == live for epochs in self.seeds)
            and min(self.destroyed_at) > self.retired_index,
            "a kit kept pseudonyms of a retired epoch": self.kept_by_kit[0] > 0 and self.kept_by_kit[1] == 0,
        }
        return [text for text, holds in held.items() if not holds]

    def lines(self, console: str) -> list[str]:
        """It as the narrator tells it; `console` is the address of its pages while it goes on, else empty."""
        first, second, third = self.first, self.second, self.third
        old, new = (self.hits.get(epoch, (None, "none"))[1] for epoch in (first, third))
        body = self.client.body.name
        lines = [
            f"{second} began in place of {first}: both evaluators drew a seed and published their keys, the operator "
            "announced it",
            f"{third} began in its place, in an emergency: {second} takes no signals and no questions any more",
            f"a kit that was not told: NLA sealed a fine in {self.knew}, the broker refused it, the kit asked and "
            f"sealed it in {self.learnt}",
            f"registers: SNA loaded its own and that for {body} again, in {first} and {third}; those for other bodies "
            "when the demo goes on",
            f"a body that was away: {body} showed the broker {self.asked} clients in each of both epochs and found "
            f"a fine of {first}, log index {old}, and one of {third}, {new}",
            f"{second} has ended: the only signal in it is destroyed, so the broker retired it, log index "
            f"{self.retired_index};",
            "  each evaluator had that proven and destroyed its seed, log index "
            + " and ".join(map(str, self.destroyed_at)),
            f"{first} stays until its last signal is gone: signals wait in it, and the broker refuses to retire it",
            "not shown: that a seed was really seen (nothing was), an announcement weeks ahead with registers loaded "
            "before the day, and that no backup of a seed is left",
        ]
        if console:
            lines.append(f"the epochs, with their entries of the log: http://{console}/tijdvakken")
        return lines

    def report(self) -> dict[str, object]:
        """It as the report file holds it."""
        return {
            "begun": [self.first, self.second, self.third],
            "sealed_anew": {"from": self.knew, "in": self.learnt},
            "asked_in": list(self.asked_in),
            "found_in": sorted(self.hits),
            "retired": self.second if self.retired_index else "",
            "destroyed_by": len(set(self.destroyed_at)),
            "seeds": [list(epochs) for epochs in self.seeds],
        }
