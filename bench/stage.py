# SPDX-License-Identifier: EUPL-1.2
"""The processes that are measured: those of the demo, without its wire tap, and a register to prove facts from.

For pushes no evaluator is needed: a pseudonym is 16 bytes to the broker, so random ones are put into the
register, and signals about them are permitted. Everything else is what a participant's kit does.
"""

import contextlib
import random
import secrets
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from adapters.foundation import REGISTER, REGISTER_KIND
from adapters.labour_inspectorate import PURPOSE
from demo.cast import CastMember, make_cast
from demo.stage import AGREEMENT, HOST, Service, Stage, set_stage
from sluis.client.connection import Connections
from sluis.errors import Defect
from sluis.keys import KeyFolder
from sluis.register_snapshot import SnapshotEntry, SnapshotHeader, entries_digest, sign_snapshot
from sluis.v1 import envelope_pb2, register_pb2

BODY = "Certificeerder (bench)"
REGISTER_BATCH = 2_000
PORTS = (20_000, 30_000)


@contextlib.contextmanager
def bench_stage(*, database: str = "", daily_budget: int = 0) -> Iterator[Stage]:
    """Make keys, configuration and parties in a folder of its own; what was started is stopped at the end.

    `daily_budget` is that of the evaluators, when it should be another than their usual one.
    """
    with tempfile.TemporaryDirectory(prefix="sluis-bench-") as folder:
        root = Path(folder)
        # Not the ports of a demo: one may be started while a store is filled, before anything here listens.
        broker, *others = random.sample(range(*PORTS, 100), 4)
        wanted = (broker, others[0], others[1], others[2])
        stage = set_stage(root, make_cast(root, [BODY]), database=database, tap=False, wanted=wanted)
        for service in stage.evaluators if daily_budget else ():
            with (service.folder / "evaluator.toml").open("a", encoding="utf-8") as config:
                config.write(f"daily_budget = {daily_budget}\n")
        try:
            yield stage
        finally:
            stage.stop()


def epoch() -> str:
    """The epoch for new signals."""
    return str(datetime.now(UTC).year)


def free_address() -> str:
    """An address of this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return f"{HOST}:{probe.getsockname()[1]}"


def cpu_seconds(service: Service) -> float:
    """The processor time that a process used so far, its threads included (proc(5), utime and stime)."""
    if service.process is None:
        raise Defect("defect", f"{service.name} does not run")
    words = Path(f"/proc/{service.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / 100


async def load_random_register(stage: Stage, owner: CastMember, count: int) -> list[bytes]:
    """Put a register of random pseudonyms in force in its owner's own domain; returns them."""
    pseudonyms = [secrets.token_bytes(16) for _ in range(count)]
    first = (date.today() - timedelta(days=100)).isoformat()  # noqa: DTZ011  any day in the past will do
    entries = [SnapshotEntry(pseudonym=item, valid_from=first, valid_until="") for item in pseudonyms]
    header = SnapshotHeader(
        agreement=AGREEMENT,
        register_name=REGISTER,
        owner=owner.oin,
        recipient=owner.oin,
        epoch=epoch(),
        created_at_ms=int(time.time() * 1000),
        entry_count=count,
    )
    start = register_pb2.LoadStart(
        idempotency_key=f"bench-{secrets.token_hex(8)}",
        header=header.encode(),
        kind=REGISTER_KIND,
        purpose=PURPOSE,
    )
    signing = KeyFolder(path=owner.keys).signing()
    signature = sign_snapshot(header, entries_digest(entries), signing)
    connections = Connections(stage.settings(owner))
    try:
        answer = await connections.registers.Load(_parts(start, entries, signature), timeout=120)
    finally:
        await connections.close()
    if answer.decision.effect != envelope_pb2.EFFECT_PERMIT:
        raise Defect("defect", "the rules do not let the register in, so every push would be denied")
    return pseudonyms


async def _parts(
    start: register_pb2.LoadStart, entries: Sequence[SnapshotEntry], signature: bytes
) -> AsyncIterator[register_pb2.LoadRequest]:
    yield register_pb2.LoadRequest(start=start)
    for first in range(0, len(entries), REGISTER_BATCH):
        rows = [
            register_pb2.RegisterEntry(pseudonym=entry.pseudonym, valid_from=entry.valid_from)
            for entry in entries[first : first + REGISTER_BATCH]
        ]
        yield register_pb2.LoadRequest(batch=register_pb2.LoadBatch(entries=rows))
    yield register_pb2.LoadRequest(finish=register_pb2.LoadFinish(signature=signature))
