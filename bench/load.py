# SPDX-License-Identifier: EUPL-1.2
"""The load: pushes over mTLS from a process of its own, as fast as the other side answers (closed loop).

Messages are serialised before the clock starts, and answers are read after it stopped, so that the client
takes as little of the shared processors as Python allows. Every answer must be a permit; distinct times of
log entries count the broker's commits, because a commit has one time.
"""

import asyncio
import json
import resource
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import uvloop

from sluis.errors import Defect
from sluis.rpc.channel import open_channel
from sluis.rpc.process import tls_of
from sluis.v1 import envelope_pb2, exchange_pb2

SERVICE = "/sluis.v1.ExchangeService/"
STREAMS = 4
FRAMES_AHEAD = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How pushes are offered: so many calls in flight, or streams with frames of so many pushes."""

    in_flight: int = 0
    frame: int = 0

    @property
    def name(self) -> str:
        """As the table shows it."""
        if self.frame:
            return f"{STREAMS} streams, frames of {self.frame}"
        return f"unary, {self.in_flight} in flight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One run of the load. Latencies in milliseconds, of a call or of a frame."""

    pushes: int
    seconds: float
    p50: float
    p99: float
    commits: int
    load_cpu_seconds: float
    first_answer: bytes

    @property
    def per_second(self) -> float:
        """Acknowledged pushes per second."""
        return self.pushes / self.seconds


def run(address: str, keys: Path, shape: Shape, requests: Sequence[bytes], seconds: float) -> Figures:
    """Offer requests until the time or the stock is out. Raises Defect for an answer that is no permit."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(address, keys, shape, requests, seconds))


async def _run(address: str, keys: Path, shape: Shape, requests: Sequence[bytes], seconds: float) -> Figures:
    channel = open_channel(address, tls_of(keys))
    messages = _frames(requests, shape.frame) if shape.frame else list(requests)
    load = _Load(channel, deque(messages), seconds)
    await channel.channel_ready()
    cpu = _cpu()
    started = time.perf_counter()
    if shape.frame:
        await asyncio.gather(*(load.stream() for _ in range(STREAMS)))
    else:
        await asyncio.gather(*(load.calls() for _ in range(shape.in_flight)))
    elapsed, cpu = time.perf_counter() - started, _cpu() - cpu
    await channel.close()
    answers = _answers(load.answers, streamed=bool(shape.frame))
    latencies = sorted(load.latencies)
    return Figures(
        pushes=len(answers),
        seconds=elapsed,
        p50=latencies[len(latencies) // 2] * 1000,
        p99=latencies[len(latencies) * 99 // 100] * 1000,
        commits=len({json.loads(answer.entry)["time"] for answer in answers}),
        load_cpu_seconds=cpu,
        first_answer=answers[0].SerializeToString(),
    )


class _Load:
    """Calls and streams that take messages from one stock until the time is over."""

    def __init__(self, channel: grpc.aio.Channel, messages: deque[bytes], seconds: float) -> None:
        # Without serialisers, messages are bytes.
        self._push: Any = channel.unary_unary(SERVICE + "Push")
        self._push_stream: Any = channel.stream_stream(SERVICE + "PushStream")
        self._messages = messages
        self._deadline = time.perf_counter() + seconds
        self.answers: list[bytes] = []
        self.latencies: list[float] = []

    def _next(self) -> bytes | None:
        if not self._messages or time.perf_counter() > self._deadline:
            return None
        return self._messages.popleft()

    async def calls(self) -> None:
        while (message := self._next()) is not None:
            before = time.perf_counter()
            self.answers.append(await self._push(message, timeout=30))
            self.latencies.append(time.perf_counter() - before)

    async def stream(self) -> None:
        call = self._push_stream(timeout=120)
        room = asyncio.Semaphore(FRAMES_AHEAD)
        sent: deque[float] = deque()

        async def write() -> None:
            while True:
                await room.acquire()
                if (message := self._next()) is None:
                    await call.done_writing()
                    return
                sent.append(time.perf_counter())
                await call.write(message)

        writing = asyncio.create_task(write())
        while (answer := await call.read()) is not grpc.aio.EOF:
            self.latencies.append(time.perf_counter() - sent.popleft())
            self.answers.append(answer)
            room.release()
        await writing


def _frames(requests: Sequence[bytes], size: int) -> list[bytes]:
    pushes = [exchange_pb2.PushRequest.FromString(request) for request in requests]
    return [
        exchange_pb2.PushStreamRequest(pushes=pushes[start : start + size]).SerializeToString()
        for start in range(0, len(pushes) - size + 1, size)
    ]


def _answers(raw: Sequence[bytes], *, streamed: bool) -> list[exchange_pb2.PushResponse]:
    if streamed:
        frames = map(exchange_pb2.PushStreamResponse.FromString, raw)
        answers = [result.answer for frame in frames for result in frame.results]
    else:
        answers = list(map(exchange_pb2.PushResponse.FromString, raw))
    if not answers or any(answer.decision.effect != envelope_pb2.EFFECT_PERMIT for answer in answers):
        raise Defect("defect", "a push was not permitted, so this measures something else")
    return answers


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
