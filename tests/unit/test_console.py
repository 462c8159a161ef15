# SPDX-License-Identifier: EUPL-1.2
"""The decision point over real HTTPS: who shows no certificate is not heard, and every error is JSON with a code."""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from authzen_samples import EVALUATION, URL, changed, point
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from broker.console import app as console_app
from broker.console.app import make_app
from broker.console.asked import MAX_BODY
from broker.console.serve import Console
from broker.settings import BrokerSettings
from sluis.certificates import Authority, certificate_pem
from sluis.errors import InvalidInput
from sluis.identifiers import Oin

EVALUATE = "/access/v1/evaluation"
BODY = json.dumps(EVALUATION).encode()
JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Certificates with their keys: of the broker, of a participant, and of one under another root."""

    roots: Path
    broker: tuple[Path, Path]
    participant: tuple[Path, Path]
    stranger: tuple[Path, Path]


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    folder = tmp_path_factory.mktemp("tls")
    now = datetime.now(UTC)
    period = {"valid_from": now - timedelta(hours=1), "valid_until": now + timedelta(hours=1)}

    def leaf(authority: Authority, name: str) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = authority.issue(key.public_key(), name=name, oin=Oin("00000001000000000001"), **period)
        paths = folder / f"{name}.crt", folder / f"{name}.key"
        paths[0].write_bytes(certificate_pem(certificate))
        form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        paths[1].write_bytes(key.private_bytes(*form))
        return paths

    ours, other = (Authority.create(name, **period) for name in ("ours", "other"))
    (folder / "ca.crt").write_bytes(certificate_pem(ours.certificate))
    return Tls(
        roots=folder / "ca.crt",
        broker=leaf(ours, "broker"),
        participant=leaf(ours, "participant"),
        stranger=leaf(other, "stranger"),
    )


@pytest.fixture
async def console(tls: Tls) -> AsyncIterator[Console]:
    served = Console(
        make_app(point()),
        "127.0.0.1:0",
        certificate=tls.broker[0],
        key=tls.broker[1],
        roots=tls.roots,
        grace=1,
    )
    served.start()
    yield served
    await served.close()


def client(console: Console, tls: Tls, shown: tuple[Path, Path] | None) -> httpx.AsyncClient:
    context = ssl.create_default_context(cafile=tls.roots)
    if shown:
        context.load_cert_chain(*shown)
    return httpx.AsyncClient(base_url=f"https://127.0.0.1:{console.port}", verify=context, trust_env=False)


async def test_a_participant_is_answered(console: Console, tls: Tls) -> None:
    async with client(console, tls, tls.participant) as http:
        answer = await http.post(EVALUATE, content=BODY, headers=JSON | {"X-Request-ID": "bfe9-1"})
        assert (answer.status_code, answer.json()["decision"]) == (200, True)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-request-id"] == "bfe9-1"
        assert answer.headers["cache-control"] == "no-store"
        batch = await http.post("/access/v1/evaluations", json={"evaluations": [EVALUATION, {}]})
        assert [item["decision"] for item in batch.json()["evaluations"]] == [True, False]
        metadata = await http.get("/.well-known/authzen-configuration")
        assert metadata.json()["policy_decision_point"] == URL
        assert "x-request-id" not in metadata.headers


async def test_who_shows_no_certificate_or_one_of_another_root_is_not_heard(
    console: Console, tls: Tls
) -> None:
    for shown in (None, tls.stranger):
        async with client(console, tls, shown) as http:
            with pytest.raises((httpx.ReadError, httpx.ConnectError, httpx.RemoteProtocolError)):
                await http.post(EVALUATE, content=BODY, headers=JSON)


async def test_plain_http_is_not_heard(console: Console) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        with pytest.raises(httpx.HTTPError):
            await http.post(f"http://127.0.0.1:{console.port}{EVALUATE}", content=BODY, headers=JSON)


async def test_an_address_that_is_taken_or_none_is_refused(console: Console, tls: Tls) -> None:
    for address in (f"127.0.0.1:{console.port}", "127.0.0.1:x", "nonsense", "127.0.0.1:99999"):
        with pytest.raises(InvalidInput) as error:
            Console(
                make_app(point()),
                address,
                certificate=tls.broker[0],
                key=tls.broker[1],
                roots=tls.roots,
                grace=1,
            )
        assert error.value.code == "malformed-config"


async def test_tls_files_that_do_not_fit_are_refused(tls: Tls) -> None:
    for key, roots in (
        (tls.participant[1], tls.roots),
        (tls.broker[1], tls.broker[1]),
        (tls.roots, tls.roots),
    ):
        with pytest.raises(InvalidInput):
            Console(
                make_app(point()), "127.0.0.1:0", certificate=tls.broker[0], key=key, roots=roots, grace=1
            )


# the application, without a socket


def inside() -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(make_app(point())), base_url="https://broker.example"
    )


@pytest.mark.parametrize(
    ("content", "headers", "code", "where"),
    [
        (BODY, {}, "malformed-request", "Content-Type"),
        (BODY, {"content-type": "text/plain"}, "malformed-request", "Content-Type"),
        (b"", JSON, "malformed-request", None),
        (b"{", JSON, "malformed-request", None),
        (b"[" * 100_000, JSON, "malformed-request", None),
        (json.dumps(changed("subject.id", 999990019)).encode(), JSON, "malformed-request", "subject.id"),
        (b" " * (MAX_BODY + 1), JSON, "message-too-large", None),
    ],
)
async def test_what_is_wrong_with_a_request_is_400_with_a_code(
    content: bytes, headers: dict[str, str], code: str, where: str | None
) -> None:
    async with inside() as http:
        answer = await http.post(EVALUATE, content=content, headers=headers | {"x-request-id": "r-7"})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error.get("where")) == (code, where)
    assert answer.headers["x-request-id"] == "r-7"
    assert "999990019" not in answer.text


async def test_other_pages_and_methods_are_json_too() -> None:
    async with inside() as http:
        missing = await http.get("/access/v1/999990019")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not-found")
        method = await http.get(EVALUATE)
        assert (method.status_code, method.json()["error"]["code"]) == (405, "malformed-request")
        assert "999990019" not in missing.text
        slash = await http.post(EVALUATE + "/", content=BODY, headers=JSON | {"host": "elsewhere.example"})
        assert slash.status_code == 404


async def test_a_mistake_of_ours_is_500_without_its_text() -> None:
    broken: Any = point()
    broken.evaluation = lambda body, trace: 1 / 0
    transport = httpx.ASGITransport(make_app(broken))
    async with httpx.AsyncClient(transport=transport, base_url="https://broker.example") as http:
        answer = await http.post(EVALUATE, content=BODY, headers=JSON)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "defect")
    assert "division" not in answer.text


async def test_a_body_that_does_not_come_is_given_up(
    console: Console, tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_app, "BODY_SECONDS", 0.05)
    context = ssl.create_default_context(cafile=tls.roots)
    context.load_cert_chain(*tls.participant)
    reader, writer = await asyncio.open_connection("127.0.0.1", console.port, ssl=context)
    head = (
        f"POST {EVALUATE} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n"
    )
    writer.write(head.encode() + b"{")
    answer = await asyncio.wait_for(reader.read(4096), timeout=5)
    assert answer.startswith(b"HTTP/1.1 400 ")
    writer.close()


async def test_others_are_served_while_a_batch_is_decided() -> None:
    slow: Any = point()
    slow.evaluations = lambda body, trace: time.sleep(0.3) or {"evaluations": []}
    transport = httpx.ASGITransport(make_app(slow))
    async with httpx.AsyncClient(transport=transport, base_url="https://broker.example") as http:
        batch = asyncio.create_task(http.post("/access/v1/evaluations", content=BODY, headers=JSON))
        await asyncio.sleep(0.05)
        answer = await http.post(EVALUATE, content=BODY, headers=JSON)
        assert answer.json()["decision"] is True
        assert not batch.done()
        assert (await batch).status_code == 200


def test_the_address_for_others_is_an_https_url() -> None:
    parts: dict[str, Any] = {"database": "sqlite:///x", "keys": Path("keys"), "origin": "o"}
    assert BrokerSettings(**parts).http_listen == ""
    for url in ("", "https://pdp.example", "https://pdp.example:7380/sluis"):
        assert BrokerSettings(**parts, http_url=url).http_url == url
    for url in ("http://pdp.example", "https://", "https://pdp.example/", "https://pdp.example?x", "pdp"):
        with pytest.raises(ValueError, match="http_url"):
            BrokerSettings(**parts, http_url=url)
