# SPDX-License-Identifier: EUPL-1.2
"""`sluis audit policy` writes whom a sluis.toml trusts, byte for byte."""

import json
from pathlib import Path

from log_samples import LOG_KEYS, W1
from typer.testing import CliRunner

from sluis.cli.app import app

BASE = (
    'oin = "0"\nkeys = "k"\nstate = "s"\nagreement = "a"\nbroker = "b"\nreceipt_key = ""\nevaluators = []\n'
)


def run(config: Path, *options: str) -> bytes:
    done = CliRunner().invoke(app, ["audit", "policy", "--config", str(config), *options])
    assert done.exit_code == 0, done.output
    return done.stdout_bytes


def test_settings_are_written_as_a_policy_that_is_written_back_as_it_is(tmp_path: Path) -> None:
    config = tmp_path / "sluis.toml"
    keys = {"log_vkeys": [str(one.vkey) for one in LOG_KEYS], "witness_vkeys": [str(one.vkey) for one in W1]}
    config.write_text(BASE + "".join(f"{name} = {json.dumps(value)}\n" for name, value in keys.items()))
    written = run(config)
    first, second = (str(one.vkey) for one in W1)
    assert written.decode() == (
        f"log {keys['log_vkeys'][0]}\nlog {keys['log_vkeys'][1]}\n"
        f"witness witness.example/w1:ed25519 {first}\nwitness witness.example/w1:mldsa44 {second}\n"
        "group witness.example/w1 1 witness.example/w1:ed25519 witness.example/w1:mldsa44\n"
        "quorum witness.example/w1\n"
    )
    named = tmp_path / "named.toml"
    named.write_text(BASE + 'log_policy = "log.policy"\n')
    (tmp_path / "log.policy").write_bytes(written)
    assert run(named) == written
    data = json.loads(run(named, "--json"))
    assert data["quorum"] == "witness.example/w1"
    assert data["groups"]["witness.example/w1"]["threshold"] == 1
    odd = written.replace(b"group witness.example/w1 ", b"group \xff ").replace(
        b"quorum witness.example/w1", b"quorum \xff"
    )
    (tmp_path / "log.policy").write_bytes(odd)
    assert run(named) == odd
    assert json.loads(run(named, "--json"))["quorum"] == "\ufffd"
