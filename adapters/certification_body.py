# SPDX-License-Identifier: EUPL-1.2
"""A certification body: asks which of the firms that it certifies have a fact that it may know, or has them watched."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta

from adapters.labour_inspectorate import KIND, PURPOSE
from sluis.client import Kit
from sluis.client.matcher import MatchReport
from sluis.client.receiver import Keep
from sluis.client.registrar import LoadOutcome
from sluis.identifiers import Identifier


async def ask(
    kit: Kit,
    clients: Iterable[Identifier],
    keep: Keep,
    *,
    private: bool = False,
    anew: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> MatchReport:
    """Match a client base of establishments; hits go to `keep` before they are acknowledged.

    With `private` the broker gets to see only those that a digest of deposits holds; `anew` forgets a run that was
    broken off.
    """
    return await kit.matcher.match(
        clients, kind=KIND, purpose=PURPOSE, keep=keep, private=private, anew=anew, progress=progress
    )


async def watch_clients(
    kit: Kit,
    clients: Sequence[Identifier],
    *,
    today: date,
    days: int,
    progress: Callable[[int], None] = lambda done: None,
) -> list[LoadOutcome]:
    """Have a client base of establishments watched, today and for so many days after; an empty one is taken back."""
    return await kit.registrar.watch(
        clients,
        kind=KIND,
        purpose=PURPOSE,
        first_day=today,
        last_day=today + timedelta(days=days),
        progress=progress,
    )
