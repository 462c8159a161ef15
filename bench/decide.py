# SPDX-License-Identifier: EUPL-1.2
"""Decisions on one core, under the installed rules and under 2,000 generated ones, beside Cedar on the same exchanges.

    python -m bench.decide [--seconds 3] [--rules 2000] [--json]

An exchange is decided as a whole: all its fields, duties and reasons. Cedar (cedarpy, the rules as
`sluis.policy.cedar` writes them) answers a question for each field; questions are written before the clock runs and
policies and schema parsed once. `batch` puts the questions of 20 exchanges in one call, `single` each in a call of its
own. What both let pass is compared. Seconds are of this process's processor, so that a busy machine does not count.
"""

import argparse
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle
from typing import Any

import cedarpy

from bench.exchanges import exchanges
from bench.generated_rules import generated_files
from broker.decide.engine import decide
from broker.decide.model import Decision, Effect, Request
from sluis.errors import Defect
from sluis.policy.bundle import Bundle, default_directory, load_bundle, read_bundle
from sluis.policy.cedar import WHOLE
from tests.differential.cedar_asked import Cedar

EXCHANGES = 2_000
BATCH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast something decides: whole exchanges a second, and microseconds for one."""

    per_second: float
    p50: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One set of rules. `first` is the pace of the engine when no exchange of any sort was decided yet."""

    name: str
    rules: int
    load_seconds: float
    outcomes: Counter[str]
    fields: float
    compared: int
    first: float
    engine: Pace
    cedar_batch: float
    cedar_single: Pace

    @property
    def ratio(self) -> float:
        """Exchanges that the engine decides while Cedar, asked in batches, decides one."""
        return self.engine.per_second / self.cedar_batch


def measure(name: str, load: Callable[[], Bundle], seconds: float) -> Run:
    """Load rules, make exchanges from them, and let the engine and Cedar decide those."""
    started = time.process_time()
    bundle = load()
    load_seconds = time.process_time() - started
    asked = exchanges(bundle, EXCHANGES)
    first = len(asked) / _timed(lambda: [decide(request, bundle) for request in asked])
    decisions = [decide(request, bundle) for request in asked]
    cedar = Cedar(bundle)
    compared = compare(cedar, asked, decisions, seconds)
    return Run(
        name=name,
        rules=len(bundle.rules),
        load_seconds=load_seconds,
        outcomes=Counter(map(outcome, decisions)),
        fields=statistics.mean(len(request.fields) for request in asked),
        compared=compared,
        first=first,
        engine=engine_pace(bundle, asked, seconds),
        cedar_batch=batch_pace(cedar, asked, seconds),
        cedar_single=single_pace(cedar, asked, seconds),
    )


def outcome(decision: Decision) -> str:
    """What became of an exchange, in a word."""
    if decision.effect is Effect.PERMIT:
        return "partial" if decision.withheld else "permit"
    return decision.reasons[0].code


def passing(request: Request, decision: Decision) -> set[str]:
    """The fields that pass; the mark of Cedar's export stands for an exchange without fields."""
    whole = {WHOLE} if decision.effect is Effect.PERMIT and not request.fields else set()
    return {*decision.released} or whole


def compare(cedar: Cedar, asked: Sequence[Request], decisions: Sequence[Decision], seconds: float) -> int:
    """Insist that Cedar lets pass the same, as far as the time goes. Returns how many exchanges were compared.

    Left out is what Cedar cannot say: all or nothing, and that one unknown word refuses the other fields too.
    """
    end, compared = time.perf_counter() + seconds, 0
    for request, decision in zip(asked, decisions, strict=True):
        if time.perf_counter() > end:
            break
        if request.strict or any(reason.code == "UNKNOWN_FIELD" for reason in decision.reasons):
            continue
        allowed = {name for name, answer in cedar.ask([request])[0].items() if answer.allowed}
        if allowed != passing(request, decision):
            raise Defect("defect", f"the engine and Cedar differ on exchange {compared}")
        compared += 1
    return compared


def engine_pace(bundle: Bundle, asked: Sequence[Request], seconds: float) -> Pace:
    """Decide all exchanges over and over; the pace is that of the best round."""
    rounds: list[float] = []
    while sum(rounds) < seconds:
        started = time.process_time()
        for request in asked:
            decide(request, bundle)
        rounds.append(time.process_time() - started)
    singles = [_timed(lambda request=request: decide(request, bundle)) for request in asked]  # type: ignore[misc]
    return _pace(len(asked) / min(rounds), singles)


