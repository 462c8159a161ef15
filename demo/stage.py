# SPDX-License-Identifier: EUPL-1.2
"""The stage: broker, two evaluators and witness as processes of their own, on loopback.

Ports are those of the documentation unless something else has them; then the next free one.
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Protocol

from broker.administration import Operator
from broker.epochs import EpochOffice
from broker.keys import BrokerKeys
from broker.storage.open import open_store
from demo.cast import Cast, CastMember
from evaluator.shares import EvaluatorShares
from sluis.certificates import read_certificates
from sluis.client import KitSettings
from sluis.client.settings import EvaluatorAddress
from sluis.errors import Unavailable
from sluis.keys import ROOTS
from sluis.policy.bundle import default_directory, load_bundle
from witness.keys import create_witness_key

HOST = "127.0.0.1"
PORTS = (7300, 7301, 7302, 7310)  # broker, evaluators, witness
HTTP_ABOVE = 80  # the broker's HTTPS port is that much above its own: 7380
CONSOLE_ABOVE = 90  # and that of the officers' console: 7390
AGREEMENT = "waadi-14b"
ORIGIN = "sluis.example/demo"
WITNESS = "witness.example/demo"
START_SECONDS = 30.0


class Running(Protocol):
    """What is asked of a process that was started; a Popen has it."""

    @property
    def pid(self) -> int:
        """Its process id."""

    @property
    def returncode(self) -> int | None:
        """Its exit code, once it is known that it has ended."""

    def poll(self) -> int | None:
        """Its exit code, if it has ended."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its exit code. Raises subprocess.TimeoutExpired."""

    def terminate(self) -> None:
        """Ask it to end."""


def spawn(command: list[str], log: IO[bytes], environment: Mapping[str, str]) -> Running:
    """Start a process by its command line."""
    return subprocess.Popen(  # our own command line
        command,
        stdout=log,
        stderr=log,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        env=environment,
    )


@dataclass(slots=True)
class Service:
    """A process of the stage."""

    name: str
    command: list[str]
    folder: Path
    address: str
    process: Running | None = None
    launch: Callable[[list[str], IO[bytes], Mapping[str, str]], Running] = spawn

    @property
    def log(self) -> Path:
        """Its structured log."""
        return self.folder / "log.jsonl"

    def start(self) -> None:
        """Start it, and wait until it listens. Raises Unavailable with the end of its log."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = self.launch(self.command, log, _environment())
        deadline = time.monotonic() + START_SECONDS
        while not _listens(self.address):
            if self.process.poll() is not None or time.monotonic() > deadline:
                tail = self.log.read_text(errors="replace")[-2000:]
                raise Unavailable("peer-unavailable", f"{self.name} does not start:\n{tail}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.process and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def stop(self, seconds: float = 15.0) -> None:
        """End it gracefully; a process that does not end is killed."""
        if not self.process or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()


@dataclass(slots=True)
class Stage:
    """All processes, and what participants must know of them."""

    root: Path
    cast: Cast
    database: str
    witness: Service
    evaluators: tuple[Service, Service]
    broker: Service
    http: str  # the broker's address for AuthZEN
    console: str  # and that of the officers' console
    receipt_key: str
    log_vkeys: list[str]
    witness_vkeys: list[str]
    ports: "Ports"
    rules: Path | None = None  # with which the broker begins; none: the installed ones

    @property
    def moved(self) -> list[str]:
        """Which ports were busy, and what was taken in their place."""
        return self.ports.moved

    @property
    def services(self) -> tuple[Service, ...]:
        """In the order in which they start."""
        return (self.witness, self.broker, *self.evaluators)

    def start(self) -> None:
        """Start all of them."""
        for service in self.services:
            service.start()

    def stop(self) -> None:
        """Stop all of them, the broker first."""
        for service in (self.broker, *self.evaluators, self.witness):
            with contextlib.suppress(ProcessLookupError):
                service.stop()

    def settings(self, member: CastMember) -> KitSettings:
        """A participant's settings; also written as its `sluis.toml`."""
        return KitSettings.load(self.write_config(member))

    def write_config(self, member: CastMember) -> Path:
        """Write a participant's `sluis.toml`, so that the commands can be tried by hand."""
        lines = {
            "oin": member.oin,
            "keys": "keys",
            "state": "state",
            "agreement": AGREEMENT,
            "broker": self.broker.address,
            "receipt_key": self.receipt_key,
            "log_vkeys": self.log_vkeys,
            "witness_vkeys": self.witness_vkeys,
        }
        text = toml_text(lines)
        for one, service in zip(self.cast.evaluators, self.evaluators, strict=True):
            place = EvaluatorAddress(oin=one.oin, address=service.address)
            text += "\n[[evaluators]]\n" + toml_text({"oin": place.oin, "address": place.address})
        path = member.folder / "sluis.toml"
        path.write_text(text, encoding="utf-8")
        return path


