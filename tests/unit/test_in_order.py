# SPDX-License-Identifier: EUPL-1.2
"""A few at once, answered in order; an error ends it, and nothing is left running."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from sluis.rpc.in_order import in_order


async def numbers(count: int, fail_at: int = -1) -> AsyncIterator[int]:
    for number in range(count):
        if number == fail_at:
            raise ValueError(number)
        yield number


async def test_answers_keep_the_order_of_the_items_whatever_takes_longest() -> None:
    async def work(number: int) -> int:
        await asyncio.sleep(0.003 * (number % 3 == 0))
        return 10 * number

    assert [one async for one in in_order(numbers(12), work, 4)] == [10 * number for number in range(12)]
    assert [one async for one in in_order(numbers(0), work, 4)] == []


async def test_no_more_are_in_work_than_allowed_and_no_more_are_taken_than_that() -> None:
    running, most, taken = 0, 0, 0

    async def counted() -> AsyncIterator[int]:
        nonlocal taken
        async for number in numbers(20):
            taken += 1
            yield number

    async def work(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        return number

    async with aclosing(in_order(counted(), work, 3)) as answers:
        async for number in answers:
            assert taken <= number + 4
    assert most == 3


@pytest.mark.parametrize("where", ["work", "stream"])
async def test_an_error_is_raised_in_its_turn_and_nothing_goes_on(where: str) -> None:
    started: list[int] = []

    async def work(number: int) -> int:
        started.append(number)
        if where == "work" and number == 2:
            raise ValueError(number)
        await asyncio.sleep(0.001)
        return number

    seen = []

    async def listen() -> None:
        async for one in in_order(numbers(50, 2 if where == "stream" else -1), work, 4):
            seen.append(one)

    with pytest.raises(ValueError, match="2"):
        await listen()
    assert seen == [0, 1]
    count = len(started)
    await asyncio.sleep(0.01)
    assert len(started) == count <= 6


async def test_who_stops_listening_stops_the_work() -> None:
    ended = []

    async def work(number: int) -> int:
        try:
            await asyncio.sleep(0 if number == 0 else 60)
        except asyncio.CancelledError:
            ended.append(number)
            raise
        return number

    async with aclosing(in_order(numbers(9), work, 3)) as answers:
        assert await anext(answers) == 0
        await asyncio.sleep(0)
    assert set(ended) <= {1, 2, 3}
    assert len(asyncio.all_tasks()) == 1
