# SPDX-License-Identifier: EUPL-1.2
"""The series of the yearly numbers as they may be shown: what came of signals, and the other indicators.

Each has a table, a picture of what is not hidden, and where it is needed a note: what is counted, and what the log
cannot know of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from broker.console.figures import BarChart, bar_chart
from broker.console.pages import Context
from broker.console.words import word
from broker.oversight.aftermath import NONE, TAKEN_BACK, Aftermath
from broker.oversight.indicators import AGAIN, FOUND, MEASURES, NOTHING, STILL, Indicators
from broker.oversight.statistics import (
    MIN_PERSONS,
    ReleasedSeries,
    release_counts,
    release_series,
    release_within,
)
from sluis.followup import Act

DUTIES = (Act.FEEDBACK, Act.ATTEND, Act.ANSWER, Act.FULFIL)
WRONG_RECIPIENT = "WRONG_RECIPIENT"  # a reason of a recall (policies/catalog/follow_ups.yaml)
Shown = Mapping[str, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Numbers below each other, as they may be shown; the picture has those that are not hidden."""

    name: str
    caption: str
    row: str
    unit: str
    lines: list[tuple[str, str]]
    chart: BarChart
    facts: list[tuple[str, str]] = field(default_factory=list)  # what follows, such as a share
    note: str = ""


def all_series(context: Context, came: Aftermath, numbers: Indicators, *, hide_total: bool) -> list[Series]:
    """All of them; with `hide_total` the number of signals that reached their recipient is hidden."""
    outcomes = release_series(came.outcomes, MIN_PERSONS, hide_total=hide_total)
    taken_back = release_counts(came.taken_back, MIN_PERSONS)
    late = release_counts({act: came.late.get(act, 0) for act in DUTIES}, MIN_PERSONS)
    return [
        _one(context, "outcome", _outcomes(context, outcomes), _outcome_facts(context, came, outcomes)),
        _measures(context, came, outcomes),
        _parts(context, "lost", release_series(numbers.lost, MIN_PERSONS), (STILL, AGAIN)),
        _one(context, "taken_back", _named(context, "act", TAKEN_BACK, taken_back)),
        _one(context, "late", _named(context, "duty", DUTIES, late)),
        _parts(context, "looked", release_series(numbers.looked, MIN_PERSONS), (FOUND, NOTHING)),
        _breach(context, came, numbers),
        _registers(context, numbers),
    ]


def _outcomes(context: Context, outcomes: ReleasedSeries) -> Shown:
    words = context.bundle.catalog.follow_ups.words(Act.FEEDBACK, "outcome")
    order = [
        *(name for name in words if name in outcomes.shown),
        *sorted(outcomes.shown.keys() - words - {NONE}),
    ]
    shown = {word(context, words[name]) if name in words else name: outcomes.shown[name] for name in order}
    return {**shown, context.t("page.statistics.no_feedback"): outcomes.shown[NONE]}


def _outcome_facts(context: Context, came: Aftermath, outcomes: ReleasedSeries) -> list[tuple[str, str]]:
    median = came.median_days(MIN_PERSONS)
    untold = context.t("page.statistics.hidden" if came.told else "page.statistics.nothing")
    return [
        (context.t("page.statistics.delivered"), shown_value(context, outcomes.total)),
        (context.t("page.statistics.share"), _share(context, outcomes.shown[NONE], outcomes.total)),
        (
            context.t("page.statistics.median"),
            untold if median is None else context.t("page.statistics.days", n=median),
        ),
    ]


def _measures(context: Context, came: Aftermath, outcomes: ReleasedSeries) -> Series:
    """What recipients say that they did; every measure of the rules is named, also one that nobody took."""
    words = context.bundle.catalog.follow_ups.words(Act.FEEDBACK, "measure")
    counts = {**dict.fromkeys(words, 0), **came.measures}
    released = release_within(counts, MIN_PERSONS, outcomes, NONE)
    order = [*words, *sorted(counts.keys() - words - {NONE})]
    shown = {word(context, words[name]) if name in words else name: released.shown[name] for name in order}
    shown[context.t("page.statistics.no_measure")] = released.shown[NONE]
    facts = [(context.t("page.statistics.total.measure"), shown_value(context, released.total))]
    return _one(context, "measure", shown, facts)


def _parts(context: Context, name: str, released: ReleasedSeries, parts: tuple[str, ...]) -> Series:
    facts = [(context.t(f"page.statistics.total.{name}"), shown_value(context, released.total))]
    return _one(context, name, _named(context, name, parts, released.shown), facts)


def _breach(context: Context, came: Aftermath, numbers: Indicators) -> Series:
    """What may belong to a breach. Recalls are shown whole elsewhere, so this one is hidden as a part of them."""
    wrong = came.recalled.get(WRONG_RECIPIENT, 0)
    rest = sum(came.recalled.values()) - wrong
    recalls = release_series({WRONG_RECIPIENT: wrong, "": rest}, MIN_PERSONS)
    shown = {
        **release_counts(numbers.measures, MIN_PERSONS),
        WRONG_RECIPIENT: recalls.shown[WRONG_RECIPIENT],
    }
    return _one(context, "breach", _named(context, "breach", (WRONG_RECIPIENT, *MEASURES), shown))


def _registers(context: Context, numbers: Indicators) -> Series:
    known = sorted(fact.register_name for fact in context.bundle.catalog.register_facts.values())
    counts = {**dict.fromkeys(known, 0), **numbers.registers}
    shown = release_counts(counts, MIN_PERSONS)
    key = "page.statistics.register.certificates"
    return _one(
        context,
        "register",
        {context.t(key) if name == "certificates" else name: value for name, value in shown.items()},
    )


def _named(context: Context, sort: str, names: tuple[str, ...], shown: Shown) -> Shown:
    return {context.t(f"page.statistics.{sort}.{name}"): shown[name] for name in names}


def _one(context: Context, name: str, shown: Shown, facts: list[tuple[str, str]] | None = None) -> Series:
    caption, unit = context.t(f"page.statistics.by_{name}"), context.t(f"page.statistics.unit.{name}")
    values = [(label, value) for label, value in shown.items() if value is not None]
    return Series(
        name=name,
        caption=caption,
        row=context.t(f"page.statistics.row.{name}"),
        unit=unit,
        lines=[(label, shown_value(context, value)) for label, value in shown.items()],
        chart=bar_chart(name=name, caption=caption, unit=unit, values=values),
        facts=facts or [],
        note=context.t(f"page.statistics.note.{name}"),
    )


def shown_value(context: Context, value: int | None) -> str:
    """A number, or that it is hidden."""
    return context.t("page.statistics.hidden") if value is None else str(value)


def _share(context: Context, without: int | None, total: int | None) -> str:
    """The share with feedback, worked out from what is shown, so that it tells no more than that."""
    if without is None or total is None:
        return context.t("page.statistics.hidden")
    if not total:
        return context.t("page.statistics.nothing")
    return f"{round(100 * max(0, total - without) / total)}%"
