# SPDX-License-Identifier: EUPL-1.2
"""The steps of findings as work for the committer: each is an entry of the log before it counts.

{"operation": "finding.draw", "reader": "fg-1", "organisation": OIN, "role": "officer", "first": 0, "end": 5120,
 "size": 5131, "seed": HEX, "population": 4000, "drawn": 412, "digest": SHA-256 of what was drawn}
{"operation": "finding.assign", ..., "finding": "f5131-7", "to": "fg-2"}
{"operation": "finding.conclude", ..., "finding": "f5131-7", "conclusion": "breach", "four_eyes": true, "reason": "..."}

`finding.open`, `finding.confirm` and `finding.send-back` name the finding. `size` is that of the log whose root gave
the seed (`sampling.py`). The second officer is checked inside the transaction.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Protocol

from broker.oversight.findings import Anomaly, Conclusion, Finding, State
from broker.oversight.sampling import Candidate, Ground, Refusals, Sampled, digest_of, draw, seed_of
from broker.step import Needs, Step
from broker.storage.finding_port import DrawRow, FindingRow
from sluis.errors import Conflict, NotFound


class By(Protocol):
    """Who takes the step: an officer of the console, and as the log describes her."""

    @property
    def reference(self) -> str: ...
    @property
    def scope(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """What may be drawn from: entries first <= index < end of one organisation, or of all."""

    first: int
    end: int
    candidates: Sequence[Candidate]
    first_use: Mapping[tuple[str, str], date]
    refusals: Sequence[Refusals] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Draw from a population, under a seed that nobody knew when the population was fixed."""

    by: By
    described: Mapping[str, str]
    population: Population

    def needs(self) -> Needs:
        """Nothing but the head."""
        return Needs()

    def settle(self, step: Step) -> int:
        """Draw and open the findings; how many. Raises Conflict `wrong-state` when others drew meanwhile."""
        scope, population = self.by.scope, self.population
        before = step.tx.draws(scope)
        if (before[-1].end_index if before else 0) != population.first or population.end <= population.first:
            raise Conflict("wrong-state", "these entries were drawn from already")
        tree = step.tx.head.tree
        seed = seed_of(tree.root(), scope, population.first, population.end)
        known = step.tx.known_subjects(scope, [item.exchange for item in population.candidates])
        fresh = [item for item in population.candidates if item.exchange not in known]
        sample = draw(fresh, seed, population.first_use)
        logged = step.log(
            {
                "operation": "finding.draw",
                **self.described,
                "first": population.first,
                "end": population.end,
                "size": tree.size,
                "seed": seed.hex(),
                "population": len({item.exchange for item in fresh}),
                "drawn": len(sample),
                "refusals": len(population.refusals),
                "digest": digest_of(sample),
            }
        )
        found = self._findings(sample, logged.index, step.now_ms)
        for finding in found:
            step.put_finding(row_of(finding))
        step.tx.add_draw(
            DrawRow(
                organisation=scope,
                first_index=population.first,
                end_index=population.end,
                log_index=logged.index,
                drawn=len(found),
            )
        )
        return len(found)

    def _findings(self, sample: Sequence[Sampled], index: int, now_ms: int) -> list[Finding]:
        scope = self.by.scope
        drawn = [
            Finding(
                finding_id=f"f{index}-{number}",
                organisation=scope,
                subject=item.candidate.exchange,
                ground=item.ground,
                log_index=item.candidate.log_index,
                opened_at_ms=now_ms,
                about={"rule": item.candidate.rule, "exchange": item.candidate.exchange},
            )
            for number, item in enumerate(sample)
        ]
        refused = [
            Finding(
                finding_id=f"f{index}-{number}",
                organisation=scope,
                subject=f"refusals-{index}-{number}",
                ground=Ground.REFUSALS,
                log_index=item.log_index,
                opened_at_ms=now_ms,
                about={
                    "sender": item.sender,
                    "recipient": item.recipient,
                    "reason": item.reason,
                    "count": str(item.count),
                },
            )
            for number, item in enumerate(self.population.refusals, start=len(sample))
        ]
        return [*drawn, *refused]


