# SPDX-License-Identifier: EUPL-1.2
"""The witness as a process: its key file, its settings, and a start and stop over a real socket."""

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from log_samples import LOG_KEYS, SampleLog, vkeys

from broker.audit.witness_client import WitnessClient
from sluis.errors import Conflict, InvalidInput, NotFound, Unavailable
from sluis.merkle import Hash
from sluis.note import SignatureType
from witness.keys import create_witness_key, load_witness_key
from witness.serve import serve
from witness.settings import WitnessSettings, load_settings

NAME = "witness.example/w1"
LOG = SampleLog(9)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SLUIS_WITNESS_")]:
        monkeypatch.delenv(name)


def toml(folder: Path, **more: object) -> Path:
    values = {
        "name": NAME,
        "listen": "127.0.0.1:0",
        "state": str(folder / "state.sqlite"),
        "key": str(folder / "witness.key"),
        "log_vkeys": [str(vkey) for vkey in vkeys(LOG_KEYS)],
        **more,
    }
    path = folder / "witness.toml"
    path.write_text(
        "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items() if value is not None)
    )
    return path


def test_a_key_file_is_private_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "witness.key"
    made = create_witness_key(path, NAME)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert tuple(signer.vkey for signer in load_witness_key(path, NAME)) == made
    assert [vkey.type for vkey in made] == [
        SignatureType.COSIGNATURE_ED25519,
        SignatureType.COSIGNATURE_MLDSA44,
    ]
    with pytest.raises(Conflict) as error:
        create_witness_key(path, NAME)
    assert error.value.code == "key-exists"
    assert tuple(signer.vkey for signer in load_witness_key(path, NAME)) == made


def test_no_key_file_is_left_behind_for_a_name_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        create_witness_key(tmp_path / "witness.key", "two words")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "secret", [bytes(64), b"\x07" * 32 + bytes(range(32)), bytes(range(32)) * 2, bytes(range(63)), b""]
)
def test_a_weak_key_is_refused(tmp_path: Path, secret: bytes) -> None:
    path = tmp_path / "witness.key"
    path.write_text(secret.hex() + "\n")
    path.chmod(0o600)
    with pytest.raises(Conflict) as error:
        load_witness_key(path, NAME)
    assert error.value.code == "key-weak"


def test_a_key_that_others_may_read_or_that_is_missing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "witness.key"
    with pytest.raises(NotFound, match="make one with"):
        load_witness_key(path, NAME)
    create_witness_key(path, NAME)
    path.chmod(0o640)
    with pytest.raises(Conflict, match="chmod 600"):
        load_witness_key(path, NAME)


def test_settings_come_from_the_file_and_the_environment_goes_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = toml(tmp_path)
    settings = load_settings(path)
    assert settings.logs() == tuple(vkeys(LOG_KEYS))
    assert settings.address() == ("127.0.0.1", 0)
    monkeypatch.setenv("SLUIS_WITNESS_LISTEN", "[::1]:99")
    monkeypatch.setenv("SLUIS_WITNESS_LOG_VKEYS", " ".join(map(str, vkeys(LOG_KEYS))))
    settings = load_settings(path)
    assert settings.address() == ("::1", 99)
    assert settings.logs() == tuple(vkeys(LOG_KEYS))


def test_settings_come_from_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"NAME": NAME, "STATE": "/s", "KEY": "/k", "LOG_VKEYS": str(LOG_KEYS[0].vkey)}.items():
        monkeypatch.setenv(f"SLUIS_WITNESS_{name}", value)
    settings = load_settings()
    assert (settings.name, settings.state, settings.log_vkeys) == (NAME, Path("/s"), (str(LOG_KEYS[0].vkey),))


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": None},
        {"name": "two words"},
        {"state": None},
        {"log_vkeys": []},
        {"log_vkeys": ["nonsense"]},
        {"log_vkeys": 5},
        {"listen": "127.0.0.1"},
        {"listen": "127.0.0.1:65536"},
        {"listen": ":80"},
        {"tls_key": "/only/one"},
        {"typo": "x"},
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match="settings are wrong") as error:
        load_settings(toml(tmp_path, **wrong))
    assert error.value.code == "malformed-config"


def test_a_settings_file_that_is_missing_or_no_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        load_settings(tmp_path / "none.toml")
    for content in (b"name = \n", b"\xff\xfe"):
        (tmp_path / "bad.toml").write_bytes(content)
        with pytest.raises(InvalidInput, match="not a readable TOML"):
            load_settings(tmp_path / "bad.toml")


def made(folder: Path, **more: object) -> WitnessSettings:
    create_witness_key(folder / "witness.key", NAME)
    return load_settings(toml(folder, **more))


async def get(url: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(url)


async def prove(old: int, size: int) -> list[Hash]:
    return LOG.consistency(old, size)


async def test_a_witness_serves_over_a_socket_and_remembers_after_a_restart(tmp_path: Path) -> None:
    settings = made(tmp_path)
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    keys = [signer.vkey for signer in load_witness_key(settings.key, NAME)]
    for size in (4, 9):
        stop, bound = asyncio.Event(), asyncio.Future[tuple[str, int]]()
        task = asyncio.create_task(
            serve(settings, stop, on_ready=lambda host, port, bound=bound: bound.set_result((host, port)))
        )
        host, port = await asyncio.wait_for(bound, 5)
        assert (await get(f"http://{host}:{port}/healthz")).status_code == 200
        # Signals belong to the process, not to a server inside it.
        assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == handlers
        client = WitnessClient(f"http://{host}:{port}", keys)
        assert len(await client.add_checkpoint(LOG.signed(size), prove)) == 2
        await client.aclose()
        stop.set()
        await asyncio.wait_for(task, 5)
    client = WitnessClient(f"http://{host}:{port}", keys)
    with pytest.raises(Unavailable):
        await client.add_checkpoint(LOG.signed(9), prove)
    await client.aclose()


async def test_a_witness_refuses_to_start_on_a_busy_port_a_missing_key_or_a_bad_state(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        settings = made(tmp_path, listen=f"127.0.0.1:{busy.getsockname()[1]}")
        with pytest.raises(InvalidInput, match="cannot listen"):
            await serve(settings, asyncio.Event())
    (tmp_path / "state.sqlite").write_bytes(b"no database" * 100)
    (tmp_path / "state.sqlite").chmod(0o600)
    with pytest.raises(Unavailable):
        await serve(load_settings(toml(tmp_path)), asyncio.Event())
    (tmp_path / "witness.key").unlink()
    with pytest.raises(NotFound):
        await serve(load_settings(toml(tmp_path)), asyncio.Event())


@pytest.mark.slow
def test_the_process_logs_json_and_stops_in_order_on_sigterm(tmp_path: Path) -> None:
    made(tmp_path)
    program = "import sys; from pathlib import Path; from witness.serve import run; "
    program += "from witness.settings import load_settings; run(load_settings(Path(sys.argv[1])))"
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program, str(tmp_path / "witness.toml")],
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stderr is not None
        started = json.loads(process.stderr.readline())
        assert (started["event"], started["name"]) == ("witness.started", NAME)
        assert httpx.get(f"http://{started['address']}/healthz", trust_env=False).text == "ok\n"
        process.send_signal(signal.SIGTERM)
        rest = [json.loads(line) for line in process.stderr]
        assert process.wait(10) == 0
    assert [event["event"] for event in rest] == ["witness.stopped"]
    assert all(vkey.startswith(f"{NAME}+") for vkey in started["vkeys"])
