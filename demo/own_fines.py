# SPDX-License-Identifier: EUPL-1.2
"""Fines of the demo's own, beside those of the file; and the foundation taking in what waits for it."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path

from adapters.certified_register import CertifiedFirm
from adapters.fines import Fine
from adapters.foundation import certification_bodies, pass_on
from adapters.json_lines import keep_in
from sluis.client import Kit
from sluis.client.receiver import ReceivedSignal
from sluis.client.sender import PushOutcome
from sluis.identifiers import Identifier


def fine_on(establishment: Identifier, decided: date) -> Fine:
    """A fine for paying too little, decided on a day."""
    return Fine(
        line=0,
        establishment=establishment,
        law="WML",
        article="7",
        count=1,
        found_on=decided,
        decided_on=decided,
    )


class OwnFines:
    """Makes fines of these days that stand in no file, each one once."""

    def __init__(self, today: date, fines: Iterable[Fine]) -> None:
        self._today = today
        self._taken = {(one.establishment, one.provision, one.decided_on) for one in fines}

    def about(self, firm: CertifiedFirm) -> Fine:
        """A fine on this firm. Raises ValueError when it was fined on every one of the days."""
        for days in range(1, 300):
            decided = self._today - timedelta(days=days)
            fine = fine_on(firm.establishment, decided)
            if (key := (fine.establishment, fine.provision, decided)) not in self._taken:
                self._taken.add(key)
                return fine
        raise ValueError("a firm was fined every day")


async def take_in(
    foundation: Kit, file: Path, firms: Sequence[CertifiedFirm], today: date
) -> tuple[list[ReceivedSignal], list[PushOutcome]]:
    """The foundation receives what waits and passes it on to the certifiers among the firms; none: it only keeps it."""
    keep = keep_in(file)
    bodies = await certification_bodies(foundation)
    received: list[ReceivedSignal] = []
    passed: list[PushOutcome] = []

    async def keep_and_pass_on(signals: Sequence[ReceivedSignal]) -> None:
        await keep(signals)
        received.extend(signals)
        passed.extend(await pass_on(foundation, signals, firms, bodies, today))

    await foundation.receiver.receive(keep_and_pass_on)
    return received, passed
