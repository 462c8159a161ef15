# SPDX-License-Identifier: EUPL-1.2
"""A client in another language, written from docs/protocol.md alone, against the running services."""

import json
from pathlib import Path

from adapters.foundation import certification_bodies, pass_on
from demo.cast import CastMember
from sluis.keys import SEALING, SIGNING
from tests.scenarios.scene import Scene
from tests.test_interop_vectors import client

CATEGORIES = {
    "establishment_number": "organisation",
    "law": "organisation",
    "article": "organisation",
    "count": "organisation",
    "found_on": "organisation",
    "decided_on": "organisation",
}


def config_of(scene: Scene, member: CastMember, folder: Path, **more: object) -> str:
    """Write a configuration for the JavaScript client; return its path."""
    stage = scene.stage
    evaluators = zip(stage.cast.evaluators, stage.evaluators, strict=True)
    config = {
        "oin": member.oin,
        "agreement": "waadi-14b",
        "kind": "FINE_IMPOSED",
        "purpose": "CERTIFICAATBEOORDELING",
        "broker": stage.broker.address,
        "evaluators": [{"oin": one.oin, "address": service.address} for one, service in evaluators],
        "roots": str(member.keys / "ca.crt"),
        "certificate": str(member.keys / "tls.crt"),
        "key": str(member.keys / "tls.key"),
        "signing_seed": (member.keys / SIGNING).read_text().strip(),
        "sealing_key": (member.keys / SEALING).read_text().strip(),
        "receipt_key": stage.receipt_key,
        "log_vkey": stage.log_vkeys[0],
        "witness_vkeys": stage.witness_vkeys,
        "quorum": 1,
        "server_name": "localhost",
        **more,
    }
    path = folder / f"{member.slug}.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    return str(path)


async def test_javascript_pushes_what_python_opens(shared: Scene, tmp_path: Path) -> None:
    fine = shared.fines(1)[0]
    decided_on = fine.decided_on.isoformat()
    values = {
        "establishment_number": fine.establishment.value,
        "law": fine.law,
        "article": fine.article,
        "count": str(fine.count),
        "found_on": fine.found_on.isoformat(),
        "decided_on": decided_on,
    }
    config = config_of(
        shared,
        shared.stage.cast.inspectorate,
        tmp_path,
        recipient=shared.stage.cast.foundation.oin,
        subject={"type": "vestiging", "value": fine.establishment.value},
        fields=[
            {"name": name, "category": CATEGORIES[name], "value": value} for name, value in values.items()
        ],
        claims={"provision": fine.provision, "decided_on": decided_on},
    )
    result = client("exchange", config)
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert (answer["effect"], answer["withheld"]) == ("EFFECT_PERMIT", [])
    received = {str(signal.header.signal_id): signal for signal in await shared.receive()}
    assert dict(received[answer["signal_id"]].fields) == values


async def test_javascript_matches_and_opens_what_python_sealed(shared: Scene, tmp_path: Path) -> None:
    cast = shared.stage.cast
    await shared.push(2)
    signals = (await shared.receive())[-2:]
    async with shared.kit(cast.foundation) as kit:
        outcomes = await pass_on(kit, signals, shared.firms, await certification_bodies(kit), shared.today)
    assert all(outcome.permitted for outcome in outcomes)
    body = next(one for one in cast.bodies if one.oin == outcomes[0].draft.recipient)
    wanted = outcomes[0].draft.subject.value
    subjects = [{"type": "vestiging", "value": value} for value in (wanted, "099999999999")]
    result = client("match", config_of(shared, body, tmp_path, subjects=subjects))
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["asked"] == 2
    assert wanted in json.dumps(answer["hits"])
    assert "099999999999" not in json.dumps(answer["hits"])
