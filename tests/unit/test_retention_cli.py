# SPDX-License-Identifier: EUPL-1.2
"""`sluis hold` and `sluis broker expire|hold|lift-hold|holds|scrub`: data on stdout, exit codes, what is refused."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner

from broker.keys import BrokerKeys
from broker.policy.active import install
from broker.policy.officers import OfficerFunction, Officers
from broker.storage.open import open_store
from sluis.cli.app import app
from sluis.errors import SluisError
from sluis.keys import write_secret
from sluis.policy.bundle import default_directory, read_files
from sluis.signing import SigningKey
from tests.actors import cast
from tests.contract.rows import digest, push

DAY = 86_400_000
ORIGIN = "broker.example/log"


@pytest.fixture
def host(tmp_path: Path, admitted: Path) -> Path:
    """A broker's host: configuration, keys, and a database with two signals, of which one has ended."""
    (tmp_path / "broker.db").write_bytes(admitted.read_bytes())
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    BrokerKeys.create(keys, ORIGIN)
    (tmp_path / "broker.toml").write_text(
        f'database = "sqlite:///{tmp_path}/broker.db"\nkeys = "keys"\norigin = "{ORIGIN}"\n', "utf-8"
    )
    now = datetime.now(UTC)
    now_ms = int(now.timestamp() * 1000)
    store = open_store(f"sqlite:///{tmp_path}/broker.db")
    install(store, read_files(default_directory()), now)
    nla, sna = cast().nla, cast().sna
    with store.transaction() as tx:
        for name, end in (("ended", now_ms - 2 * DAY), ("lives", now_ms + DAY)):
            push(tx, name, sender=nla.oin, recipient=sna.oin, expires_at_ms=end, delivery="on_match")
        tx.commit()
    for name, function in (("fg-1", OfficerFunction.PRIVACY), ("jz-1", OfficerFunction.LEGAL)):
        key = SigningKey.generate()
        write_secret(tmp_path / f"{name}.key", key.to_bytes())
        Officers(store, lambda: datetime.now(UTC)).enrol(name, nla.oin, function, key.public)
    store.retention.set_swept(now_ms)
    store.close()
    return tmp_path


def run(*arguments: str | Path) -> Any:
    """Run a command that succeeds; what it printed."""
    result = CliRunner().invoke(app, [str(item) for item in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout) if result.stdout else None


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(SluisError) as caught:
        call()
    return caught.value.code


def exchange(name: str) -> str:
    return str(UUID(bytes=digest(name, 16)))


def broker(host: Path, *arguments: str | Path) -> Any:
    return run("broker", *arguments, "--config", host / "broker.toml")


def sign(host: Path, act: str, *arguments: str | Path, officer: str, out: str) -> Path:
    run("hold", act, *arguments, "--officer", officer, "--key", host / f"{officer}.key", "--out", host / out)
    return host / out


def held(host: Path, target: str) -> Path:
    """Set a hold, signed by two; the statement of who asked."""
    asked = sign(host, "ask", target, "--reason", "LITIGATION", officer="fg-1", out="ask.json")
    agreed = sign(host, "agree", asked, officer="jz-1", out="agree.json")
    assert broker(host, "hold", asked, agreed)["target"] == target
    return asked


def test_an_operator_sees_what_is_overdue_and_destroys_it(host: Path) -> None:
    assert broker(host, "expire") == {"overdue": [exchange("ended")]}
    done = broker(host, "expire", "--now")
    assert (done["signals"], done["held"]) == (1, 0)
    assert broker(host, "expire") == {"overdue": []}
    assert broker(host, "scrub") is None
    assert broker(host, "expire", "--now")["signals"] == 0


def test_a_hold_is_signed_by_two_set_listed_and_lifted(host: Path) -> None:
    asked = held(host, exchange("ended"))
    (row,) = broker(host, "holds")
    assert (row["scope"], row["reason"]) == ("exchange", "LITIGATION")
    assert broker(host, "expire") == {"overdue": []}
    assert broker(host, "expire", "--now")["held"] == 1
    lift = sign(host, "lift", asked, officer="fg-1", out="lift.json")
    agreed = sign(host, "agree", lift, officer="jz-1", out="agree-lift.json")
    assert broker(host, "lift-hold", lift, agreed)["hold"] == row["hold"]
    assert broker(host, "holds") == []
    assert broker(host, "expire", "--now")["signals"] == 1


def test_a_clock_that_leapt_is_confirmed_with_the_date_of_today(host: Path) -> None:
    store = open_store(f"sqlite:///{host}/broker.db")
    store.retention.set_swept(1)
    store.close()
    assert refused(lambda: broker(host, "expire", "--now")) == "clock-leapt"
    for wrong, code in (("2020-01-01", "wrong-state"), ("today", "date-format")):
        assert refused(lambda wrong=wrong: broker(host, "expire", "--clock-is", wrong)) == code  # type: ignore[misc]
    today = datetime.now(UTC).date().isoformat()
    assert broker(host, "expire", "--clock-is", today, "--now")["signals"] == 1


def test_what_one_officer_cannot_do_alone(host: Path) -> None:
    asked = sign(host, "ask", exchange("ended"), "--reason", "OVERSIGHT", officer="fg-1", out="ask.json")
    assert refused(lambda: broker(host, "hold", asked)) == "approvals-missing"
    assert refused(lambda: sign(host, "agree", asked, officer="fg-1", out="x.json")) == "malformed-request"
    agreed = sign(host, "agree", asked, officer="jz-1", out="agree.json")
    assert refused(lambda: sign(host, "agree", agreed, officer="fg-1", out="x.json")) == "malformed-request"
    assert refused(lambda: broker(host, "hold", host / "none.json")) == "file-not-found"
    wrong = ("--scope", "subject", "--reason", "OVERSIGHT")
    assert (
        refused(lambda: sign(host, "ask", "x", *wrong, officer="fg-1", out="x.json")) == "malformed-request"
    )
