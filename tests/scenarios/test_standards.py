# SPDX-License-Identifier: EUPL-1.2
"""A running broker answers AuthZEN to participants alone, and its log comes out as an Authorization Decision Log."""

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from demo.cast import CastMember
from sluis.cli.audit_adl import app
from sluis.keys import ROOTS, TLS_CERTIFICATE, TLS_KEY
from tests.scenarios.calls import log_size
from tests.scenarios.scene import Scene

EVALUATION = "/access/v1/evaluation"
SCHEMA = Path(__file__).resolve().parents[1] / "vectors" / "adl" / "log-record.schema.json"


@pytest.fixture(scope="module")
def adl() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA.read_text("utf-8")))


def ask(scene: Scene, shown: CastMember | None, path: str, document: object = None) -> httpx.Response:
    """One call over HTTPS, with a participant's certificate or without."""
    context = ssl.create_default_context(cafile=scene.stage.cast.broker.keys / ROOTS)
    if shown:
        context.load_cert_chain(shown.keys / TLS_CERTIFICATE, shown.keys / TLS_KEY)
    with httpx.Client(base_url=f"https://{scene.stage.http}", verify=context, trust_env=False) as http:
        return http.get(path) if document is None else http.post(path, json=document)


def evaluation(scene: Scene) -> dict[str, Any]:
    cast = scene.stage.cast
    return {
        "subject": {
            "type": "party",
            "id": cast.inspectorate.oin,
            "properties": {"role": cast.inspectorate.role},
        },
        "action": {"name": "push"},
        "resource": {
            "type": "exchange",
            "id": "any",
            "properties": {
                "agreement": "waadi-14b",
                "recipient": {"oin": cast.foundation.oin, "role": cast.foundation.role},
                "kind": "FINE_IMPOSED",
                "purpose": "CERTIFICAATBEOORDELING",
                "delivery": "mailbox",
                "fields": [{"name": "law", "category": "organisation"}],
            },
        },
        "context": {
            "claims": {"provision": "WML 7", "decided_on": scene.today.isoformat()},
            "facts": {
                "certificate_valid": {
                    "state": "proven",
                    "source": "register:certificates",
                    "asserter": {"oin": cast.foundation.oin, "role": cast.foundation.role},
                }
            },
        },
    }


def test_a_participant_is_answered_and_nobody_else(shared: Scene, adl: Draft202012Validator) -> None:
    cast = shared.stage.cast
    answer = ask(shared, cast.inspectorate, EVALUATION, evaluation(shared))
    assert (answer.status_code, answer.json()["decision"]) == (200, True)
    metadata = ask(shared, cast.officer, "/.well-known/authzen-configuration").json()
    assert metadata["access_evaluation_endpoint"] == f"https://{shared.stage.http}{EVALUATION}"
    with pytest.raises(httpx.TransportError):
        ask(shared, None, EVALUATION, evaluation(shared))
    lines = [json.loads(line) for line in shared.stage.broker.log.read_text("utf-8").splitlines()]
    written = [line["record"] for line in lines if line["event"] == "adl.record"]
    assert written
    for record in written:
        adl.validate(record)


async def test_the_log_comes_out_as_decision_log_records(shared: Scene, adl: Draft202012Validator) -> None:
    await shared.push(3)
    async with shared.kit(shared.stage.cast.officer) as kit:
        await kit.trust.checkpoint(log_size(shared.stage))  # else a push may come in between
    config = shared.stage.write_config(shared.stage.cast.officer)

    def run(*options: str) -> Any:
        return CliRunner().invoke(app, ["adl", "--config", str(config), *options])

    done = await asyncio.to_thread(run)
    assert done.exit_code == 0, done.output
    records = [json.loads(line) for line in done.stdout.splitlines()]
    for record in records:
        adl.validate(record)
    actions = [record["body"]["adl.core.request"]["action"]["name"] for record in records]
    report = await shared.audit()
    # A correction is not decided: it goes by the decision on what it corrects.
    decided = {
        name: count for name, count in report.decisions.items() if not name.startswith("signal.correct ")
    }
    assert len(records) == sum(decided.values())
    assert actions.count("push") >= 3
    assert actions.count("register") >= 3
    assert len({record["span_id"] for record in records}) == len(records)
    assert [record["attributes"]["sluis.log.index"] for record in records] == sorted(
        record["attributes"]["sluis.log.index"] for record in records
    )
    again = await asyncio.to_thread(run)
    assert again.stdout.splitlines()[: len(records)] == done.stdout.splitlines()
    empty = await asyncio.to_thread(run, "--to", "2020-01-01")
    assert (empty.exit_code, empty.stdout) == (0, "")
    assert (await asyncio.to_thread(run, "--from", "2020-01-01")).stdout == done.stdout


async def test_who_may_not_read_the_log_gets_no_records(shared: Scene) -> None:
    config = shared.stage.write_config(shared.stage.cast.inspectorate)
    done = await asyncio.to_thread(CliRunner().invoke, app, ["adl", "--config", str(config)])
    assert done.exit_code != 0
    assert done.stdout == ""
