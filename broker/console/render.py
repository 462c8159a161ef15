# SPDX-License-Identifier: EUPL-1.2
"""Turns values into HTML: Jinja2 with everything escaped, and a name that is missing is a mistake, not a blank."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from broker.console.texts import Language, has_text, text_of

TEMPLATES = Path(__file__).parent / "templates"
_ZONE = ZoneInfo("Europe/Amsterdam")
_MONTHS = {
    Language.DUTCH: "januari februari maart april mei juni juli augustus september oktober november december",
    Language.ENGLISH: "January February March April May June July August September October November December",
}


class Renderer:
    """Renders the templates of the console."""

    def __init__(self, folder: Path = TEMPLATES) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(folder),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["oin"] = grouped_oin

    def render(self, template: str, language: Language, values: Mapping[str, Any]) -> bytes:
        """Fill in a template."""

        def t(key: str, **names: object) -> str:
            return text_of(language, key, **names)

        def moment(at: datetime) -> Markup:
            return time_element(at, language)

        def plain(at: datetime) -> str:
            return time_text(at, language)

        def plain_day(day: date) -> str:
            return day_text(day, language)

        def term(key: str) -> Markup:
            return term_element(key, language)

        def day(value: date) -> Markup:
            return day_element(value, language)

        def number(value: int) -> str:
            return grouped(value, language)

        frame: dict[str, Any] = {
            "t": t,
            "moment": moment,
            "day": day,
            "term": term,
            "plain": plain,
            "plain_day": plain_day,
            "number": number,
            "lang": language.value,
        }
        frame["has_text"] = has_text
        return self._environment.get_template(template).render({**values, **frame}).encode()


def time_element(at: datetime, language: Language) -> Markup:
    """A moment as people in the Netherlands say it, with UTC in the markup."""
    utc = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}">{}</time>').format(utc, time_text(at, language))


def time_text(at: datetime, language: Language) -> str:
    """A moment where no markup can stand."""
    local = at.astimezone(_ZONE)
    return f"{day_text(local.date(), language)}, {local:%H:%M}"


def day_text(day: date, language: Language) -> str:
    """A day as people say it."""
    return f"{day.day} {_MONTHS[language].split()[day.month - 1]} {day.year}"


def day_element(value: date, language: Language) -> Markup:
    """A day as people say it."""
    month = _MONTHS[language].split()[value.month - 1]
    return Markup('<time datetime="{}">{} {} {}</time>').format(
        value.isoformat(), value.day, month, value.year
    )


def term_element(key: str, language: Language) -> Markup:
    """A term of the law, which says what it means when one points at it; the list of terms says it for all."""
    short = text_of(language, f"term.{key}")
    return Markup('<abbr title="{}">{}</abbr>').format(text_of(language, f"term.{key}.meaning"), short)


def grouped(value: int, language: Language) -> str:
    """A number with its thousands apart."""
    return f"{value:,}".replace(",", "." if language is Language.DUTCH else ",")


def grouped_oin(oin: str) -> str:
    """An OIN in groups that an eye can follow."""
    return "\u202f".join(oin[start : start + 4] for start in range(0, len(oin), 4))
