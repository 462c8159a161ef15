# SPDX-License-Identifier: EUPL-1.2
"""The epochs as this kit knows them: shown by the broker, proven from the log, and held against what was seen before.

An epoch counts only when the entry that announced it is proven to stand in the log under a cosigned checkpoint; so
does its compromise, and its end. A broker may keep silent about what is new, but cannot move a beginning, take back
an end, or hide an epoch that it showed before. When an epoch has ended, what this kit computed in it is deleted.
"""

import time
from collections.abc import Callable
from datetime import datetime

from sluis.client.connection import Connections
from sluis.client.state import KitState, SeenEpoch
from sluis.client.trust import Trust
from sluis.epoch_log import read_epoch
from sluis.epochs import Epoch, EpochCalendar
from sluis.errors import NotAuthentic
from sluis.pseudonym_cache import PseudonymCache
from sluis.v1 import directory_pb2

KEPT_SECONDS = 60.0


class EpochBook:
    """The calendar of epochs, fetched anew after a minute or when asked to."""

    def __init__(
        self,
        connections: Connections,
        trust: Trust,
        state: KitState,
        cache: PseudonymCache | None,
        clock: Callable[[], datetime],
    ) -> None:
        self._connections = connections
        self._trust = trust
        self._state = state
        self._cache = cache
        self._clock = clock
        self._until = 0.0
        self._retired: dict[str, tuple[int, bytes]] = {}
        self._calendar = EpochCalendar([])
        self._listeners: list[Callable[[str], object]] = []
        self._told: set[str] = set()

    def when_ended(self, clear: Callable[[str], object]) -> None:
        """Have more cleared of what this kit keeps of an epoch, once in a process for each that was retired."""
        self._listeners.append(clear)

    def now_ms(self) -> int:
        """The time now, Unix milliseconds."""
        return int(self._clock().timestamp() * 1000)

    def forget(self) -> None:
        """Ask the broker again next time: it refused what fitted the calendar."""
        self._until = 0.0

    async def calendar(self) -> EpochCalendar:
        """The epochs. Raises NotAuthentic when what the broker shows does not hold."""
        if time.monotonic() >= self._until:
            request = directory_pb2.ListEpochsRequest()
            answer = await self._connections.patiently(
                lambda: self._connections.directory.ListEpochs(request, timeout=10)
            )
            epochs = [await self._prove(record) for record in answer.epochs]
            self._hold(epochs)
            self._calendar = EpochCalendar(epochs)
            self._until = time.monotonic() + KEPT_SECONDS
        return self._calendar

    async def retirement(self, name: str) -> tuple[int, bytes] | None:
        """The entry that retired an epoch, with its index, proven; None while there is none.

        Raises InvalidInput `unknown-epoch`.
        """
        (await self.calendar()).find(name)
        return self._retired.get(name)

    async def _prove(self, record: directory_pb2.EpochRecord) -> Epoch:
        async def proven(name: str) -> tuple[int, bytes] | None:
            if not record.HasField(name):
                return None
            logged: directory_pb2.LoggedEntry = getattr(record, name)
            return await self._trust.prove_once(logged), logged.entry

        announced = await proven("announced")
        if announced is None:
            raise NotAuthentic("log-inconsistent", "an epoch is shown without its announcement")
        retired = await proven("retired")
        epoch = read_epoch(announced, await proven("compromised"), retired)
        if retired is not None:
            self._retired[epoch.name] = retired
        return epoch

    def _hold(self, epochs: list[Epoch]) -> None:
        """Compare with what was shown before, clear what has ended, and remember."""
        shown = {epoch.name: epoch for epoch in epochs}
        seen = self._state.epochs()
        for before in seen:
            epoch = shown.get(before.name)
            same = epoch is not None and (epoch.announced_index, epoch.begins_at_ms) == (
                before.announced_index,
                before.begins_at_ms,
            )
            if epoch is None or not same or _lacks(epoch, before):
                raise NotAuthentic("log-inconsistent", "the broker shows other epochs than before")
        ended = {epoch.name for epoch in epochs if epoch.retired_index is not None}
        for name in ended - {before.name for before in seen if before.retired}:
            if self._cache is not None:
                self._cache.forget_epoch(name)
            self._state.forget_pins(name)
        for name in ended - self._told:
            for clear in self._listeners:
                clear(name)
        self._told |= ended
        now = [_seen(epoch) for epoch in epochs]
        if now != seen:
            self._state.keep_epochs(now)


def _seen(epoch: Epoch) -> SeenEpoch:
    return SeenEpoch(
        name=epoch.name,
        announced_index=epoch.announced_index,
        begins_at_ms=epoch.begins_at_ms,
        compromised=epoch.compromised_at_ms is not None,
        retired=epoch.retired_index is not None,
    )


def _lacks(epoch: Epoch, before: SeenEpoch) -> bool:
    return (before.compromised and epoch.compromised_at_ms is None) or (
        before.retired and epoch.retired_index is None
    )
