# SPDX-License-Identifier: EUPL-1.2
"""The witness over HTTP: every status of the specification, and races."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from log_samples import LOG_KEYS, ORIGIN, OTHER_LOG_KEYS, TIME, W1, W2, SampleLog, vkeys
from structlog.testing import capture_logs

import witness.app
from sluis.checkpoint import Checkpoint, verify_checkpoint
from sluis.errors import InvalidInput, Unavailable
from sluis.merkle import Hash
from sluis.note import Note, NoteSignature
from sluis.tlog_witness import MAX_BODY, AddCheckpoint, parse_cosignatures
from witness.app import Witness, make_app
from witness.state import WitnessState

LOG = SampleLog(20)
FORK = SampleLog(20, fork_at=6)
SIZE_TYPE = "text/x.tlog.size"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[WitnessState]:
    state = WitnessState(tmp_path / "state")
    yield state
    state.close()


@pytest.fixture
def cosigner(state: WitnessState) -> Witness:
    return Witness(state, W1, vkeys(LOG_KEYS), lambda: TIME + 0.9)


@pytest.fixture
async def http(cosigner: Witness) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(make_app(cosigner))
    async with httpx.AsyncClient(transport=transport, base_url="http://witness") as client:
        yield client


def body(old: int, size: int, log: SampleLog = LOG, proof: list[Hash] | None = None, **keys: object) -> bytes:
    hashes = (log.consistency(old, size) if 0 < old < size else []) if proof is None else proof
    note = Note.parse(log.signed(size, **keys))  # type: ignore[arg-type]  # keys= of SampleLog.signed
    return AddCheckpoint(old_size=old, proof=tuple(hashes), note=note).format()


async def post(http: httpx.AsyncClient, content: bytes) -> httpx.Response:
    return await http.post("/add-checkpoint", content=content)


async def test_a_log_that_grows_is_cosigned_at_every_step(http: httpx.AsyncClient) -> None:
    for old, size in ((0, 3), (3, 3), (3, 4), (4, 20)):
        answer = await post(http, body(old, size))
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
        assert answer.text.startswith("— witness.example/w1 ")
        assert answer.text.count("\n") == 2
        note = Note.parse(LOG.signed(size) + answer.text)
        verified = verify_checkpoint(note.format(), vkeys(LOG_KEYS), vkeys(W1), 1)
        assert verified.timestamps == {"witness.example/w1": TIME}


async def test_a_log_may_start_empty(http: httpx.AsyncClient) -> None:
    assert (await post(http, body(0, 0))).status_code == 200
    assert (await post(http, body(0, 0))).status_code == 200
    assert (await post(http, body(0, 5))).status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"old 0\n",
        b"old 0\n\n",
        b"old 00\n\n" + LOG.signed(3).encode(),
        b"old -1\n\n" + LOG.signed(3).encode(),
        b"old 0 \n\n" + LOG.signed(3).encode(),
        b"old 0\r\n\r\n" + LOG.signed(3).encode(),
        b"old 0\n" + LOG.signed(3).encode(),
        b"old 0\n\n\n" + LOG.signed(3).encode(),
        b"old 3\nAAAA\n\n" + LOG.signed(4).encode(),
        b"old 3\n" + b"A" * 43 + b"=\n" * 2 + b"\n" + LOG.signed(4).encode(),
        b"old 3\n" + (b"A" * 43 + b"=\n") * 64 + b"\n" + LOG.signed(4).encode(),
        b"old 0\n\n" + LOG.signed(3).encode()[:-1],
        b"old 0\n\n" + LOG.checkpoint(3).body().encode(),
        b"old 0\n\n" + LOG.signed(3).replace("\n3\n", "\n03\n").encode(),
        b"old 0\n\n\xff\n",
        body(4, 3),  # the old size is above the checkpoint's
    ],
)
async def test_400_for_what_is_no_request(http: httpx.AsyncClient, content: bytes) -> None:
    assert (await post(http, content)).status_code == 400


async def test_403_without_a_trusted_signature(http: httpx.AsyncClient) -> None:
    assert (await post(http, body(0, 3, keys=OTHER_LOG_KEYS))).status_code == 403
    true = Note.parse(LOG.signed(3))
    line = true.signatures[0]
    false = NoteSignature(name=line.name, key_id=line.key_id, signature=bytes(64))
    for lines in ((false,), (true.signatures[1], false)):
        note = Note(text=true.text, signatures=lines)
        assert (await post(http, AddCheckpoint(old_size=0, proof=(), note=note).format())).status_code == 403
    swapped = Note(text=LOG.checkpoint(4).body(), signatures=true.signatures)
    assert (await post(http, AddCheckpoint(old_size=0, proof=(), note=swapped).format())).status_code == 403


async def test_lines_of_unknown_keys_beside_a_trusted_one_are_ignored(http: httpx.AsyncClient) -> None:
    note = Note.parse(LOG.witnessed(3, W2)).with_signatures(
        Note.parse(LOG.signed(3, keys=OTHER_LOG_KEYS)).signatures
    )
    assert (await post(http, AddCheckpoint(old_size=0, proof=(), note=note).format())).status_code == 200


async def test_404_for_an_unknown_log_even_with_a_false_signature(http: httpx.AsyncClient) -> None:
    other = SampleLog(3, origin="other.example/log")
    note = Note(text=other.checkpoint().body(), signatures=Note.parse(LOG.signed(3)).signatures)
    assert (await post(http, AddCheckpoint(old_size=0, proof=(), note=note).format())).status_code == 404
    assert (await http.post("/elsewhere")).status_code == 404


async def test_409_tells_the_size_that_the_witness_has(http: httpx.AsyncClient) -> None:
    first = await post(http, body(2, 3))
    assert (first.status_code, first.headers["content-type"], first.text) == (409, SIZE_TYPE, "0\n")
    await post(http, body(0, 5))
    for old in (0, 3, 7):
        answer = await post(http, body(old, 8))
        assert (answer.status_code, answer.headers["content-type"], answer.text) == (409, SIZE_TYPE, "5\n")
    older = await post(http, body(3, 4))
    assert (older.status_code, older.text) == (409, "5\n")


async def test_409_and_an_alarm_with_the_evidence_for_another_root_at_the_same_size(
    http: httpx.AsyncClient, state: WitnessState
) -> None:
    await post(http, body(0, 10))
    with capture_logs() as events:
        answer = await post(http, body(10, 10, FORK))
    assert answer.status_code == 409
    assert answer.headers["content-type"] != SIZE_TYPE
    [alarm] = [event for event in events if event["event"] == "log.forked"]
    evidence = verify_checkpoint(alarm["checkpoint"], vkeys(LOG_KEYS), [], 0).checkpoint
    assert (evidence.size, evidence.root) == (10, FORK.checkpoint(10).root)
    assert alarm["cosigned_root"] == LOG.checkpoint(10).root.hex()
    assert state.newest(ORIGIN).root == LOG.checkpoint(10).root


async def test_422_when_the_log_does_not_prove_that_it_only_grew(
    http: httpx.AsyncClient, state: WitnessState
) -> None:
    some = LOG.leaves[0]
    assert (await post(http, body(0, 3, proof=[some]))).status_code == 422
    await post(http, body(0, 7))
    for content in (
        body(7, 12, FORK),
        body(7, 12, FORK, proof=LOG.consistency(7, 12)),
        body(7, 12, proof=[]),
        body(7, 12, proof=[*LOG.consistency(7, 12), some]),
        body(7, 12, proof=LOG.consistency(7, 13)),
        body(7, 7, proof=[some]),
    ):
        assert (await post(http, content)).status_code == 422
    assert state.newest(ORIGIN).size == 7
    assert (await post(http, body(7, 12))).status_code == 200


async def test_413_for_a_body_over_the_limit_without_reading_it_all(http: httpx.AsyncClient) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while read < 100 * MAX_BODY:
            read += 1024
            yield b"x" * 1024

    # httpx's ASGITransport hands over chunk by chunk.
    answer = await http.post("/add-checkpoint", content=endless())
    assert answer.status_code == 413
    assert read < 3 * MAX_BODY


async def test_408_for_a_body_that_does_not_come(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witness.app, "BODY_SECONDS", 0.05)

    async def stuck() -> AsyncIterator[bytes]:
        yield b"old 0\n"
        await asyncio.sleep(5)

    assert (await http.post("/add-checkpoint", content=stuck())).status_code == 408


async def test_405_for_another_method(http: httpx.AsyncClient) -> None:
    assert (await http.get("/add-checkpoint")).status_code == 405


async def test_503_when_the_state_cannot_be_written_and_nothing_is_cosigned(
    http: httpx.AsyncClient, state: WitnessState, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await http.get("/healthz")).status_code == 200

    def full(*_: object) -> bool:
        raise Unavailable("storage-unavailable")

    monkeypatch.setattr(WitnessState, "advance", full)
    answer = await post(http, body(0, 3))
    assert answer.status_code == 503
    assert "—" not in answer.text
    state.close()
    assert (await http.get("/healthz")).status_code == 503
    assert (await post(http, body(0, 3))).status_code == 503


async def test_the_state_is_on_disk_before_the_answer_is_given(
    http: httpx.AsyncClient, tmp_path: Path
) -> None:
    await post(http, body(0, 3))
    again = WitnessState(tmp_path / "state")
    assert again.newest(ORIGIN).size == 3
    again.close()


async def test_of_two_requests_at_once_no_slower_one_rolls_back(
    cosigner: Witness, state: WitnessState
) -> None:
    for start in range(0, 18, 2):
        if start:
            cosigner.add_checkpoint(body(state.newest(ORIGIN).size, start))
        answers = await asyncio.gather(
            *(asyncio.to_thread(cosigner.add_checkpoint, body(start, start + step)) for step in (1, 2, 1, 2))
        )
        sizes = [
            start + step for step, answer in zip((1, 2, 1, 2), answers, strict=True) if answer.status == 200
        ]
        newest = state.newest(ORIGIN).size
        assert sizes
        assert newest == max(sizes)
        refused = {(a.status, a.body) for a in answers if a.status != 200}
        assert refused <= {(409, f"{start + 1}\n".encode()), (409, f"{start + 2}\n".encode())}


async def test_a_request_that_loses_the_race_is_told_the_new_size(
    cosigner: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    cosigner.add_checkpoint(body(0, 3))
    plain = WitnessState.advance

    def overtaken(self: WitnessState, checkpoint: Checkpoint, expected: object, note: str) -> bool:
        # Between this request's check and its write another one moves the state.
        monkeypatch.setattr(WitnessState, "advance", plain)
        assert cosigner.add_checkpoint(body(3, 9)).status == 200
        return plain(self, checkpoint, expected, note)  # type: ignore[arg-type]  # handed through

    monkeypatch.setattr(WitnessState, "advance", overtaken)
    answer = cosigner.add_checkpoint(body(3, 5))
    assert (answer.status, answer.body) == (409, b"9\n")


@given(st.binary(max_size=200), st.integers(0, 300), st.booleans())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_get_an_answer_and_never_a_cosignature(
    cosigner: Witness, noise: bytes, at: int, insert: bool
) -> None:
    good = body(0, 3, keys=LOG_KEYS[:1])
    changed = good[:at] + noise + good[at if insert else at + len(noise) :]
    for content in (noise, changed):
        if content != good:
            assert cosigner.add_checkpoint(content).status in {400, 403, 404, 409, 422}


@given(st.integers(0, 2**63 - 1), st.lists(st.binary(min_size=32, max_size=32), max_size=63))
@settings(max_examples=40, deadline=None)
def test_requests_are_read_back(old: int, hashes: list[bytes]) -> None:
    request = AddCheckpoint(
        old_size=old, proof=tuple(map(Hash, hashes)), note=Note.parse(LOG.signed(3, keys=LOG_KEYS[:1]))
    )
    assert AddCheckpoint.parse(request.format()) == request


def test_an_answer_is_signature_lines_and_nothing_else() -> None:
    note = Note.parse(LOG.signed(3))
    line = W1[0].sign(LOG.checkpoint(3), TIME)
    assert parse_cosignatures(line.line().encode(), note) == (line,)
    for bad in (b"", b"\n", b"\xff", b"x\n", line.line().encode()[:-1], b"text\n\n" + line.line().encode()):
        with pytest.raises(InvalidInput):
            parse_cosignatures(bad, note)


def test_a_log_cannot_be_its_own_witness(state: WitnessState) -> None:
    with pytest.raises(InvalidInput, match="own witness"):
        Witness(state, LOG_KEYS, vkeys(LOG_KEYS))
    with pytest.raises(InvalidInput):
        Witness(state, W1, [])


async def test_the_newest_cosigned_checkpoint_can_be_asked(http: httpx.AsyncClient) -> None:
    asked = {"origin": ORIGIN}
    assert (await http.get("/checkpoint", params=asked)).status_code == 404
    await post(http, body(0, 3))
    await post(http, body(3, 9))
    await post(http, body(3, 20))  # refused: it does not start where the witness is
    answer = await http.get("/checkpoint", params=asked)
    assert answer.status_code == 200
    verified = verify_checkpoint(answer.text, vkeys(LOG_KEYS), vkeys(W1), 1)
    assert verified.checkpoint == LOG.checkpoint(9)
    for origin in ("", "other.example/log"):
        assert (await http.get("/checkpoint", params={"origin": origin})).status_code == 404


async def test_signatures_of_others_are_not_passed_on(http: httpx.AsyncClient) -> None:
    signed = Note.parse(LOG.witnessed(5, W2))
    request = AddCheckpoint(old_size=0, proof=(), note=signed)
    assert (await post(http, request.format())).status_code == 200
    shown = Note.parse((await http.get("/checkpoint", params={"origin": ORIGIN})).text)
    assert {line.name for line in shown.signatures} == {ORIGIN, "witness.example/w1"}


async def test_a_damaged_state_shows_nothing(
    http: httpx.AsyncClient, state: WitnessState, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(origin: str) -> str:
        raise Unavailable("storage-unavailable")

    monkeypatch.setattr(state, "note", fail)
    assert (await http.get("/checkpoint", params={"origin": ORIGIN})).status_code == 503