def set_stage(
    root: Path,
    cast: Cast,
    *,
    database: str = "",
    tap: bool = True,
    wanted: tuple[int, int, int, int] = PORTS,
    retention_seconds: float = 60.0,
    rules: Path | None = None,
) -> Stage:
    """Make keys and configuration of all services; nothing runs yet. `wanted` ports are as in `PORTS`.

    The broker looks every `retention_seconds` for what has ended, and begins with these `rules`, or the installed ones.
    """
    ports = Ports()
    broker_port, *evaluator_ports, witness_port = [ports.pick(port) for port in wanted]
    http = f"{HOST}:{ports.pick(broker_port + HTTP_ABOVE)}"
    console = f"{HOST}:{ports.pick(broker_port + CONSOLE_ABOVE)}"
    database = database or f"sqlite:///{root / 'broker' / 'broker.sqlite'}"
    broker_keys = BrokerKeys.create(cast.broker.keys, ORIGIN)
    log_vkeys = [str(signer.vkey) for signer in broker_keys.log]
    witness_folder = root / "witness"
    witness_folder.mkdir(parents=True, exist_ok=True)
    witness_vkeys = [str(vkey) for vkey in create_witness_key(witness_folder / "witness.key", WITNESS)]
    trusted: dict[str, object] = {
        "receipt_key": broker_keys.receipt.public.raw.hex(),
        "log_vkeys": log_vkeys,
        "witness_vkeys": witness_vkeys,
    }
    stage = Stage(
        root=root,
        cast=cast,
        database=database,
        witness=_witness(witness_folder, witness_port, log_vkeys),
        evaluators=tuple(  # type: ignore[arg-type]  # two in, two out
            _evaluator(cast, one, port, broker_port, trusted, tap=tap)
            for one, port in zip(cast.evaluators, evaluator_ports, strict=True)
        ),
        broker=_broker(
            cast,
            broker_port,
            (http, console),
            database,
            witness_port,
            witness_vkeys,
            tap=tap,
            more={"retention_seconds": retention_seconds, **({"policies": str(rules)} if rules else {})},
        ),
        rules=rules,
        http=http,
        console=console,
        receipt_key=broker_keys.receipt.public.raw.hex(),
        log_vkeys=log_vkeys,
        witness_vkeys=witness_vkeys,
        ports=ports,
    )
    admit_cast(stage)
    return stage


def admit_cast(stage: Stage) -> None:
    """Register everyone at the broker and announce the first epoch, as its operator would with `sluis broker`."""
    store = open_store(stage.database)
    try:
        operator = Operator(store, load_bundle(stage.rules or default_directory()), lambda: datetime.now(UTC))
        for one in (*stage.cast.participants, *stage.cast.evaluators):
            roots = read_certificates((stage.cast.broker.keys / ROOTS).read_bytes())
            operator.admit((one.folder / "card.json").read_bytes(), one.role, roots)
        office = EpochOffice(store, lambda: datetime.now(UTC))
        if not office.calendar().epochs:
            year = datetime.now(UTC).year
            office.announce(str(year), datetime(year, 1, 1, tzinfo=UTC), "het eerste tijdvak van dit logboek")
    finally:
        store.close()


