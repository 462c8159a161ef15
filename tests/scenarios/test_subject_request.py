# SPDX-License-Identifier: EUPL-1.2
"""A data subject asks: the officer's command against a running broker, without the number leaving her side."""

import asyncio
import json
from pathlib import Path

from tests.scenarios.scene import Scene
from tests.scenarios.test_cli import FAILED, As, run_as

__all__ = ["run_as"]


def test_an_officer_answers_a_data_subject(shared: Scene, run_as: As, tmp_path: Path) -> None:
    cast = shared.stage.cast
    [draft] = shared.drafts(1)

    async def send() -> int:
        async with shared.kit(cast.inspectorate) as kit:
            [outcome] = await kit.sender.push([draft])
        return int(outcome.log_index)

    index = asyncio.run(send())
    asyncio.run(shared.receive())
    out = tmp_path / "answer.json"
    asked = ("audit", "subject", draft.subject.value, "--type", draft.subject.type.value, "--out", out)

    for member, direction in ((cast.inspectorate, "sent"), (cast.foundation, "received")):
        done = run_as(member, *asked)
        assert done.code == 0, done.said
        answer = json.loads(out.read_text("utf-8"))
        # Other tests on this scene may have sent a signal on the same firm.
        [found] = [each for each in answer["exchanges"] if each["log_indexes"][0] == index]
        assert found["direction"] == direction
        assert answer["domains_not_asked"] == []
        for file in tmp_path.iterdir():
            assert draft.subject.value not in file.read_text("utf-8"), file.name
        assert len(list(tmp_path.iterdir())) == 3

    other = run_as(cast.bodies[0], *asked)
    assert (other.code, json.loads(out.read_text("utf-8"))["exchanges"]) == (0, [])

    wrong = run_as(cast.inspectorate, "audit", "subject", "1", "--type", "passport", "--out", out)
    assert (wrong.code, "[malformed-request]" in wrong.said) == (FAILED, True)
