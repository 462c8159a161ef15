# SPDX-License-Identifier: EUPL-1.2
"""A certification body leaves its clients as a watch list, and hears of a signal without asking again."""

import asyncio
import json
from pathlib import Path

from adapters.foundation import certification_bodies, pass_on
from sluis.client.receiver import ReceivedSignal
from sluis.header import Delivery
from tests.scenarios.scene import Scene, certified_csv
from tests.scenarios.test_cli import As, run_as

__all__ = ["run_as"]


def test_a_watch_fires_by_itself_and_can_be_taken_back(shared: Scene, run_as: As, tmp_path: Path) -> None:
    cast = shared.stage.cast
    [body, *_] = cast.bodies
    clients = tmp_path / "clients.csv"
    clients.write_text(certified_csv(20, shared.today))
    out = tmp_path / "hits.jsonl"

    left = run_as(body, "watch", clients, "--body", body.name, "--out", out, "--json")
    assert left.code == 0, left.said
    assert [(each["entries"], each["permitted"]) for each in left.data["lists"]] == [(10, True)]
    already = len(out.read_text("utf-8").splitlines()) if out.exists() else 0

    firm = next(firm for firm in shared.firms if firm.certified_by == body.name)
    told = asyncio.run(_pass_one_on(shared, firm.establishment.value))
    received = run_as(body, "receive", "--out", out, "--json")
    assert received.code == 0, received.said
    lines = [json.loads(line) for line in out.read_text("utf-8").splitlines()][already:]
    assert told in [line["previous"] for line in lines]

    shown = run_as(body, "watch", "--json")
    assert [each["entries"] for each in shown.data["lists"]] == [10]
    assert "90 days left" in shown.said
    assert run_as(body, "watch", "--stop", "--json").data == {"lists": [], "epochs_without_list": []}

    long = run_as(body, "watch", clients, "--body", body.name, "--out", out, "--days", "200", "--json")
    assert (long.code, long.data["lists"][0]["reason"]) == (3, "WATCH_TOO_LONG")
    large = run_as(body, "watch", clients, "--out", out, "--json")
    assert (large.code, large.data["lists"][0]["reason"]) == (3, "WATCH_TOO_LARGE")


async def _pass_one_on(scene: Scene, establishment: str) -> str:
    """A fine about this firm reaches the foundation, which passes it on; returns the first signal's id."""
    cast = scene.stage.cast
    drafts = [draft for draft in scene.drafts(40) if draft.subject.value == establishment][:1]
    async with scene.kit(cast.inspectorate) as kit:
        [outcome] = await kit.sender.push(drafts)
    assert outcome.permitted
    passed: list[ReceivedSignal] = []
    async with scene.kit(cast.foundation) as kit:
        bodies = await certification_bodies(kit)

        async def keep(signals: list[ReceivedSignal]) -> None:
            passed.extend(signal for signal in signals if signal.log_index == outcome.log_index)
            await pass_on(kit, signals, scene.firms, bodies, scene.today)

        await kit.receiver.receive(keep)  # type: ignore[arg-type]  # a list is a sequence
    [signal] = passed
    assert signal.header.delivery is Delivery.MAILBOX
    return str(signal.header.signal_id)
