# SPDX-License-Identifier: EUPL-1.2
"""Asks a witness to cosign a checkpoint (c2sp.org/tlog-witness).

It starts from the size that the witness last had; told another one (409), it proves consistency from there
and tries again. Only lines that verify under the witness's own keys come back. A failing witness never stops
the log: every trouble is Unavailable `peer-unavailable`, and the next checkpoint is another chance. Only a
witness that holds another root at the same size raises NotAuthentic `log-inconsistent`: an alarm.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import httpx

from sluis.checkpoint import WITNESS_TYPES, Checkpoint, verify_signature
from sluis.errors import InvalidInput, NotAuthentic, SluisError, Unavailable
from sluis.merkle import Hash
from sluis.note import Note, NoteSignature, VKey, parse_decimal
from sluis.tlog_witness import MAX_BODY, PATH, SIZE_TYPE, AddCheckpoint, parse_cosignatures

ConsistencyProver = Callable[[int, int], Awaitable[Sequence[Hash]]]
"""Proves that the log of the first size is a prefix of the second; the caller chooses the thread."""

_MAX_TRIES: Final = 4


class WitnessClient:
    """One witness, as the log sees it; used by one task at a time."""

    def __init__(
        self,
        url: str,
        vkeys: Sequence[VKey],
        *,
        timeout: float = 5.0,
        transport: httpx.AsyncBaseTransport | None = None,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        """`url` is the submission prefix, `vkeys` are those of this witness alone."""
        names = {vkey.name for vkey in vkeys}
        if len(names) != 1 or any(vkey.type not in WITNESS_TYPES for vkey in vkeys):
            raise InvalidInput(
                "malformed-config", "a witness has verifier keys of one name, of cosignature types"
            )
        self.name = names.pop()
        self._vkeys = tuple(vkeys)
        self._size = 0
        self._url = f"{url.rstrip('/')}/{PATH}"
        # No proxy and no .netrc from the environment: where checkpoints go stands in the configuration.
        self._http = httpx.AsyncClient(
            timeout=timeout,
            transport=transport,
            verify=verify,
            trust_env=False,
            headers={"accept-encoding": "identity"},
        )
        self._timeout = timeout

    async def add_checkpoint(self, signed: str, prove: ConsistencyProver) -> tuple[NoteSignature, ...]:
        """Have a signed checkpoint cosigned; returns the verified lines to add to it.

        Raises Unavailable `peer-unavailable`, NotAuthentic `log-inconsistent`.
        """
        note = Note.parse(signed)
        checkpoint = Checkpoint.parse(note.text)
        old = min(self._size, checkpoint.size)
        for _ in range(_MAX_TRIES):
            proof = await prove(old, checkpoint.size) if 0 < old < checkpoint.size else ()
            request = AddCheckpoint(old_size=old, proof=tuple(proof), note=note)
            status, media_type, body = await self._post(request.format())
            if status == 200:
                signatures = self._accept(body, note, checkpoint)
                self._size = checkpoint.size
                return signatures
            if status != 409:
                raise self._trouble(f"answered {status}")
            if media_type != SIZE_TYPE:
                message = f"witness `{self.name}` holds another root at {old} entries: the log was forked"
                raise NotAuthentic("log-inconsistent", message)
            self._size = self._read_size(body)
            if self._size > checkpoint.size:
                raise self._trouble(f"has cosigned {self._size} entries, above our {checkpoint.size}")
            if self._size == old:
                raise self._trouble("contradicts itself about the size it has")
            old = self._size
        raise self._trouble("changes its size at every try")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _accept(self, body: bytes, note: Note, checkpoint: Checkpoint) -> tuple[NoteSignature, ...]:
        try:
            answer = Note(text=note.text, signatures=parse_cosignatures(body, note))
            # Lines of other keys are ignored, as the specification asks.
            known = [(vkey, sig) for vkey in self._vkeys for sig in vkey.signatures_in(answer)]
            for vkey, signature in known:
                verify_signature(vkey, checkpoint, signature)
        except SluisError:
            raise self._trouble("sent a cosignature that does not hold") from None
        if not known:
            raise self._trouble("did not cosign with a key we know")
        return tuple(signature for _, signature in known)

    def _read_size(self, body: bytes) -> int:
        try:
            text = body.decode("ascii")
            if not text.endswith("\n"):
                raise InvalidInput("malformed-encoding")
            return parse_decimal(text[:-1])
        except (UnicodeDecodeError, InvalidInput):
            raise self._trouble("answered 409 without a size") from None

    async def _post(self, content: bytes) -> tuple[int, str, bytes]:
        body = bytearray()
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._http.stream("POST", self._url, content=content) as response,
            ):
                if "content-encoding" in response.headers:  # could unfold to any size
                    raise self._trouble("answered with compressed bytes")
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_BODY:
                        raise self._trouble("answered with too much")
                return response.status_code, response.headers.get("content-type", ""), bytes(body)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError):
            raise self._trouble("does not answer") from None

    def _trouble(self, what: str) -> Unavailable:
        return Unavailable("peer-unavailable", f"witness `{self.name}` {what}")
