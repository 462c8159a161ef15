# SPDX-License-Identifier: EUPL-1.2
"""Policies of logs and witnesses: the specification's example, what other implementations read and refuse, quorums."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_samples import LOG_KEYS, ORIGIN, TIME, VECTORS, W1, W2, SampleLog, vkeys

from sluis.checkpoint import verify_checkpoint
from sluis.checkpoint_signers import cosign, log_signers, witness_signers
from sluis.client.settings import KitSettings
from sluis.errors import InvalidInput, NotAuthentic, NotFound, SluisError
from sluis.note import Note, VKey
from sluis.tlog_policy import Group, KnownLog, KnownWitness, TlogPolicy

LOG = SampleLog(9)
L = str(LOG_KEYS[0].vkey)
NAMES = ("X1", "X2", "X3", "Y1", "Y2", "Y3")
SIGNERS = {
    name: witness_signers(f"witness.example/{name}", bytes([number]) * 32 + bytes([number + 100]) * 32)[0]
    for number, name in enumerate(NAMES, 1)
}
W = {name: str(signer.vkey) for name, signer in SIGNERS.items()}
A, B = W["X1"], W["X2"]


def example() -> bytes:
    """The specification's example with keys."""
    text = (VECTORS / "tlog-policy" / "specification.policy").read_text()
    for key in (L, *W.values()):
        text = text.replace("<vkey>", key, 1)
    assert "<vkey>" not in text
    return text.encode()


def signed_by(*names: str) -> str:
    note = Note.parse(LOG.signed(9))
    signers = [SIGNERS[name] for name in names]
    return note.with_signatures(cosign(LOG.checkpoint(9), signers, TIME)).format()


def test_the_example_of_the_specification_is_read_and_written_canonically() -> None:
    policy = TlogPolicy.parse(example())
    assert [group.threshold for group in policy.groups] == [2, 1, 2]
    lines = [f"log {L}", *(f"witness {name} {key}" for name, key in W.items())]
    lines += ["group X-witnesses 2 X1 X2 X3", "group Y-witnesses 1 Y1 Y2 Y3"]
    lines += ["group X-and-Y 2 X-witnesses Y-witnesses", "quorum X-and-Y"]
    assert policy.format().decode() == "\n".join(lines) + "\n"
    assert TlogPolicy.parse(policy.format()) == policy


def test_the_example_holds_for_two_of_x_and_one_of_y_and_for_no_fewer() -> None:
    policy = TlogPolicy.parse(example())
    for count in range(len(NAMES) + 1):
        for names in itertools.combinations(NAMES, count):
            x, y = (sum(name.startswith(letter) for name in names) for letter in "XY")
            enough = x >= 2 and y >= 1
            assert policy.satisfied(names) is enough
            if count in (2, 3, 6):
                text = signed_by(*names)
                if enough:
                    found = policy.verify_checkpoint(text)
                    assert found.cosigners == tuple(f"witness.example/{name}" for name in sorted(names))
                else:
                    with pytest.raises(NotAuthentic, match="the quorum `X-and-Y` is not met") as caught:
                        policy.verify_checkpoint(text)
                    assert caught.value.code == "not-witnessed"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("quorum none\n", "quorum none\n"),
        ("quorum none", "quorum none\n"),
        (
            f"\n# comment\n\t # another\n\twitness \t w1  {A}   https://w1.example/  \n\n  quorum\tw1",
            f"witness w1 {A} https://w1.example/\nquorum w1\n",
        ),
        (
            f"quorum none\nwitness w {A}\nlog {L} https://log.example/\n",
            f"log {L} https://log.example/\nwitness w {A}\nquorum none\n",
        ),
        (
            f"witness all {A}\nwitness any {B}\ngroup group 2 all any\nquorum group\n",
            f"witness all {A}\nwitness any {B}\ngroup group 2 all any\nquorum group\n",
        ),
        (f"witness #w {A}\nquorum #w\n", f"witness #w {A}\nquorum #w\n"),
    ],
)
def test_what_other_implementations_read_is_read(text: str, canonical: str) -> None:
    assert TlogPolicy.parse(text.encode()).format().decode() == canonical


def test_names_are_opaque_bytes() -> None:
    data = b"witness K\xe2\x84\xaalvin-\x80 " + A.encode() + b"\nquorum K\xe2\x84\xaalvin-\x80\n"
    assert TlogPolicy.parse(data).format() == data
    with pytest.raises(InvalidInput):
        TlogPolicy.parse(data.replace(b"quorum K\xe2\x84\xaa", b"quorum KK"))
    space = (
        "witness w\u00a0x " + A + "\nquorum w\u00a0x\n"
    )  # no white space in the sense of the specification
    assert TlogPolicy.parse(space.encode()).quorum == "w\u00a0x"


