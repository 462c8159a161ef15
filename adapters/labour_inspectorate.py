# SPDX-License-Identifier: EUPL-1.2
"""The Labour Inspectorate: each fine in `fines.csv` becomes a sealed signal for the foundation.

Article 2:1(3) of the Besluit allocatie arbeidskrachten door intermediairs lists what is sent: establishment,
provision, number, date of the finding, date of the decision. The provision and the date of the decision also
travel as claims, because the broker cannot decide without them; the recipient checks that they are equal.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.fines import Fine
from adapters.table import ParsedFile
from sluis.client import Kit
from sluis.client.foresight import Foreseen
from sluis.client.sender import Draft, PushOutcome
from sluis.encoding import lp
from sluis.identifiers import Oin

KIND = "FINE_IMPOSED"
PURPOSE = "CERTIFICAATBEOORDELING"
RETENTION = timedelta(days=5 * 365)  # BAAI 2:3: destroyed within five years after receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class PushReport:
    """What became of a file of rows, each of which makes a signal."""

    file: ParsedFile[Any]
    outcomes: tuple[PushOutcome, ...]
    left_out: tuple[Foreseen, ...] = ()  # what the broker said beforehand that it would refuse

    @property
    def permitted(self) -> int:
        """Signals that the broker took, now or in an earlier run."""
        return sum(outcome.permitted for outcome in self.outcomes)

    @property
    def denied(self) -> dict[str, int]:
        """Denials by reason."""
        return dict(Counter(o.reason for o in self.outcomes if not o.permitted and not o.error))

    @property
    def errors(self) -> dict[str, int]:
        """Signals that were no exchange at all, by error code."""
        return dict(Counter(o.error for o in self.outcomes if o.error))


def fine_draft(fine: Fine, recipient: Oin) -> Draft:
    """Make the signal about one fine."""
    decided_on = fine.decided_on.isoformat()
    return Draft(
        identity=lp(fine.establishment.value, fine.law, fine.article, decided_on),
        recipient=recipient,
        subject=fine.establishment,
        kind=KIND,
        purpose=PURPOSE,
        fields={
            "establishment_number": fine.establishment.value,
            "law": fine.law,
            "article": fine.article,
            "count": str(fine.count),
            "found_on": fine.found_on.isoformat(),
            "decided_on": decided_on,
        },
        claims={"provision": fine.provision, "decided_on": decided_on},
        expires_at_ms=int((datetime.now(UTC) + RETENTION).timestamp() * 1000),
    )


async def push_fines(
    kit: Kit,
    file: ParsedFile[Fine],
    recipient: Oin,
    *,
    ask_first: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> PushReport:
    """Push the good rows of a file; with `ask_first`, without those that the broker would refuse.

    Raises what `Sender.push` and `Kit.foresee` raise.
    """
    drafts = [fine_draft(fine, recipient) for fine in file.accepted]
    return await push_drafts(kit, file, drafts, ask_first=ask_first, progress=progress)


async def push_drafts(
    kit: Kit,
    file: ParsedFile[Any],
    drafts: Sequence[Draft],
    *,
    ask_first: bool,
    progress: Callable[[int], None],
) -> PushReport:
    """Push what was made of the good rows of a file, as `push_fines` does."""
    refused: tuple[Foreseen, ...] = ()
    if ask_first:
        refused = tuple(group for group in await kit.foresee(drafts) if not group.permitted)
        left_out = {position for group in refused for position in group.positions}
        drafts = [draft for position, draft in enumerate(drafts) if position not in left_out]
    outcomes = tuple(await kit.sender.push(drafts, progress=progress))
    return PushReport(file=file, outcomes=outcomes, left_out=refused)
