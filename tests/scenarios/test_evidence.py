# SPDX-License-Identifier: EUPL-1.2
"""Evidence to take away: a bundle of one exchange from a running broker, checked offline, for whom it concerns."""

import asyncio
import time
from pathlib import Path

from broker.audit.evidence import collect_evidence
from broker.storage.open import open_store
from broker.storage.projected import Sight
from demo.cast import CastMember
from sluis.checkpoint import LOG_TYPES, WITNESS_TYPES, parse_vkeys
from sluis.evidence import verify_evidence, write_evidence
from sluis.tlog_policy import TlogPolicy
from tests.scenarios.calls import log_size
from tests.scenarios.scene import Scene
from tests.scenarios.test_cli import FAILED, USAGE, As, run_as, sluis

__all__ = ["run_as"]


def test_a_bundle_is_made_and_holds_without_the_broker(shared: Scene, run_as: As, tmp_path: Path) -> None:
    stage = shared.stage
    [outcome] = asyncio.run(shared.push(1))
    asyncio.run(shared.receive())
    entry = run_as(stage.cast.officer, "audit", "show", str(outcome.log_index)).data
    exchange, file = entry["exchange"], tmp_path / "bundle.zip"

    def make(member: CastMember) -> bytes:
        done = run_as(member, "audit", "bundle", exchange, "--out", file)
        assert done.code == 0, done.said
        return file.read_bytes()

    made = {member.oin: make(member) for member in (stage.cast.officer, stage.cast.inspectorate)}
    own = [item for key in stage.witness_vkeys for item in ("--witness-vkey", key)]
    own += [item for key in stage.log_vkeys for item in ("--log-vkey", key)]
    for data in made.values():
        file.write_bytes(data)
        # No configuration, no keys, no network: only the published keys.
        found = sluis("audit", "verify", file, *own, HOME=str(tmp_path))
        assert found.code == 0, found.said
        assert found.data["exchange"] == exchange
        assert found.data["cosigners"] == ["witness.example/demo"]
        entries = found.data["entries"]
        assert entries[str(outcome.log_index)] == entry
        assert [item["operation"] for item in entries.values()] == ["signal.push", "signal.acknowledge"]
    assert run_as(stage.cast.inspectorate, "audit", "verify", file).code == 0
    file.write_bytes(data.replace(b'"permit"', b'"denied"', 1))
    forged = run_as(stage.cast.inspectorate, "audit", "verify", file)
    assert (forged.code, forged.out) == (FAILED, "")
    assert "[malformed-encoding]" in forged.said
    file.write_bytes(data)
    other = sluis("audit", "verify", file, "--log-vkey", stage.log_vkeys[0].replace("sluis", "other"))
    assert other.code in (FAILED, USAGE)
    no_log_key = sluis("audit", "verify", file, "--witness-vkey", stage.witness_vkeys[0])
    assert "[malformed-request]" in no_log_key.said
    lonely = sluis("audit", "verify", file, "--log-vkey", stage.log_vkeys[0])
    assert (lonely.code, lonely.data["cosigners"]) == (0, [])


def test_an_exchange_of_others_is_not_there(shared: Scene, run_as: As, tmp_path: Path) -> None:
    stage = shared.stage
    [outcome] = asyncio.run(shared.push(1))
    exchange = run_as(stage.cast.officer, "audit", "show", str(outcome.log_index)).data["exchange"]
    for member, asked in ((stage.cast.bodies[0], exchange), (stage.cast.officer, "no-such-exchange")):
        done = run_as(member, "audit", "bundle", asked, "--out", tmp_path / "x.zip")
        assert done.code == FAILED
        assert "[not-found]" in done.said
        assert not (tmp_path / "x.zip").exists()


def test_the_console_makes_the_same_bundle_from_the_store(shared: Scene, run_as: As) -> None:
    stage = shared.stage
    [outcome] = asyncio.run(shared.push(1))
    exchange = run_as(stage.cast.officer, "audit", "show", str(outcome.log_index)).data["exchange"]
    keys = parse_vkeys(stage.log_vkeys, LOG_TYPES), parse_vkeys(stage.witness_vkeys, WITNESS_TYPES)
    store = open_store(stage.database)
    deadline = time.monotonic() + 15
    try:
        while store.exchange_index.position() <= outcome.log_index:  # it follows the log a moment later
            assert time.monotonic() < deadline
            time.sleep(0.02)
        evidence = collect_evidence(store, Sight.everything(), exchange, *keys)
        data = write_evidence(evidence)
    finally:
        store.close()
    found = verify_evidence(data, TlogPolicy.of(*keys, 1))
    assert found.exchange == exchange
    assert outcome.log_index in found.entries


def test_the_index_is_made_anew_while_the_broker_runs(shared: Scene, run_as: As, tmp_path: Path) -> None:
    stage = shared.stage
    [outcome] = asyncio.run(shared.push(1))
    before = log_size(stage)
    done = sluis("broker", "reindex", "--config", stage.broker.command[-1])
    assert done.code == 0, done.said
    assert done.data["entries"] >= before
    exchange = run_as(stage.cast.officer, "audit", "show", str(outcome.log_index)).data["exchange"]
    assert run_as(stage.cast.officer, "audit", "bundle", exchange, "--out", tmp_path / "x.zip").code == 0
