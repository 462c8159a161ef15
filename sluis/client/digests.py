# SPDX-License-Identifier: EUPL-1.2
"""The digests of deposits that a kit fetched: one whole one for each domain, and additions to it.

Checked of each: the broker's signature, that it is of this log and of the domain that was asked, that it ends at
the log entry that tells of its reading, that it follows what is here, and that it is neither older than one seen
before nor made long ago. What is kept is checked again each time it is used, and deleted when its epoch has ended.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc

from sluis.canonical import parse_canonical
from sluis.client.connection import Connections, Patience
from sluis.client.trust import Trust
from sluis.deposit_digest import DepositDigest, DigestHeader
from sluis.encoding import Reader, lp
from sluis.errors import InvalidInput, NotAuthentic, NotPermitted
from sluis.identifiers import Oin
from sluis.rpc.status import from_rpc_error
from sluis.sqlite_file import SqliteFile
from sluis.v1 import envelope_pb2, exchange_pb2

FETCH_SECONDS = 600.0
CLOCKS_APART_MS = 15 * 60_000
WHOLE_AFTER_MS = 30 * 24 * 3600_000  # then what expired since is left out, too
MOST_ADDITIONS = 100
_SCHEMA = """
CREATE TABLE IF NOT EXISTS digest (
    domain BLOB NOT NULL, until INTEGER NOT NULL, header BLOB NOT NULL, signature BLOB NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (domain, until)
);
CREATE TABLE IF NOT EXISTS newest (domain BLOB PRIMARY KEY, until INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestDomain:
    """Whose deposits, of which kind."""

    agreement: str
    recipient: Oin
    kind: str
    epoch: str

    def encode(self) -> bytes:
        """The key under which digests are kept."""
        return lp(self.agreement, self.recipient, self.kind, self.epoch)

    @classmethod
    def decode(cls, data: bytes) -> "DigestDomain":
        """Read what `encode` wrote. Raises InvalidInput `malformed-encoding`."""
        parts = Reader(data)
        agreement, recipient, kind, epoch = (parts.text() for _ in range(4))
        parts.end()
        return cls(agreement=agreement, recipient=Oin.parse(recipient), kind=kind, epoch=epoch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a refresh brought: whole or an addition, signals in it, bytes."""

    whole: bool
    count: int
    size: int


class Digests:
    """Digests in one file, and how to get new ones."""

    def __init__(
        self,
        folder: Path,
        connections: Connections,
        trust: Trust,
        now_ms: Callable[[], int] = lambda: int(time.time() * 1000),
    ) -> None:
        self._file = SqliteFile(folder / "digests.sqlite", _SCHEMA, "the file of digests")
        self._connections = connections
        self._trust = trust
        self._now_ms = now_ms

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def forget_epoch(self, epoch: str) -> int:
        """Delete the digests of an epoch in every domain; returns how many."""
        with self._file.read() as database:
            rows = database.execute("SELECT domain FROM digest UNION SELECT domain FROM newest").fetchall()
        ended = [(key,) for (key,) in rows if DigestDomain.decode(bytes(key)).epoch == epoch]
        if not ended:
            return 0
        with self._file.write() as database:
            database.executemany("DELETE FROM newest WHERE domain = ?", ended)
            return database.executemany("DELETE FROM digest WHERE domain = ?", ended).rowcount

    def newest(self, domain: DigestDomain) -> int:
        """The log index at which the newest digest of a domain ends; 0 when there is none."""
        headers = self._headers(domain)
        return headers[-1].until if headers else 0

    def each(self, domain: DigestDomain) -> Iterator[DepositDigest]:
        """Yield the digests of a domain, the whole one first. Raises NotAuthentic `digest-wrong`."""
        for header in self._headers(domain):
            with self._file.read() as database:
                row = database.execute(
                    "SELECT header, signature, body FROM digest WHERE domain = ? AND until = ?",
                    (domain.encode(), header.until),
                ).fetchone()
            self._check(domain, bytes(row[0]), bytes(row[1]))
            yield DepositDigest(header, bytes(row[2]))

    async def refresh(self, domain: DigestDomain, purpose: str) -> Fetched:
        """Fetch what came since the newest digest, or a whole one.

        Raises NotAuthentic `digest-wrong`, `digest-stale`, NotPermitted `not-your-role` when it is denied.
        """
        headers = self._headers(domain)
        request = exchange_pb2.FetchDigestRequest(
            agreement=domain.agreement, purpose=purpose, kind=domain.kind, epoch=domain.epoch
        )
        if headers and not self._is_due(headers):
            request.since_index, request.bits = headers[-1].until, headers[-1].bits
        start, body = await self._fetch(request)
        receipt = self._trust.check_receipt(start.receipt, start.entry)
        self._trust.keep_receipts()
        if start.decision.effect != envelope_pb2.EFFECT_PERMIT:
            reason = start.decision.reasons[0].code if start.decision.reasons else "NO_RULE"
            raise NotPermitted("not-your-role", f"the digest was denied: {reason}")
        header = self._check(domain, start.header, start.signature)
        _check_entry(header, receipt.log_index, start.entry)
        self._check_place(domain, header, request)
        header.check_body(body)
        self._keep(domain, header, start.signature, body)
        return Fetched(whole=header.since == 0, count=header.count, size=len(body))

    async def _fetch(
        self, request: exchange_pb2.FetchDigestRequest
    ) -> tuple[exchange_pb2.DigestStart, bytearray]:
        patience = Patience(self._connections.patience)
        while True:
            try:
                return await self._fetch_once(request)
            except grpc.aio.AioRpcError as error:
                await patience.again(from_rpc_error(error))

    async def _fetch_once(
        self, request: exchange_pb2.FetchDigestRequest
    ) -> tuple[exchange_pb2.DigestStart, bytearray]:
        start: exchange_pb2.DigestStart | None = None
        body, size = bytearray(), 0
        async for part in self._connections.exchange.FetchDigest(request, timeout=FETCH_SECONDS):
            if start is None:
                if not part.HasField("start"):
                    raise NotAuthentic("digest-wrong", "the digest does not begin with its header")
                start = part.start
                size = _read(start.header).body_size if start.header else 0
                continue
            body += part.body
            if len(body) > size:
                break
        if start is None or len(body) != size:
            raise NotAuthentic("digest-wrong", "the digest has another length than its header says")
        return start, body

    def _check(self, domain: DigestDomain, data: bytes, signature: bytes) -> DigestHeader:
        """The header, of this log and domain, signed by the broker. Raises NotAuthentic `digest-wrong`."""
        try:
            self._trust.receipt_keys.verify(data, signature)
        except NotAuthentic:
            raise NotAuthentic("digest-wrong", "the signature of the digest does not hold") from None
        header = _read(data)
        wanted = (domain.agreement, domain.recipient, domain.kind, domain.epoch)
        if header.domain != wanted or header.log_origin != self._trust.origin:
            raise NotAuthentic("digest-wrong", "the digest is of another domain")
        return header

    def _check_place(
        self, domain: DigestDomain, header: DigestHeader, request: exchange_pb2.FetchDigestRequest
    ) -> None:
        if header.since and (header.since, header.bits) != (request.since_index, request.bits):
            raise NotAuthentic("digest-wrong", "the addition does not follow the digest that is here")
        with self._file.read() as database:
            row = database.execute("SELECT until FROM newest WHERE domain = ?", (domain.encode(),)).fetchone()
        if row is not None and header.until <= row[0]:
            raise NotAuthentic("digest-stale")
        if abs(header.made_at_ms - self._now_ms()) > CLOCKS_APART_MS:
            raise NotAuthentic("digest-stale", "the digest was made at another time than now")

    def _is_due(self, headers: list[DigestHeader]) -> bool:
        """Whether a whole digest is due."""
        age_ms = self._now_ms() - headers[0].made_at_ms
        return len(headers) > MOST_ADDITIONS or age_ms > WHOLE_AFTER_MS

    def _headers(self, domain: DigestDomain) -> list[DigestHeader]:
        with self._file.read() as database:
            rows = database.execute(
                "SELECT header FROM digest WHERE domain = ? ORDER BY until", (domain.encode(),)
            ).fetchall()
        return [_read(bytes(row[0])) for row in rows]

    def _keep(self, domain: DigestDomain, header: DigestHeader, signature: bytes, body: bytearray) -> None:
        key = domain.encode()
        with self._file.write() as database:
            if header.since == 0:
                database.execute("DELETE FROM digest WHERE domain = ?", (key,))
            database.execute(
                "INSERT INTO digest VALUES (?, ?, ?, ?, ?)",
                (key, header.until, header.encode(), signature, body),
            )
            database.execute("INSERT OR REPLACE INTO newest VALUES (?, ?)", (key, header.until))


def _read(data: bytes) -> DigestHeader:
    try:
        return DigestHeader.decode(data)
    except InvalidInput:
        raise NotAuthentic("digest-wrong", "the header of the digest cannot be read") from None


def _check_entry(header: DigestHeader, log_index: int, data: bytes) -> None:
    """The reading stands in the log, at the index where the digest ends."""
    entry = parse_canonical(data)
    told = {
        name: entry.get(name) for name in ("operation", "agreement", "recipient", "kind", "epoch", "since")
    }
    wanted = {"operation": "match.digest", "since": header.since}
    names = dict(zip(("agreement", "recipient", "kind", "epoch"), header.domain, strict=True))
    if told != {**wanted, **names} or header.until != log_index:
        raise NotAuthentic("digest-wrong", "the log entry shown is for another digest")