@pytest.mark.parametrize(
    "text",
    [
        "quorum none\n\x01", "quorum none\r\n", "quorum none\n\x7f", "quorum none\n\x00", "", "\n", "# x\n",
        "quibble w1\nquorum none\n", "QUORUM none\n", f"witness w1 {A} https://w1.example # no\nquorum w1\n",
        "log\nquorum none\n", "log garbage\nquorum none\n", f"log {L} a b\nquorum none\n",
        f"log {L}\nlog {L} https://log.example/\nquorum none\n", f"log {A}\nquorum none\n",
        "witness w1\nquorum none\n", f"witness w1 {L}\nquorum w1\n", f"witness none {A}\nquorum none\n",
        f"witness w1 {A}\nwitness w1 {B}\nquorum w1\n", f"witness w1 {A}\nwitness w2 {A}\nquorum w1\n",
        f"witness w1 {A}\ngroup w1 any w1\nquorum w1\n", f"witness w1 {A}\ngroup g1 1\nquorum w1\n",
        f"witness w1 {A}\ngroup none any w1\nquorum none\n", f"witness w1 {A}\ngroup g1 0 w1\nquorum g1\n",
        f"witness w1 {A}\ngroup g1 -1 w1\nquorum g1\n", f"witness w1 {A}\ngroup g1 2 w1\nquorum g1\n",
        f"witness w1 {A}\ngroup g1 01 w1\nquorum g1\n", f"witness w1 {A}\ngroup g1 +1 w1\nquorum g1\n",
        f"witness w1 {A}\ngroup g1 \u0661 w1\nquorum g1\n", f"witness w1 {A}\ngroup g1 any w2\nquorum g1\n",
        f"group g1 any w1\nwitness w1 {A}\nquorum g1\n", f"witness w1 {A}\ngroup g1 any none w1\nquorum g1\n",
        f"witness w1 {A}\ngroup g1 all w1 w1\nquorum g1\n", f"witness w1 {A}\ngroup g any g\nquorum g\n",
        f"witness w1 {A}\nwitness w2 {B}\ngroup g1 any w1 w2\ngroup g2 any w1\nquorum g1\n",
        f"witness w1 {A}\n", f"witness w1 {A}\nquorum w1\nquorum w1\n", "quorum unknown\n", "quorum\n",
        f"quorum w1\nwitness w1 {A}\n", "quorum none none\n",
        f"witness w1 {A.replace('+', '+0', 1)}\nquorum w1\n", f"witness w1 {A[:-1]}\nquorum w1\n",
    ],
)  # fmt: skip
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        TlogPolicy.parse(text.encode())
    assert caught.value.code == "malformed-config"


def test_the_line_is_named_and_nothing_of_it_is_repeated() -> None:
    with pytest.raises(InvalidInput) as caught:
        TlogPolicy.parse(f"# x\nlog {L}\nwitness w SECRET\nquorum w\n".encode())
    assert caught.value.where == "line 3"
    assert "SECRET" not in str(caught.value)


def test_a_log_cannot_be_its_own_witness_and_files_are_bounded() -> None:
    key = bytes(range(64))
    own = witness_signers("witness.example/own", key)[1].vkey  # the log's ML-DSA-44 key under another name
    with pytest.raises(InvalidInput, match="one key stands in two lines"):
        TlogPolicy.parse(f"log {LOG_KEYS[1].vkey}\nwitness w {own}\nquorum w\n".encode())
    with pytest.raises(InvalidInput) as caught:
        TlogPolicy.parse(b"#" * (1 << 18) + b"\nquorum none\n")
    assert caught.value.code == "message-too-large"


def test_a_false_line_condemns_a_checkpoint_whatever_the_quorum() -> None:
    policy = TlogPolicy.parse(f"log {L}\nwitness a {A}\nwitness b {B}\ngroup g any a b\nquorum g\n".encode())
    *rest, last = (note := Note.parse(signed_by("X1", "X2"))).signatures
    false = replace(last, signature=last.signature[:-1] + bytes([last.signature[-1] ^ 1]))
    with pytest.raises(NotAuthentic) as caught:
        policy.verify_checkpoint(Note(text=note.text, signatures=(*rest, false)).format())
    assert caught.value.code == "checkpoint-wrong"
    for wrong in ("", "x\n", LOG.signed(9).replace(ORIGIN, "other.example/log")):
        with pytest.raises(NotAuthentic) as caught:
            policy.verify_checkpoint(wrong)
        assert caught.value.code == "checkpoint-wrong"


