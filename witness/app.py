# SPDX-License-Identifier: EUPL-1.2
"""A transparency log witness (c2sp.org/tlog-witness): it cosigns a log's checkpoint if the log only grew.

    POST /add-checkpoint      200 cosignature lines            403 no signature of a trusted key of this log
    (sluis.tlog_witness)      400 malformed, or old > size     404 not a log of ours
                              409 old is not the newest size: its size as text/x.tlog.size; or another root
                              413 body over 64 KiB             422 the log did not prove that it only grew
                              408, 503 try again
    GET /checkpoint?origin=   the newest checkpoint that it cosigned; of our own making: C2SP leaves it open
    GET /healthz              200 when the state file answers

It needs no account, no entry and no secret of the log, so anybody may run one. It cosigns whole trees only;
the sign-subtree call of later drafts is not here.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from sluis.checkpoint import Checkpoint, verify_log_signature
from sluis.checkpoint_signers import CheckpointSigner, cosign
from sluis.errors import InvalidInput, NotAuthentic, SluisError
from sluis.merkle import verify_consistency
from sluis.note import Note, NoteSignature, VKey
from sluis.tlog_witness import MAX_BODY, PATH, SIZE_TYPE, AddCheckpoint, format_cosignatures
from witness.state import Cosigned, WitnessState

BODY_SECONDS = 10.0

log = structlog.get_logger("witness")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes
    media_type: str = "text/plain; charset=utf-8"


def _refuse(status: int, reason: str) -> Answer:
    return Answer(status=status, body=reason.encode() + b"\n")


class Witness:
    """The decision to cosign, without HTTP. Thread-safe; `clock` gives Unix seconds."""

    def __init__(
        self,
        state: WitnessState,
        signers: Sequence[CheckpointSigner],
        log_vkeys: Sequence[VKey],
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not signers or not log_vkeys:
            raise InvalidInput("malformed-config", "a witness needs a key of its own and a log's")
        if {signer.vkey.public for signer in signers} & {vkey.public for vkey in log_vkeys}:
            raise InvalidInput("malformed-config", "a log cannot be its own witness: the keys are the same")
        self._state = state
        self._signers = tuple(signers)
        self._logs = tuple(log_vkeys)
        self._origins = frozenset(vkey.name for vkey in log_vkeys)
        self._clock = clock

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer an add-checkpoint request; the checks come in the order of the specification."""
        try:
            request = AddCheckpoint.parse(body)
            claimed = Checkpoint.parse(request.note.text)
        except InvalidInput as error:
            return _refuse(413 if error.code == "message-too-large" else 400, error.message)
        if claimed.origin not in self._origins:
            return _refuse(404, "this witness does not know the log")
        try:
            checkpoint = verify_log_signature(request.note, self._logs)
        except NotAuthentic as error:
            return _refuse(403, error.message)
        try:
            return self._consider(request, checkpoint)
        except SluisError as error:
            log.error("witness.unavailable", origin=checkpoint.origin, code=error.code)
            return _refuse(503, error.message)

    def ready(self) -> Answer:
        """Say whether the state file answers."""
        try:
            self._state.newest(next(iter(self._origins)))
        except SluisError as error:
            return _refuse(503, error.message)
        return _refuse(200, "ok")

    def newest(self, origin: str) -> Answer:
        """Show the newest checkpoint that was cosigned of a log, with our cosignatures."""
        if origin not in self._origins:
            return _refuse(404, "this witness does not know the log")
        try:
            note = self._state.note(origin)
        except SluisError as error:
            log.error("witness.unavailable", origin=origin, code=error.code)
            return _refuse(503, error.message)
        if not note:
            return _refuse(404, "no checkpoint of this log was cosigned yet")
        return Answer(status=200, body=note.encode())

    def _note(self, note: Note, signatures: Sequence[NoteSignature]) -> str:
        """The checkpoint with the signatures of the log's known keys and ours, and of nobody else."""
        lines = [line for vkey in self._logs for line in vkey.signatures_in(note)]
        return Note(text=note.text, signatures=(*lines, *signatures)).format()

    def _consider(self, request: AddCheckpoint, checkpoint: Checkpoint) -> Answer:
        if request.old_size > checkpoint.size:
            return _refuse(400, "the old size is above the checkpoint's")
        newest = self._state.newest(checkpoint.origin)
        if request.old_size != newest.size:
            return _size(newest)
        if newest.size == checkpoint.size and newest.root != checkpoint.root:
            # Both checkpoints bear the log's signature: that is proof of misbehaviour, so it is kept whole.
            log.error(
                "log.forked",
                origin=checkpoint.origin,
                size=checkpoint.size,
                cosigned_root=newest.root.hex(),
                checkpoint=request.note.format(),
            )
            return _refuse(409, "another root was cosigned at this size: the log was forked")
        try:
            _check_growth(newest, checkpoint, request)
        except NotAuthentic as error:
            log.warning(
                "checkpoint.inconsistent", origin=checkpoint.origin, old=newest.size, size=checkpoint.size
            )
            return _refuse(422, error.message)
        # Taken before the state changes: at this second no larger tree had been cosigned.
        timestamp = int(self._clock())
        signatures = cosign(checkpoint, self._signers, timestamp)
        # Nothing was signed as long as nobody has seen it: the state comes first.
        if not self._state.advance(checkpoint, newest, self._note(request.note, signatures)):
            return _size(self._state.newest(checkpoint.origin))
        log.info("checkpoint.cosigned", origin=checkpoint.origin, old=newest.size, size=checkpoint.size)
        return Answer(status=200, body=format_cosignatures(signatures))


def _check_growth(newest: Cosigned, checkpoint: Checkpoint, request: AddCheckpoint) -> None:
    # From size zero nothing can be proven and nothing needs to be: the specification wants an empty proof.
    if newest.size == 0:
        if request.proof:
            raise NotAuthentic("proof-wrong", "a proof from size zero is empty")
        return
    verify_consistency(newest.size, checkpoint.size, request.proof, newest.root, checkpoint.root)


def _size(newest: Cosigned) -> Answer:
    return Answer(status=409, body=f"{newest.size}\n".encode(), media_type=SIZE_TYPE)


def make_app(witness: Witness) -> Starlette:
    """Return the HTTP application."""

    async def add_checkpoint(request: Request) -> Response:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read(request)
        except TimeoutError:
            answer = _refuse(408, "the request did not arrive in time")
        except ClientDisconnect:
            answer = _refuse(400, "the request was cut off")
        else:
            # Signatures and the disk are too slow for the event loop.
            answer = (
                _refuse(413, f"a request has at most {MAX_BODY} bytes")
                if body is None
                else await asyncio.to_thread(witness.add_checkpoint, body)
            )
        if answer.status != 200:
            log.info("request.refused", status=answer.status)
        return _response(answer)

    async def healthz(request: Request) -> Response:
        return _response(await asyncio.to_thread(witness.ready))

    async def checkpoint(request: Request) -> Response:
        return _response(await asyncio.to_thread(witness.newest, request.query_params.get("origin", "")))

    return Starlette(
        routes=[
            Route("/checkpoint", checkpoint, methods=["GET"]),
            Route(f"/{PATH}", add_checkpoint, methods=["POST"]),
            Route("/healthz", healthz, methods=["GET"]),
        ]
    )


async def _read(request: Request) -> bytes | None:
    """The body, or None as soon as it is over the limit."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            return None
    return bytes(body)


def _response(answer: Answer) -> Response:
    # The header is given as is: Starlette would add a charset to text/x.tlog.size.
    return Response(answer.body, status_code=answer.status, headers={"content-type": answer.media_type})
