# SPDX-License-Identifier: EUPL-1.2
"""The log as tiles over real mutual TLS: who gets what, under which only spelling, and that reading is logged."""

import contextlib
import gzip
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from authzen_samples import point
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.routing import Route

from broker.audit.checkpointer import Checkpointer
from broker.console.app import make_app
from broker.console.serve import Console
from broker.console.tiles import MAX_ENTRY, LogFiles, TilePath, entry_bundle, prefix_of
from broker.storage.port import LogRow, PartyStatus
from sluis.certificates import certificate_pem
from sluis.checkpoint import verify_checkpoint
from sluis.checkpoint_signers import log_signers, new_secret
from sluis.envelope import MAX_FIELDS, Field
from sluis.errors import Defect, NotFound
from sluis.header import MAX_CLAIMS
from sluis.merkle import leaf_hash
from tests.actors import START, Actor, authority, make_actor
from tests.world import FIRM, ORIGIN, World

SIGNERS = log_signers(ORIGIN, new_secret())
WIDTH = 256


def routes(world: World) -> list[Route]:
    desk = world.broker.desk
    return LogFiles(ORIGIN, world.store, desk.directory, desk.committer, world.clock).routes()


def tls_files(actor: Actor, folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / f"{actor.oin}.crt", folder / f"{actor.oin}.key"
    certificate.write_bytes(actor.pem)
    key.write_bytes(actor.tls.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, key


class Site:
    """A broker's HTTPS side, and a way to ask it as somebody."""

    def __init__(self, world: World, folder: Path) -> None:
        certificate, key = tls_files(make_actor(90, "broker", "Broker"), folder)
        roots = folder / "ca.crt"
        roots.write_bytes(certificate_pem(authority().certificate))
        self.world = world
        self._folder, self._roots = folder, roots
        self.console = Console(
            make_app(point(), routes(world)),
            "127.0.0.1:0",
            certificate=certificate,
            key=key,
            roots=roots,
            grace=1,
        )
        self.console.start()

    @contextlib.asynccontextmanager
    async def client(self, actor: Actor) -> AsyncIterator[httpx.AsyncClient]:
        context = ssl.create_default_context(cafile=self._roots)
        context.load_cert_chain(*tls_files(actor, self._folder))
        url = f"https://127.0.0.1:{self.console.port}"
        async with httpx.AsyncClient(base_url=url, verify=context, trust_env=False) as http:
            yield http

    async def get(self, actor: Actor, path: str, **headers: str) -> httpx.Response:
        """Ask with a path exactly as written."""
        async with self.client(actor) as http:
            url = http.base_url.copy_with(raw_path=f"/log/{path}".encode())
            return await http.get(url, headers={"accept-encoding": "identity"} | headers)


@pytest.fixture
async def site(world: World, tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(world, tmp_path)
    yield made
    await made.console.close()


def grow(world: World, size: int) -> None:
    """Make the log at least this long, with entries of no meaning."""
    with world.store.transaction() as tx:
        for number in range(tx.head.tree.size, size):
            tx.append(f'{{"n":{number}}}'.encode(), world.clock.ms())
        tx.commit()


async def test_every_participant_may_have_the_checkpoint_and_it_is_not_kept(site: Site) -> None:
    world = site.world
    assert (await site.get(world.cast.body, "checkpoint")).status_code == 404
    await Checkpointer(world.store, SIGNERS, [], world.clock, 1.0).once()
    answer = await site.get(world.cast.body, "checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    found = verify_checkpoint(answer.text, [signer.vkey for signer in SIGNERS], [], 0)
    assert found.checkpoint.size == world.size


async def test_every_participant_may_have_the_hashes_for_ever(site: Site) -> None:
    world = site.world
    grow(world, 2 * WIDTH + 5)
    leaves = [leaf_hash(entry) for entry in world.raw_entries()]
    for path, hashes in {
        "tile/0/000": leaves[:WIDTH],
        "tile/0/001": leaves[WIDTH : 2 * WIDTH],
        "tile/0/000.p/3": leaves[:3],
        "tile/0/002.p/5": leaves[2 * WIDTH : 2 * WIDTH + 5],
    }.items():
        answer = await site.get(world.cast.body, path)
        assert (answer.status_code, answer.content) == (200, b"".join(hashes)), path
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    above = await site.get(world.cast.body, "tile/1/000.p/2")
    assert above.content == world.store.node(8, 0) + world.store.node(8, 1)


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/002", "tile/0/002.p/6", "tile/0/003.p/1", "tile/1/000", "tile/1/000.p/3", "tile/9/000.p/1",
        "tile/0/000.p/256", "tile/0/000.p/0", "tile/0/000.p/01", "tile/0/0", "tile/0/00", "tile/0/0000",
        "tile/00/000", "tile/64/000", "tile/-1/000", "tile/0/x000/000", "tile/0/x000", "tile/0/001/000",
        "tile/0/X001/000", "tile/0/000/", "tile//0/000", "tile/0//000", "tile/%30/000", "tile/0/00%30",
        "tile/0/000?x=1", "tile/entries/000?x", "tile/0/000.p", "tile/0/000.p/", "tile/",
        "tile/entries/002", "tile/entries/002.p/6", "tile/Entries/000", "tile/0/%EF%BC%90%EF%BC%90%EF%BC%90",
        "tile/0/x999/x999/x999/x999/x999/x999/999", "tile/0/x999/x999/x999/x999/x999/999",
        "checkpoint/", "Checkpoint", "tile/tile/0/000",
    ],
)  # fmt: skip
async def test_a_path_that_is_not_there_or_not_canonical_is_not_found(site: Site, path: str) -> None:
    grow(site.world, 2 * WIDTH + 5)
    answer = await site.get(site.world.cast.officer, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not-found")
    assert site.world.size == 2 * WIDTH + 5  # what is not there is not logged as read


async def test_entries_are_for_the_officer_and_the_reading_is_logged_first(site: Site) -> None:
    world = site.world
    grow(world, WIDTH + 7)
    entries = world.raw_entries()
    for path, start, end in (("tile/entries/000", 0, 256), ("tile/entries/001.p/7", 256, 263)):
        size = world.size
        answer = await site.get(world.cast.officer, path)
        assert read_bundle(answer.content) == entries[start:end]
        assert answer.headers["cache-control"] == "no-store"
        (own,) = world.entries(size)
        assert (own["operation"], own["reader"]) == ("log.read", world.cast.officer.oin)
        assert (own["first"], own["end"]) == (start, end)


def read_bundle(data: bytes) -> list[bytes]:
    entries = []
    while data:
        length = int.from_bytes(data[:2], "big")
        entries.append(data[2 : 2 + length])
        assert len(entries[-1]) == length
        data = data[2 + length :]
    return entries


async def test_entries_are_compressed_for_who_takes_that(site: Site) -> None:
    world = site.world
    for offered, expected in (("gzip", "gzip"), ("br, gzip;q=0.8", "gzip"), ("gzip;q=0", None), ("br", None)):
        async with site.client(world.cast.officer) as http:
            headers = {"accept-encoding": offered}
            async with http.stream("GET", "/log/tile/entries/000.p/2", headers=headers) as answer:
                raw = b"".join([part async for part in answer.aiter_raw()])
        assert answer.headers.get("content-encoding") == expected
        assert read_bundle(gzip.decompress(raw) if expected else raw) == world.raw_entries()[:2]


async def test_entries_are_refused_to_everyone_else_and_nothing_is_logged(site: Site) -> None:
    world = site.world
    size = world.size
    for actor, path, code in (
        (world.cast.body, "tile/entries/000.p/1", "not-your-role"),
        (world.cast.nla, "tile/entries/000.p/1", "not-your-role"),
        (world.cast.stranger, "tile/entries/000.p/1", "party-unknown"),
        (world.cast.stranger, "tile/0/000.p/1", "party-unknown"),
        (world.cast.stranger, "checkpoint", "party-unknown"),
    ):
        answer = await site.get(actor, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, code)
        assert answer.headers["cache-control"] == "no-store"
    assert world.size == size


async def test_who_is_stopped_or_whose_certificate_expired_during_the_connection_is_refused(
    site: Site,
) -> None:
    world = site.world
    async with site.client(world.cast.officer) as http:
        assert (await http.get("/log/tile/0/000.p/1")).status_code == 200
        world.clock.now = START + timedelta(days=3001)
        late = await http.get("/log/tile/0/000.p/1")
        assert (late.status_code, late.json()["error"]["code"]) == (401, "certificate-expired")
        world.clock.now = START + timedelta(seconds=30)
        world.operator.set_status(world.cast.officer.oin, PartyStatus.STOPPED, "left")
        entries = await http.get("/log/tile/entries/000.p/1")
        assert (entries.status_code, entries.json()["error"]["code"]) == (403, "party-stopped")


async def test_nothing_that_a_client_sends_stands_in_for_its_certificate(site: Site) -> None:
    pem = site.world.cast.officer.pem.decode().strip().replace("\n", " ")
    forged = {"x-forwarded-client-cert": pem, "x-ssl-cert": pem, "x-forwarded-for": "127.0.0.1"}
    answer = await site.get(site.world.cast.body, "tile/entries/000.p/1", **forged)
    assert answer.json()["error"]["code"] == "not-your-role"


async def test_two_connections_keep_their_own_certificates(site: Site) -> None:
    cast = site.world.cast
    async with site.client(cast.officer) as officer, site.client(cast.body) as body:
        for _ in range(3):
            assert (await officer.get("/log/tile/entries/000.p/1")).status_code == 200
            assert (await body.get("/log/tile/entries/000.p/1")).status_code == 403


async def test_without_a_certificate_in_the_request_nobody_is_known(world: World) -> None:
    transport = httpx.ASGITransport(make_app(point(), routes(world)))
    async with httpx.AsyncClient(transport=transport, base_url="https://broker.example") as http:
        answer = await http.get("/log/checkpoint")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "no-certificate")


async def test_only_get_is_answered(site: Site) -> None:
    async with site.client(site.world.cast.officer) as http:
        assert (await http.post("/log/tile/0/000.p/1")).status_code == 405


async def test_the_longest_entry_that_a_sender_can_cause_fits_into_a_bundle(world: World) -> None:
    claims = {f"c{number}": "" for number in range(MAX_CLAIMS)}
    fields = [Field(name=f"f{number}", category="meta", value=b"") for number in range(MAX_FIELDS)]
    answer = await world.push(world.envelope(FIRM, claims=claims, fields=fields))
    assert 5_000 < len(answer.entry) < MAX_ENTRY / 2


def test_a_bundle_holds_exactly_its_entries() -> None:
    rows = [LogRow(log_index=index, entry=b"%d" % index, leaf_hash=b"") for index in range(256, 260)]
    assert entry_bundle(rows, 256, 4) == b"\0\x03256\0\x03257\0\x03258\0\x03259"
    for wrong in (rows[1:], rows[:-1], [rows[0], *rows[2:]]):
        with pytest.raises(NotFound):
            entry_bundle(wrong, 256, 4)
    with pytest.raises(Defect):
        entry_bundle([LogRow(log_index=0, entry=bytes(MAX_ENTRY + 1), leaf_hash=b"")], 0, 1)


@pytest.mark.parametrize(
    ("origin", "prefix"),
    [
        ("sluis.example/log/2026", "/log/2026"),
        ("broker.example", "/log"),
        ("broker.example/", "/log"),
        ("broker.example/a b", "/log"),
        ("broker.example/../x", "/log"),
        ("broker.example/{x}", "/log"),
    ],
)
def test_a_log_is_served_at_the_path_of_its_origin(origin: str, prefix: str) -> None:
    assert prefix_of(origin) == prefix


@given(
    st.one_of(
        st.binary(max_size=30),
        st.from_regex(rb"(entries|[0-9]{1,3})/(x[0-9]{3}/){0,3}[0-9]{2,4}(\.p/[0-9]{0,4})?", fullmatch=True),
    )
)
@example(b"63/x001/x234/067.p/255")
@example(b"entries/x001/x234/067")
def test_paths_have_one_spelling_or_none(path: bytes) -> None:
    try:
        found = TilePath.parse(path)
    except NotFound:
        return
    digits = f"{found.index:03}".zfill(-(-len(f"{found.index}") // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    level = "entries" if found.level is None else found.level
    text = f"{level}/" + "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    assert path.decode() == text + ("" if found.width == WIDTH else f".p/{found.width}")
    assert 1 <= found.width <= WIDTH
