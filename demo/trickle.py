# SPDX-License-Identifier: EUPL-1.2
"""After the day: a fine now and then, received and passed on, until Ctrl-C."""

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from adapters.foundation import certification_bodies, load_registers, pass_on
from adapters.json_lines import keep_in
from adapters.labour_inspectorate import fine_draft
from demo.day import Figures
from demo.narrator import Narrator
from demo.stage import Stage
from sluis.client import Kit
from sluis.client.receiver import ReceivedSignal

EVERY_SECONDS = 3.0


async def trickle(stage: Stage, figures: Figures, narrator: Narrator, today: date) -> None:
    """Push a fresh fine every few seconds and tell what becomes of it; ends on SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    narrator.title("A slow trickle goes on; Ctrl-C ends it")
    cast = stage.cast
    async with (
        Kit.open(stage.settings(cast.inspectorate)) as inspectorate,
        Kit.open(stage.settings(cast.foundation)) as foundation,
    ):
        bodies = await certification_bodies(foundation)
        if figures.epochs:
            narrator.say("  SNA loads its registers for the other bodies in the new epoch too")
            await load_registers(foundation, figures.register.accepted, bodies)
        keep = keep_in(cast.foundation.folder / "received.jsonl")

        async def keep_and_pass_on(signals: Sequence[ReceivedSignal]) -> None:
            await keep(signals)
            outcomes = await pass_on(foundation, signals, figures.register.accepted, bodies, today)
            narrator.say(f"  SNA received {len(signals)} and passed on {sum(o.permitted for o in outcomes)}")

        receiving = asyncio.create_task(foundation.receiver.receive(keep_and_pass_on, follow=True))
        for count, fine in enumerate(figures.fines.accepted * 1000):
            if stop.is_set() or receiving.done():
                break
            decided = today - timedelta(days=1 + count % 700)
            fresh = replace(fine, decided_on=decided, found_on=min(fine.found_on, decided))
            (outcome,) = await inspectorate.sender.push([fine_draft(fresh, cast.foundation.oin)])
            said = "permitted" if outcome.permitted else f"denied: {outcome.reason or outcome.error}"
            narrator.say(f"  NLA pushed a fine, log index {outcome.log_index}: {said}")
            try:
                async with asyncio.timeout(EVERY_SECONDS):
                    await stop.wait()
            except TimeoutError:
                continue
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
