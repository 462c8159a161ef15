# SPDX-License-Identifier: EUPL-1.2
"""A certification body: asks which of the firms that it certifies have a fact that it may know."""

from collections.abc import Callable, Iterable

from adapters.labour_inspectorate import KIND, PURPOSE
from sluis.client import Kit
from sluis.client.matcher import MatchReport
from sluis.client.receiver import Keep
from sluis.identifiers import Identifier


async def ask(
    kit: Kit,
    clients: Iterable[Identifier],
    keep: Keep,
    *,
    progress: Callable[[int], None] = lambda done: None,
) -> MatchReport:
    """Match a client base of establishments; hits go to `keep` before they are acknowledged."""
    return await kit.matcher.match(clients, kind=KIND, purpose=PURPOSE, keep=keep, progress=progress)