def anomaly_subject(key: str) -> str:
    """What a finding of an anomaly is about."""
    return f"anomaly-{key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAnomaly:
    """Make a finding of an anomaly; the same anomaly is opened once."""

    by: By
    described: Mapping[str, str]
    anomaly: Anomaly
    key: str  # tells this anomaly from others: its code, parties and day
    log_index: int

    def needs(self) -> Needs:
        """Nothing but the head."""
        return Needs()

    def settle(self, step: Step) -> str:
        """Open it; its id. Raises Conflict `wrong-state` when it was opened before."""
        subject = anomaly_subject(self.key)
        if step.tx.known_subjects(self.by.scope, [subject]):
            raise Conflict("wrong-state", "a finding of this was opened before")
        logged = step.log({"operation": "finding.open", **self.described, "anomaly": self.anomaly.code})
        finding = Finding(
            finding_id=f"f{logged.index}-0",
            organisation=self.by.scope,
            subject=subject,
            ground=Ground.ANOMALY,
            log_index=self.log_index,
            opened_at_ms=step.now_ms,
            about={
                "code": self.anomaly.code,
                "text": self.anomaly.text,
                **{f"link{number}": link for number, link in enumerate(self.anomaly.links)},
            },
        )
        step.put_finding(row_of(finding))
        return finding.finding_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """One step of a finding: `assign`, `conclude`, `confirm` or `send-back`."""

    by: By
    described: Mapping[str, str]
    finding_id: str
    step_name: str
    to: str = ""
    conclusion: Conclusion | None = None
    reason: str = ""

    def needs(self) -> Needs:
        """Nothing but the head."""
        return Needs()

    def settle(self, step: Step) -> State:
        """Take the step. Raises NotFound, Conflict `wrong-state`, NotPermitted `not-your-role`."""
        row = step.finding(self.by.scope, self.finding_id)
        if row is None:
            raise NotFound("not-found")
        before = finding_of(row)
        after, said = self._after(before)
        step.log(
            {
                "operation": f"finding.{self.step_name}",
                **self.described,
                "finding": self.finding_id,
                **said,
            }
        )
        step.put_finding(row_of(after))
        return after.state

    def _after(self, before: Finding) -> tuple[Finding, dict[str, object]]:
        me = self.by.reference
        if self.step_name == "assign":
            return before.assigned(self.to), {"to": self.to}
        if self.step_name == "conclude" and self.conclusion is not None:
            after = before.concluded(me, self.conclusion, self.reason)
            said: dict[str, object] = {
                "conclusion": self.conclusion.value,
                "four_eyes": after.state is State.PROPOSED,
                "reason": self.reason,
            }
            return after, said
        if self.step_name == "confirm":
            conclusion = before.conclusion
            return before.confirmed(me), {"conclusion": conclusion.value if conclusion else ""}
        if self.step_name == "send-back":
            return before.sent_back(me), {"reason": self.reason}
        raise NotFound("not-found")


def row_of(finding: Finding) -> FindingRow:
    """A finding as it is stored."""
    content = {
        "ground": finding.ground.value,
        "opened_at_ms": finding.opened_at_ms,
        "about": dict(finding.about),
        "reviewer": finding.reviewer,
        "second_reviewer": finding.second_reviewer,
        "conclusion": finding.conclusion.value if finding.conclusion else "",
        "reason": finding.reason,
    }
    return FindingRow(
        finding_id=finding.finding_id,
        organisation=finding.organisation,
        subject=finding.subject,
        state=finding.state.value,
        log_index=finding.log_index,
        content=json.dumps(content, ensure_ascii=False, sort_keys=True),
    )


def finding_of(row: FindingRow) -> Finding:
    """A stored finding."""
    content: dict[str, Any] = json.loads(row.content)
    conclusion = content.pop("conclusion")
    finding = Finding(
        finding_id=row.finding_id,
        organisation=row.organisation,
        subject=row.subject,
        log_index=row.log_index,
        state=State(row.state),
        **{**content, "ground": Ground(content["ground"])},
    )
    return replace(finding, conclusion=Conclusion(conclusion) if conclusion else None)