@pytest.mark.parametrize("quorum", [0, 1, 2])
@pytest.mark.parametrize("witnesses", [(W1,), (W1, W2), (W1[:1], W2), ()])
def test_settings_mean_the_same_as_the_policy_made_of_them(
    quorum: int, witnesses: tuple[tuple[object, ...], ...]
) -> None:
    keys = [signer.vkey for signers in witnesses for signer in signers]  # type: ignore[attr-defined]
    if quorum > len(witnesses):
        with pytest.raises(InvalidInput):
            TlogPolicy.of(vkeys(LOG_KEYS), keys, quorum)
        return
    policy = TlogPolicy.of(vkeys(LOG_KEYS), keys, quorum)
    assert TlogPolicy.parse(policy.format()) == policy
    for present in ((), (W1,), (W2,), (W1, W2), (W1[1:],), (W1[:1], W2[1:])):
        note = Note.parse(LOG.signed(9))
        for signers in present:
            note = note.with_signatures(cosign(LOG.checkpoint(9), signers, TIME))
        outcomes = []
        for check in (
            policy.verify_checkpoint,
            lambda text: verify_checkpoint(text, vkeys(LOG_KEYS), keys, quorum),
        ):
            try:
                outcomes.append(check(note.format()))
            except NotAuthentic as error:
                outcomes.append(error.code)
        assert outcomes[0] == outcomes[1]


def test_a_kit_may_name_a_policy_in_place_of_its_keys(tmp_path: Path) -> None:
    folder = tmp_path
    config = folder / "sluis.toml"
    base = 'oin = "0"\nkeys = "k"\nstate = "s"\nagreement = "a"\nbroker = "b"\nreceipt_key = ""\nevaluators = []\n'
    config.write_text(base + 'log_policy = "log.policy"\n')
    with pytest.raises(NotFound):
        KitSettings.load(config).trusted_log()
    (folder / "log.policy").write_bytes(example())
    assert KitSettings.load(config).trusted_log() == TlogPolicy.parse(example())
    for more in ("quorum = 1\n", "log_vkeys = []\n", "witness_vkeys = []\n"):
        config.write_text(base + 'log_policy = "log.policy"\n' + more)
        with pytest.raises(InvalidInput, match="log_policy stands in place of"):
            KitSettings.load(config)
    config.write_text(base)
    with pytest.raises(InvalidInput, match="or log_policy"):
        KitSettings.load(config)
    config.write_text(base + 'log_policy = "log.policy"\n')
    other = log_signers("other.example/log", bytes(range(64, 128)))[0].vkey
    for text in ("quorum none\n", f"log {L}\nlog {other}\nquorum none\n"):
        (folder / "log.policy").write_text(text)
        with pytest.raises(InvalidInput, match="exactly one log"):
            KitSettings.load(config).trusted_log()


@st.composite
def policies(draw: st.DrawFn) -> TlogPolicy:
    names = draw(st.lists(st.text("abc\u00e9\u2003#+:", min_size=1, max_size=3), max_size=4, unique=True))
    names = [name for name in names if name != "none"]
    urls = st.sampled_from(["", "https://x.example/"])
    known = [
        KnownWitness(name=name, vkey=VKey.parse(key), url=draw(urls))
        for name, key in zip(names, W.values(), strict=False)
    ]
    groups: list[Group] = []
    free = [one.name for one in known]
    while free and len(groups) < 3 and draw(st.booleans()):
        members = tuple(draw(st.lists(st.sampled_from(free), min_size=1, unique=True)))
        free = [name for name in free if name not in members] + [f"g{len(groups)}"]
        threshold = draw(st.integers(1, len(members)))
        groups.append(Group(name=f"g{len(groups)}", threshold=threshold, members=members))
    quorum = draw(st.sampled_from(["none", *(one.name for one in known), *(group.name for group in groups)]))
    logs = (KnownLog(vkey=LOG_KEYS[0].vkey, url=draw(urls)),) if draw(st.booleans()) else ()
    return TlogPolicy(logs=logs, witnesses=tuple(known), groups=tuple(groups), quorum=quorum)


@given(policies())
@settings(max_examples=100, deadline=None)
def test_every_policy_is_read_back(policy: TlogPolicy) -> None:
    assert TlogPolicy.parse(policy.format()) == policy


@given(policies(), st.sets(st.sampled_from(NAMES)), st.sampled_from(NAMES))
@settings(max_examples=100, deadline=None)
def test_one_cosignature_more_never_spoils_a_quorum(policy: TlogPolicy, names: set[str], more: str) -> None:
    known = [one.name for one in policy.witnesses]
    some = [name for name, key in zip(known, NAMES, strict=False) if key in names]
    extra = [name for name, key in zip(known, NAMES, strict=False) if key == more]
    assert policy.satisfied(some) <= policy.satisfied([*some, *extra])
    if policy.quorum != "none":
        assert not policy.satisfied([])
        assert not policy.satisfied(
            [group.name for group in policy.groups]
        )  # a group's name is no cosignature


@given(st.binary(max_size=12), st.integers(0, 2000), st.booleans())
@settings(max_examples=150, deadline=None)
def test_noise_gives_our_errors_or_a_policy_with_one_canonical_text(
    noise: bytes, at: int, insert: bool
) -> None:
    good = example()
    changed = good[:at] + noise + good[at if insert else at + len(noise) :]
    for data in (noise, changed):
        try:
            policy = TlogPolicy.parse(data)
        except SluisError:
            continue
        assert TlogPolicy.parse(policy.format()) == policy
        assert TlogPolicy.parse(policy.format()).format() == policy.format()