def batch_pace(cedar: Cedar, asked: Sequence[Request], seconds: float) -> float:
    """Exchanges a second, the questions of 20 in one call."""
    policies, schema, entities = _parsed(cedar)
    batches = [
        [item for request in asked[start : start + BATCH] for item in cedar.questions(request).values()]
        for start in range(0, len(asked), BATCH)
    ]
    spent, done = 0.0, 0
    for batch in cycle(batches):
        spent += _timed(lambda batch=batch: cedarpy.is_authorized_batch(batch, policies, entities, schema))  # type: ignore[misc]
        done += BATCH
        if spent > seconds:
            break
    return done / spent


def single_pace(cedar: Cedar, asked: Sequence[Request], seconds: float) -> Pace:
    """Exchanges a second, a call for each question."""
    policies, schema, entities = _parsed(cedar)
    singles: list[float] = []
    for request in cycle(asked):
        questions = [*cedar.questions(request).values()]
        singles.append(
            _timed(
                lambda questions=questions: [  # type: ignore[misc]
                    cedarpy.is_authorized(item, policies, entities, schema) for item in questions
                ]
            )
        )
        if sum(singles) > seconds:
            break
    return _pace(len(singles) / sum(singles), singles)


def _parsed(cedar: Cedar) -> tuple[Any, Any, Any]:
    return (
        cedarpy.PolicySet.from_str(cedar.policies_text),
        cedarpy.Schema.from_str(cedar.schema_text),
        cedarpy.Entities.from_json_str("[]"),
    )


def _pace(per_second: float, singles: Sequence[float]) -> Pace:
    cuts = statistics.quantiles(singles, n=100)
    return Pace(per_second=per_second, p50=cuts[49] * 1e6, p99=cuts[98] * 1e6)


def _timed(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def report(runs: Sequence[Run]) -> list[dict[str, object]]:
    """The runs as JSON."""
    return [
        {
            "rules": run.rules,
            "of": run.name,
            "load_seconds": round(run.load_seconds, 3),
            "exchanges": EXCHANGES,
            "fields": round(run.fields, 1),
            "outcomes": dict(run.outcomes.most_common()),
            "compared_with_cedar": run.compared,
            "per_second": round(run.engine.per_second),
            "first_time_per_second": round(run.first),
            "p50_us": round(run.engine.p50, 1),
            "p99_us": round(run.engine.p99, 1),
            "cedar_batch_per_second": round(run.cedar_batch, 1),
            "cedar_single_per_second": round(run.cedar_single.per_second, 1),
            "cedar_p50_us": round(run.cedar_single.p50),
            "cedar_p99_us": round(run.cedar_single.p99),
            "ratio": round(run.ratio, 1),
        }
        for run in runs
    ]


def show(runs: Sequence[Run]) -> None:
    """Print the table."""
    print(
        f"{'':10}{'rules':>6}{'load s':>8}{'decisions/s':>13}{'first':>9}{'p50 us':>8}{'p99 us':>8}", end=""
    )
    print(f"{'Cedar batch/s':>15}{'single/s':>10}{'p50 us':>9}{'p99 us':>9}{'ratio':>8}{'compared':>10}")
    for run in runs:
        pace, single = run.engine, run.cedar_single
        print(f"{run.name:10}{run.rules:6,}{run.load_seconds:8.2f}{pace.per_second:13,.0f}", end="")
        print(f"{run.first:9,.0f}{pace.p50:8.1f}{pace.p99:8.1f}{run.cedar_batch:15,.0f}", end="")
        print(f"{single.per_second:10,.0f}{single.p50:9,.0f}{single.p99:9,.0f}{run.ratio:8,.0f}", end="")
        print(f"{run.compared:10,}")
    for run in runs:
        parts = ", ".join(f"{name} {times / EXCHANGES:.0%}" for name, times in run.outcomes.most_common(12))
        print(f"{run.name}: {run.fields:.1f} fields each; {parts}", file=sys.stderr)


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.decide", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each of the four clocks runs")
    parser.add_argument("--rules", type=int, default=2_000, help="how many rules to generate, from 20")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    if given.seconds <= 0 or given.rules < 20:
        parser.error("seconds is above 0, rules is 20 or more")
    files = generated_files(given.rules)
    runs = [
        measure("installed", lambda: load_bundle(default_directory()), given.seconds),
        measure("generated", lambda: read_bundle(files), given.seconds),
    ]
    if given.json:
        print(json.dumps({"at": datetime.now(UTC).date().isoformat(), "runs": report(runs)}))
        return
    show(runs)


if __name__ == "__main__":
    main()
