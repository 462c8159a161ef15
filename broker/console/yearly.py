# SPDX-License-Identifier: EUPL-1.2
"""The series of the yearly numbers on the page: what came of signals, and the other indicators.

Each has a table, a picture of what is not hidden, and a note: what is counted, and what the log cannot know of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from broker.console.figures import BarChart, bar_chart
from broker.console.pages import Context
from broker.console.words import word
from broker.oversight.aftermath import NONE, TAKEN_BACK, Aftermath
from broker.oversight.indicators import AGAIN, FOUND, NOTHING, STILL
from broker.oversight.statistics import MIN_PERSONS, ReleasedSeries
from broker.oversight.yearly import DUTIES, ReleasedYear
from sluis.followup import Act

Shown = Mapping[str, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Numbers below each other, as they may be shown; the picture has those that are not hidden."""

    name: str
    caption: str
    row: str
    unit: str
    note: str
    lines: Sequence[tuple[str, str]]
    chart: BarChart
    facts: Sequence[tuple[str, str]] = ()  # what follows from the numbers, such as a share


def all_series(context: Context, came: Aftermath, year: ReleasedYear) -> list[Series]:
    """All of them, in the order of the page."""
    outcomes, measures = year.outcomes, year.measures
    return [
        _one(
            context,
            "outcome",
            _coded(context, "outcome", outcomes),
            _outcome_facts(context, came, outcomes),
        ),
        _one(context, "measure", _coded(context, "measure", measures), _whole(context, "measure", measures)),
        _parts(context, "lost", year.lost, (STILL, AGAIN)),
        _one(context, "taken_back", _named(context, "act", TAKEN_BACK, year.taken_back)),
        _one(context, "late", _named(context, "duty", DUTIES, year.late)),
        _parts(context, "looked", year.looked, (FOUND, NOTHING)),
        _one(context, "breach", _named(context, "breach", year.breach, year.breach)),
        _one(context, "register", _registers(context, year.registers)),
    ]


def shown_value(context: Context, value: int | None) -> str:
    """A number, or that it is hidden."""
    return context.t("page.statistics.hidden") if value is None else str(value)


def _coded(context: Context, sort: str, released: ReleasedSeries) -> Shown:
    """A series by words of feedback, in the order of the rules; last what has none."""
    words = context.bundle.catalog.follow_ups.words(Act.FEEDBACK, sort)
    names = [name for name in words if name in released.shown]
    names += sorted(released.shown.keys() - words - {NONE})
    shown = {word(context, words[name]) if name in words else name: released.shown[name] for name in names}
    return {**shown, context.t(f"page.statistics.no_{sort}"): released.shown[NONE]}


def _outcome_facts(context: Context, came: Aftermath, outcomes: ReleasedSeries) -> list[tuple[str, str]]:
    median = came.median_days(MIN_PERSONS)
    untold = context.t("page.statistics.hidden" if came.told else "page.statistics.nothing")
    return [
        *_whole(context, "outcome", outcomes),
        (context.t("page.statistics.share"), _share(context, outcomes.shown[NONE], outcomes.total)),
        (
            context.t("page.statistics.median"),
            untold if median is None else context.t("page.statistics.days", n=median),
        ),
    ]


def _whole(context: Context, name: str, released: ReleasedSeries) -> list[tuple[str, str]]:
    return [(context.t(f"page.statistics.total.{name}"), shown_value(context, released.total))]


def _parts(context: Context, name: str, released: ReleasedSeries, parts: Iterable[str]) -> Series:
    return _one(context, name, _named(context, name, parts, released.shown), _whole(context, name, released))


def _registers(context: Context, shown: Shown) -> Shown:
    known = {"certificates": context.t("page.statistics.register.certificates")}
    return {known.get(name, name): value for name, value in sorted(shown.items())}


def _named(context: Context, sort: str, names: Iterable[str], shown: Shown) -> Shown:
    return {context.t(f"page.statistics.{sort}.{name}"): shown[name] for name in names}


def _one(context: Context, name: str, shown: Shown, facts: Sequence[tuple[str, str]] = ()) -> Series:
    caption, unit = context.t(f"page.statistics.by_{name}"), context.t(f"page.statistics.unit.{name}")
    values = [(label, value) for label, value in shown.items() if value is not None]
    return Series(
        name=name,
        caption=caption,
        row=context.t(f"page.statistics.row.{name}"),
        unit=unit,
        note=context.t(f"page.statistics.note.{name}"),
        lines=[(label, shown_value(context, value)) for label, value in shown.items()],
        chart=bar_chart(name=name, caption=caption, unit=unit, values=values),
        facts=facts,
    )


def _share(context: Context, without: int | None, total: int | None) -> str:
    """The share with feedback, worked out from what is shown, so that it tells no more than that."""
    if without is None or total is None:
        return context.t("page.statistics.hidden")
    if not total:
        return context.t("page.statistics.nothing")
    return f"{round(100 * max(0, total - without) / total)}%"
