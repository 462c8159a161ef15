# SPDX-License-Identifier: EUPL-1.2
"""A stream of which a few items are worked on at once, while the answers keep the order of the items."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")


async def in_order(
    items: AsyncIterator[Q], work: Callable[[Q], Awaitable[A]], ahead: int
) -> AsyncGenerator[A, None]:
    """Yield the result of each item; at most `ahead` are in work. Raises what the stream or the work raised."""
    waiting: asyncio.Queue[asyncio.Task[A] | None] = asyncio.Queue()
    room = asyncio.Semaphore(ahead)

    async def one(item: Q) -> A:
        return await work(item)

    async def read() -> None:
        try:
            await room.acquire()
            async for item in items:
                waiting.put_nowait(asyncio.create_task(one(item)))
                await room.acquire()
        finally:
            waiting.put_nowait(None)

    reader = asyncio.create_task(read())
    current: asyncio.Task[A] | None = None
    try:
        while (current := await waiting.get()) is not None:
            result = await current
            room.release()
            yield result
        await reader
    finally:
        left: list[asyncio.Task[Any]] = [reader, *([current] if current else [])]
        while not waiting.empty():
            left += [task] if (task := waiting.get_nowait()) else []
        for pending in left:
            pending.cancel()
        await asyncio.gather(*left, return_exceptions=True)
