# SPDX-License-Identifier: EUPL-1.2
"""One question by one participant's kit, in a process of its own, so that its memory is its own.

    python -m bench.asker SLUIS_TOML --clients 100000 [--private]

Prints seconds, hits, bytes of messages and peak memory (VmHWM) as JSON. Opening the kit is not counted: a kit that
stays open asks many questions. Clients are establishments 1, 2, 3, ...
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from adapters.certification_body import ask
from sluis.client import Kit, KitSettings
from sluis.client.matcher import MatchReport
from sluis.client.receiver import ReceivedSignal
from sluis.errors import Defect
from sluis.identifiers import Identifier, IdentifierType


def establishments(count: int) -> list[Identifier]:
    """The client base."""
    return [Identifier.parse(IdentifierType.VESTIGING, f"{number:012}") for number in range(1, count + 1)]


def peak_mb(pid: int | str = "self") -> float:
    """The highest resident memory of a process so far (proc(5), VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


class _Counted:
    """A stub whose messages are counted in bytes, by the other side; a channel adds a few per cent to that."""

    def __init__(self, stub: Any, side: str, sizes: "Counter[str]") -> None:
        self._stub = stub
        self._side = side
        self._sizes = sizes

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._stub, name)

        async def outgoing(messages: AsyncIterator[Message]) -> AsyncIterator[Message]:
            async for message in messages:
                self._sizes[f"to {self._side}"] += message.ByteSize()
                yield message

        async def incoming(answers: AsyncIterator[Message]) -> AsyncIterator[Message]:
            async for answer in answers:
                self._sizes[f"from {self._side}"] += answer.ByteSize()
                yield answer

        async def single(answer: Any) -> Message:
            message: Message = await answer
            self._sizes[f"from {self._side}"] += message.ByteSize()
            return message

        def counted(request: Any, **options: Any) -> Any:
            if not isinstance(request, Message):
                return incoming(call(outgoing(request), **options))
            self._sizes[f"to {self._side}"] += request.ByteSize()
            answer = call(request, **options)
            return incoming(answer) if hasattr(answer, "__aiter__") else single(answer)

        return counted


async def question(config: Path, clients: int, private: bool) -> dict[str, object]:
    """Ask once, and tell what it took."""

    async def keep(signals: Sequence[ReceivedSignal]) -> None:
        """Nothing: what a participant does with a hit is its own affair."""

    base, sizes = establishments(clients), Counter[str]()
    async with Kit.open(KitSettings.load(config)) as kit:
        connections = kit.connections
        connections.exchange = _Counted(connections.exchange, "broker", sizes)  # type: ignore[assignment]
        for oin, stub in connections.evaluators.items():
            connections.evaluators[oin] = _Counted(stub, "evaluators", sizes)  # type: ignore[assignment]
        at_rest, cpu, started = peak_mb(), time.process_time(), time.perf_counter()
        report = await ask(kit, base, keep, private=private)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    _check(report)
    return {
        "asked": report.asked,
        "hits": len(report.hits),
        "claimed": report.claimed,
        "digest_bytes": report.digest_bytes,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "peak_mb": peak_mb(),
        "at_rest_mb": at_rest,
        "bytes": dict(sizes),
    }


def _check(report: MatchReport) -> None:
    if report.deliveries.refused:
        raise Defect("defect", f"a hit does not hold: {report.deliveries.refused[0].code}")
    if report.resumed:
        raise Defect("defect", "the question went on with an earlier one, so its time says nothing")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.asker")
    parser.add_argument("config", type=Path)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--private", action="store_true")
    given = parser.parse_args()
    print(json.dumps(asyncio.run(question(given.config, given.clients, given.private))))


if __name__ == "__main__":
    main()
