# SPDX-License-Identifier: EUPL-1.2
"""The log's side of witnessing: against the real witness, and against witnesses that misbehave."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_samples import LOG_KEYS, ORIGIN, TIME, W1, W2, SampleLog, vkeys

from broker.audit.witness_client import WitnessClient
from sluis.checkpoint import verify_checkpoint
from sluis.errors import InvalidInput, NotAuthentic, Unavailable
from sluis.merkle import Hash
from sluis.note import Note, NoteSignature
from sluis.tlog_witness import MAX_BODY, AddCheckpoint
from witness.app import Witness, make_app
from witness.state import NOTHING, WitnessState

LOG = SampleLog(20)
FORK = SampleLog(20, fork_at=6)


class Prover:
    """Proves consistency and remembers what it was asked."""

    def __init__(self, log: SampleLog = LOG) -> None:
        self._log = log
        self.asked: list[tuple[int, int]] = []

    async def __call__(self, old: int, size: int) -> Sequence[Hash]:
        self.asked.append((old, size))
        return self._log.consistency(old, size)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[WitnessState]:
    state = WitnessState(tmp_path / "state")
    yield state
    state.close()


@pytest.fixture
async def client(state: WitnessState) -> AsyncIterator[WitnessClient]:
    app = make_app(Witness(state, W1, vkeys(LOG_KEYS), lambda: TIME))
    client = WitnessClient("http://witness/", vkeys(W1), transport=httpx.ASGITransport(app))
    yield client
    await client.aclose()


def against(answer: Callable[[httpx.Request], httpx.Response]) -> WitnessClient:
    return WitnessClient("http://witness", vkeys(W1), transport=httpx.MockTransport(answer))


async def test_checkpoints_are_cosigned_one_after_the_other(client: WitnessClient) -> None:
    prover = Prover()
    for size in (3, 4, 4, 20):
        lines = await client.add_checkpoint(LOG.signed(size), prover)
        note = Note.parse(LOG.signed(size)).with_signatures(lines)
        assert verify_checkpoint(note.format(), vkeys(LOG_KEYS), vkeys(W1), 1).checkpoint.size == size
        assert len(lines) == 2
    assert prover.asked == [(3, 4), (4, 20)]


async def test_a_client_that_knows_nothing_asks_again_from_the_size_it_is_told(
    client: WitnessClient, state: WitnessState
) -> None:
    state.advance(LOG.checkpoint(7), NOTHING)
    prover = Prover()
    assert await client.add_checkpoint(LOG.signed(12), prover)
    assert prover.asked == [(7, 12)]
    assert state.newest(ORIGIN).size == 12


async def test_a_witness_that_is_ahead_or_lost_its_memory_is_met(
    client: WitnessClient, state: WitnessState
) -> None:
    await client.add_checkpoint(LOG.signed(15), Prover())
    with pytest.raises(Unavailable, match="has cosigned 15 entries, above our 9"):
        await client.add_checkpoint(LOG.signed(9), Prover())
    with state._file.write() as connection:
        connection.execute("DELETE FROM cosigned")
    assert await client.add_checkpoint(LOG.signed(16), Prover())


async def test_a_fork_is_an_alarm(client: WitnessClient) -> None:
    await client.add_checkpoint(LOG.signed(10), Prover())
    with pytest.raises(NotAuthentic) as error:
        await client.add_checkpoint(FORK.signed(10), Prover(FORK))
    assert error.value.code == "log-inconsistent"
    with pytest.raises(Unavailable, match="answered 422"):
        await client.add_checkpoint(FORK.signed(12), Prover(FORK))


def good_lines(size: int, signers: tuple[object, ...] = W1, log: SampleLog = LOG) -> str:
    return "".join(s.sign(log.checkpoint(size), TIME).line() for s in signers)  # type: ignore[attr-defined]


def forged() -> str:
    line = W1[0].sign(LOG.checkpoint(5), TIME)
    return NoteSignature(name=line.name, key_id=line.key_id, signature=line.signature[:-1] + b"?").line()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "ok\n",
        good_lines(5)[:-1],
        good_lines(6),  # for another checkpoint
        good_lines(8, log=FORK),  # of another history
        good_lines(5, W2),  # of another witness
        forged(),
        good_lines(5) + forged(),
        LOG.checkpoint(5).body() + "\n" + good_lines(5),
    ],
)
async def test_a_cosignature_that_does_not_hold_is_not_taken(text: str) -> None:
    client = against(lambda _: httpx.Response(200, text=text))
    with pytest.raises(Unavailable) as error:
        await client.add_checkpoint(LOG.signed(5), Prover())
    assert error.value.code == "peer-unavailable"
    await client.aclose()


async def test_lines_of_unknown_keys_are_left_out() -> None:
    client = against(lambda _: httpx.Response(200, text=good_lines(5, W2) + good_lines(5)))
    lines = await client.add_checkpoint(LOG.signed(5), Prover())
    assert {line.name for line in lines} == {"witness.example/w1"}
    await client.aclose()


SIZE = {"content-type": "text/x.tlog.size"}


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(400),
        httpx.Response(403),
        httpx.Response(404),
        httpx.Response(500),
        httpx.Response(302, headers={"location": "http://elsewhere/"}),
        httpx.Response(409, headers=SIZE, content=b""),
        httpx.Response(409, headers=SIZE, content=b"3"),
        httpx.Response(409, headers=SIZE, content=b"03\n"),
        httpx.Response(409, headers=SIZE, content=b"\xff\n"),
        httpx.Response(409, headers=SIZE, content=b"0\n"),  # the size that was asked from
        httpx.Response(409, headers=SIZE, content=b"6\n"),  # above ours
        httpx.Response(200, content=b"x" * (MAX_BODY + 1)),
        httpx.Response(200, headers={"content-encoding": "identity"}, text=good_lines(5)),
    ],
)
async def test_every_other_answer_is_a_witness_in_trouble(answer: httpx.Response) -> None:
    client = against(lambda _: answer)
    with pytest.raises(Unavailable) as error:
        await client.add_checkpoint(LOG.signed(5), Prover())
    assert error.value.code == "peer-unavailable"
    assert "witness.example/w1" in error.value.message
    await client.aclose()


async def test_a_witness_whose_size_keeps_moving_is_given_up() -> None:
    asked = []

    def moving(request: httpx.Request) -> httpx.Response:
        asked.append(AddCheckpoint.parse(request.content).old_size)
        return httpx.Response(409, headers=SIZE, content=f"{asked[-1] + 1}\n".encode())

    client = against(moving)
    with pytest.raises(Unavailable, match="every try"):
        await client.add_checkpoint(LOG.signed(20), Prover())
    assert asked == [0, 1, 2, 3]
    await client.aclose()


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("no"), httpx.ReadTimeout("no"), httpx.RemoteProtocolError("no")]
)
async def test_a_witness_that_does_not_answer_is_unavailable(error: httpx.HTTPError) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    client = against(fail)
    with pytest.raises(Unavailable, match="does not answer"):
        await client.add_checkpoint(LOG.signed(5), Prover())
    await client.aclose()


async def test_a_witness_that_drips_is_cut_off_in_time() -> None:
    async def drip(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(5)
        return httpx.Response(200)

    client = WitnessClient("http://w", vkeys(W1), timeout=0.05, transport=httpx.MockTransport(drip))
    with pytest.raises(Unavailable, match="does not answer"):
        await client.add_checkpoint(LOG.signed(5), Prover())
    await client.aclose()


@given(st.sampled_from([200, 409]), st.binary(max_size=60), st.booleans())
@settings(max_examples=50, deadline=None)
async def test_any_answer_ends_in_our_errors(status: int, content: bytes, sized: bool) -> None:
    client = against(lambda _: httpx.Response(status, content=content, headers=SIZE if sized else {}))
    with pytest.raises((Unavailable, NotAuthentic)):
        await client.add_checkpoint(LOG.signed(5, keys=LOG_KEYS[:1]), Prover())
    await client.aclose()


def test_a_client_has_the_keys_of_one_witness() -> None:
    for keys in ([], [*vkeys(W1), *vkeys(W2)], vkeys(LOG_KEYS)[:1]):
        with pytest.raises(InvalidInput) as error:
            WitnessClient("http://witness", keys)
        assert error.value.code == "malformed-config"
