# SPDX-License-Identifier: EUPL-1.2
"""What happens to signals after the office's day: one is answered and held, one is recalled, one ends.

And a certification body tries out numbers, which stands out for the authority.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from adapters.certification_body import ask
from adapters.json_lines import keep_in
from broker.retention.holds import Holds
from broker.storage.open import open_store
from sluis.client.receiver import ReceivedSignal
from sluis.followup import Act
from sluis.hold import HoldAct, HoldReason, HoldScope, HoldStatement, new_hold
from sluis.identifiers import Identifier, IdentifierType
from sluis.keys import read_secret
from sluis.signing import SEED_SIZE, SigningKey
from tests.scenarios.scene import Scene, establishment

UNKNOWN_FIRMS = range(500, 560)  # in no register
FEEDBACK = {"outcome": "CONFIRMED", "measure": "CERTIFICATE_SUSPENDED", "usability": "4"}


async def follow_up(scene: Scene, received: Sequence[ReceivedSignal]) -> None:
    """The foundation tells what came of the second signal and asks about it; the sender recalls the third."""
    told, recalled = (one.header.signal_id for one in received[1:3])
    async with scene.kit(scene.stage.cast.foundation) as kit:
        await kit.follow_ups.say(Act.FEEDBACK, told, FEEDBACK)
        await kit.follow_ups.say(Act.ASK, told, {"question": "STILL_CURRENT"})
    async with scene.kit(scene.stage.cast.inspectorate) as kit:
        await kit.follow_ups.say(Act.RECALL, recalled, {"reason": "WRONG_SUBJECT"})


async def try_out_numbers(scene: Scene) -> None:
    """The second body asks about firms that it cannot know."""
    body = scene.stage.cast.bodies[1]
    firms = [
        Identifier(type=IdentifierType.VESTIGING, value=establishment(number)) for number in UNKNOWN_FIRMS
    ]
    async with scene.kit(body) as kit:
        report = await ask(kit, firms, keep_in(body.folder / "hits.jsonl"))
    assert not report.hits


def hold(scene: Scene, keys: Mapping[str, Path], exchange: str) -> None:
    """Two officers keep an exchange from destruction."""
    one = new_hold()
    statements = [
        HoldStatement(
            act=act,
            officer=officer,
            at=datetime.now(UTC).replace(microsecond=0),
            hold=one,
            scope=HoldScope.EXCHANGE,
            target=exchange,
            reason=HoldReason.LITIGATION,
        ).signed(SigningKey.from_bytes(read_secret(keys[officer], SEED_SIZE)))
        for act, officer in ((HoldAct.HOLD, "fg-1"), (HoldAct.APPROVE_HOLD, "jurist-1"))
    ]
    store = open_store(scene.stage.database)
    try:
        Holds(store, lambda: datetime.now(UTC)).set(statements, None)
    finally:
        store.close()
