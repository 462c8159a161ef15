# SPDX-License-Identifier: EUPL-1.2
"""The JavaScript client checks our vectors with code of its own: other libraries, written from the page alone."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from sluis import wire
from sluis.envelope import open_envelope
from sluis.sealing_keys import SealingKey
from sluis.signing import VerifyKey
from sluis.v1 import envelope_pb2 as pb

INTEROP = Path(__file__).parent / "interop"
VECTORS = Path(__file__).parent / "vectors" / "protocol.json"


def client(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the client, or skip where Node or its packages are missing."""
    node = shutil.which("node")
    if node is None or not (INTEROP / "node_modules").is_dir():
        if "node" in os.environ.get("SLUIS_REQUIRE", ""):
            pytest.fail("Node or its packages are missing: run `npm ci` in tests/interop")
        pytest.skip("Node or its packages are missing: run `npm ci` in tests/interop")
    command = [node, "client.mjs", *arguments]
    return subprocess.run(command, cwd=INTEROP, capture_output=True, text=True, timeout=60, check=False)


def test_the_javascript_client_agrees_with_the_vectors() -> None:
    result = client("vectors", str(VECTORS))
    assert result.returncode == 0, result.stderr
    assert set(json.loads(result.stdout)["checked"]) == {
        "encoding",
        "pseudonyms",
        "publications",
        "sealing",
        "envelopes",
        "register",
        "log",
        "card",
    }


@pytest.mark.parametrize(
    ("section", "names"),
    [
        ("encoding", ("lp", 2, "encoded")),
        ("pseudonym", ("subjects", 1, "pseudonym")),
        ("pseudonym", ("evaluations", 0, "proof")),
        ("pseudonym", ("evaluations", 1, "public_key")),
        ("header", ("encoded",)),
        ("sealing", ("fields", 2, "commitment")),
        ("sealing", ("root",)),
        ("redaction", ("message",)),
        ("register", ("digest",)),
        ("register", ("signature",)),
        ("log", ("leaf_hashes", 3)),
        ("log", ("inclusion", "hashes", 1)),
        ("log", ("receipt", "signature")),
    ],
)
def test_the_javascript_client_refuses_a_changed_vector(
    tmp_path: Path, section: str, names: tuple[str | int, ...]
) -> None:
    vectors = json.loads(VECTORS.read_text())
    parent = vectors["deterministic"][section]
    for name in names[:-1]:
        parent = parent[name]
    last = parent[names[-1]]
    parent[names[-1]] = last[:-1] + ("0" if last[-1] != "0" else "1")
    (tmp_path / "changed.json").write_text(json.dumps(vectors))
    assert client("vectors", str(tmp_path / "changed.json")).returncode == 1


def test_what_the_javascript_client_seals_now_opens_here() -> None:
    result = client("seal", str(VECTORS))
    assert result.returncode == 0, result.stderr
    keys = json.loads(VECTORS.read_text())["deterministic"]["keys"]
    sealing = keys["recipient sealing"]
    recipient = SealingKey.from_bytes(bytes.fromhex(sealing["xwing_seed"] + sealing["x25519_private"]))
    sender = VerifyKey(bytes.fromhex(keys["sender"]["public"]))
    samples = json.loads(result.stdout)
    assert len(samples) == 2
    for sample in samples:
        message = pb.Envelope.FromString(bytes.fromhex(sample["message"]))
        opened = open_envelope(wire.envelope_from_wire(message), recipient, sender)
        assert [item.value.hex() for item in opened.fields] == [item["value"] for item in sample["opened"]]
