# SPDX-License-Identifier: EUPL-1.2
"""When a period of the rules ends, in calendar years, months and days.

Regulation (EEC, Euratom) 1182/71, article 3(2)(c): a period ends with the last hour of the day that is the same date
as the day from which it runs; where the last month lacks that date, with its last day.
"""

import calendar
import re
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from sluis.errors import InvalidInput

_PERIOD = re.compile(r"P([1-9][0-9]{0,4})([YMD])")


def last_day(start: date, period: str) -> date:
    """The last day of a period such as `P5Y`, `P6M`, `P30D`; at the latest the last day of the year 9999."""
    match = _PERIOD.fullmatch(period)
    if match is None:
        raise InvalidInput("malformed-rule", "a period such as `P5Y`, `P6M` or `P30D` is due")
    number = int(match[1])
    try:
        if match[2] == "D":
            return start + timedelta(days=number)
        months = start.year * 12 + start.month - 1 + number * (12 if match[2] == "Y" else 1)
        year, month = divmod(months, 12)
        return date(year, month + 1, min(start.day, calendar.monthrange(year, month + 1)[1]))
    except (ValueError, OverflowError, calendar.IllegalMonthError):
        return date.max


def end_ms(start: datetime, period: str, zone: ZoneInfo) -> int:
    """The first moment after a period that runs from an instant, in Unix milliseconds."""
    return _end_of(start.astimezone(zone).date(), period, zone)


@lru_cache(maxsize=1024)
def _end_of(start: date, period: str, zone: ZoneInfo) -> int:
    """The same for all that begins on a day: most of what is decided today has one of few periods."""
    day = last_day(start, period)
    after = day + timedelta(days=1) if day < date.max else day
    return int(datetime.combine(after, time(), zone).timestamp() * 1000)