def _witness(folder: Path, port: int, log_vkeys: list[str]) -> Service:
    config: dict[str, object] = {
        "name": WITNESS,
        "listen": f"{HOST}:{port}",
        "state": str(folder / "witness.sqlite"),
        "key": str(folder / "witness.key"),
        "log_vkeys": log_vkeys,
    }
    return _service("witness", folder, f"{HOST}:{port}", config)


def _broker(
    cast: Cast,
    port: int,
    http: tuple[str, str],
    database: str,
    witness_port: int,
    witness_vkeys: list[str],
    *,
    tap: bool,
    more: Mapping[str, object],
) -> Service:
    folder = cast.broker.folder
    config: dict[str, object] = {
        "listen": f"{HOST}:{port}",
        "http_listen": http[0],
        "console_listen": http[1],
        "database": database,
        "keys": str(cast.broker.keys),
        "origin": ORIGIN,
        "checkpoint_seconds": 0.5,
        **more,
    }
    if tap:
        config["wire_tap"] = str(folder / "wire.tap")
    witnesses = "\n[[witnesses]]\n" + toml_text(
        {"url": f"http://{HOST}:{witness_port}", "vkeys": witness_vkeys}
    )
    return _service("broker", folder, f"{HOST}:{port}", config, witnesses)


def _evaluator(
    cast: Cast, one: CastMember, port: int, broker_port: int, trusted: Mapping[str, object], *, tap: bool
) -> Service:
    year = datetime.now(UTC).year
    EvaluatorShares.create(one.folder / "seeds.json", oin=one.oin, epochs=[str(year)])
    parties = {member.oin: member.role for member in (*cast.participants, *cast.evaluators)}
    lines = "".join(f'"{oin}" = "{role}"\n' for oin, role in parties.items())
    (one.folder / "parties.toml").write_text("[parties]\n" + lines, encoding="utf-8")
    config: dict[str, object] = {
        "listen": f"{HOST}:{port}",
        "keys": str(one.keys),
        "seeds": str(one.folder / "seeds.json"),
        "state": str(one.state),
        "parties": str(one.folder / "parties.toml"),
        "broker": f"{HOST}:{broker_port}",
        **trusted,
    }
    if tap:
        config["wire_tap"] = str(one.folder / "wire.tap")
    return _service("evaluator", one.folder, f"{HOST}:{port}", config)


def _service(noun: str, folder: Path, address: str, config: dict[str, object], more: str = "") -> Service:
    path = folder / f"{noun}.toml"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(toml_text(config) + more, encoding="utf-8")
    command = [sys.executable, "-m", "sluis", noun, "serve", "--config", str(path)]
    return Service(name=folder.name, command=command, folder=folder, address=address)


def toml_text(values: Mapping[str, object]) -> str:
    """Write strings, numbers and lists of strings as TOML (a JSON string is a TOML string)."""
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


class Ports:
    """Free ports, each kept from other demos of the same user as long as this object lives.

    Between the search for a free port and its use another demo would find it free too, and its participants would
    knock at our broker. So each port is locked by a file.
    """

    def __init__(self) -> None:
        self.moved: list[str] = []

    def pick(self, wanted: int) -> int:
        """The wanted port, or the next one that is free."""
        for port in range(wanted, wanted + 500):
            if _is_free(port) and self._claim(port):
                if port != wanted:
                    self.moved.append(f"port {wanted} is busy, using {port}")
                return port
        raise Unavailable("peer-unavailable", f"no free port from {wanted} on")

    def _claim(self, port: int) -> bool:
        folder = Path(tempfile.gettempdir()) / f"sluis-ports-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(folder / str(port), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        weakref.finalize(self, os.close, lock)
        return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=0.5):
            return True
    except OSError:
        return False


def _environment() -> dict[str, str]:
    """Our environment without settings that would override the demo's own files."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLUIS_")}
    roots = os.pathsep.join(path for path in sys.path if path)
    return {**kept, "PYTHONPATH": roots, "PYTHONUNBUFFERED": "1", "GRPC_VERBOSITY": "ERROR"}
