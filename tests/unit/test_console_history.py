# SPDX-License-Identifier: EUPL-1.2
"""The modules that run in an officer's browser, in Node: consistency, proof files, and what a browser remembers."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from broker.console.site import STATIC
from sluis.checkpoint import Checkpoint, SignatureType
from sluis.checkpoint_signers import cosign, log_signers, new_secret, sign_checkpoint, witness_signers
from sluis.merkle import CompactRange, Hash, consistency_proof, inclusion_proof, leaf_hash, node_hash
from sluis.note import Note, VKey, encode_base64, sign_note
from sluis.signing import SigningKey
from sluis.tlog_proof import TlogProof

ORIGIN = "broker.example/log"
KEY, OTHER_KEY = SigningKey.generate(), SigningKey.generate()
ENTRIES = [f'{{"n":{number}}}'.encode() for number in range(40)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
RUN = """
import { judge } from "%(static)s/history.js";
import { verifyConsistency } from "%(static)s/consistency.js";
import { parseProof, verifyCheckpoint, verifyInclusion } from "%(static)s/proof_file.js";
import { unbase64 } from "%(static)s/verify.js";
import { readFileSync } from "node:fs";
const holds = async (work) => { try { await work(); return true; } catch { return false; } };
const jobs = {
  consistency: (c) => holds(() =>
    verifyConsistency(BigInt(c.first), BigInt(c.second), c.proof.map(unbase64), unbase64(c.root1), unbase64(c.root2))),
  proof: (c) => holds(async () => {
    const proof = parseProof(c.proof);
    await verifyInclusion(c.entry, proof, await verifyCheckpoint(proof.checkpoint, c.keys, []));
  }),
  checkpoint: async (c) => (await verifyCheckpoint(c.checkpoint, c.keys, c.witnesses)).witnesses,
  judge: async (c) => {
    const prove = () => (c.proof ? Promise.resolve(c.proof) : Promise.reject(new Error("away")));
    const found = await judge({ ...c, logKeys: c.keys, witnessKeys: [], prove, now: "2026-11-25T10:00:00Z" });
    return { verdict: found.verdict, remember: found.remember ?? null };
  },
};
const found = [];
for (const [job, content] of JSON.parse(readFileSync(0, "utf-8"))) found.push(await jobs[job](content));
console.log(JSON.stringify(found));
"""


def in_node(folder: Path, jobs: list[tuple[str, Mapping[str, Any]]]) -> list[Any]:
    """Run jobs with the very modules that the console serves; skip where Node is missing."""
    node = shutil.which("node")
    if node is None:
        if "node" in os.environ.get("SLUIS_REQUIRE", ""):
            pytest.fail("Node is missing")
        pytest.skip("Node is missing")
    served = folder / "served"
    served.mkdir()
    (served / "package.json").write_text('{"type": "module"}')
    for path in STATIC.glob("*.js"):
        shutil.copy(path, served)
    (folder / "run.mjs").write_text(RUN % {"static": served})
    done = subprocess.run(
        [node, "--no-warnings", str(folder / "run.mjs")],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def node_of(level: int, index: int, leaves: list[Hash] | None = None) -> Hash:
    """A complete subtree, worked out from the leaves."""
    row = (leaves or LEAVES)[index << level : (index + 1) << level]
    while len(row) > 1:
        row = [node_hash(one, two) for one, two in zip(row[::2], row[1::2], strict=True)]
    return row[0]


def tree(size: int, leaves: list[Hash] | None = None) -> Checkpoint:
    """The state of the log at a size."""
    root = CompactRange().extend((leaves or LEAVES)[:size])[0].root()
    return Checkpoint(origin=ORIGIN, size=size, root=root)


def signed(checkpoint: Checkpoint, key: SigningKey = KEY) -> str:
    """A checkpoint with the log's signature."""
    return sign_note(checkpoint.body(), ORIGIN, key).format()


def vkey(key: SigningKey = KEY) -> str:
    """The verifier key."""
    return str(VKey(name=ORIGIN, type=SignatureType.ED25519, public=key.public.raw))


def proof_of(first: int, second: int) -> list[str]:
    """The consistency proof as the console sends it."""
    return [encode_base64(item) for item in consistency_proof(first, second, node_of)]


def test_every_pair_of_small_trees_is_proven_and_no_other_is(tmp_path: Path) -> None:
    jobs: list[tuple[str, Mapping[str, Any]]] = []
    expected: list[bool] = []
    forked = [*LEAVES[:3], leaf_hash(b"other"), *LEAVES[4:]]
    for second in range(1, 34):
        for first in range(1, second + 1):
            case = {
                "first": first,
                "second": second,
                "proof": proof_of(first, second),
                "root1": encode_base64(tree(first).root),
                "root2": encode_base64(tree(second).root),
            }
            jobs.append(("consistency", case))
            expected.append(True)
            jobs.append(("consistency", {**case, "root1": encode_base64(leaf_hash(b"other"))}))
            expected.append(False)
            # A root does not say its size, so a proof must fail by its length when the size is another.
            if first < second:
                jobs.append(("consistency", {**case, "second": second + 64}))
                expected.append(False)
            if first.bit_length() < (second - 1).bit_length():
                jobs.append(("consistency", {**case, "second": first + 1}))
                expected.append(False)
            if second > 3:
                jobs.append(("consistency", {**case, "root2": encode_base64(tree(second, forked).root)}))
                jobs.append(("consistency", {**case, "proof": [*case["proof"], case["root1"]]}))
                expected += [False, False]
            if len(case["proof"]):
                jobs.append(("consistency", {**case, "proof": case["proof"][:-1]}))
                expected.append(False)
    assert in_node(tmp_path, jobs) == expected


def test_a_proof_file_holds_for_its_entry_alone(tmp_path: Path) -> None:
    hashes = tuple(inclusion_proof(17, 40, node_of))
    proof = TlogProof(index=17, hashes=hashes, checkpoint=signed(tree(40))).format()
    case = {"proof": proof, "entry": ENTRIES[17].decode(), "keys": [vkey()]}
    wrong = [
        {"entry": ENTRIES[18].decode()},
        {"proof": proof.replace("index 17", "index 16")},
        {"proof": proof.replace("index 17", "index 017")},
        {"proof": proof.replace("@v1", "@v2")},
        {"proof": proof.replace(f"{ORIGIN}\n40", f"{ORIGIN}\n41")},
        {"keys": [vkey(OTHER_KEY)]},
    ]
    jobs = [("proof", case), *(("proof", {**case, **change}) for change in wrong)]
    assert in_node(tmp_path, jobs) == [True, *(False for _ in wrong)]


def test_a_browser_notices_a_rollback_a_fork_another_key_and_a_false_signature(tmp_path: Path) -> None:
    def remembered(size: int, key: SigningKey = KEY) -> dict[str, str]:
        root = encode_base64(tree(size).root)
        return {"size": str(size), "root": root, "keys": vkey(key), "at": "2026-11-24T10:00:00Z"}

    now = {"checkpoint": signed(tree(30)), "keys": [vkey()], "remembered": None, "proof": proof_of(20, 30)}
    other = [*LEAVES[:5], leaf_hash(b"other"), *LEAVES[6:]]
    cases = {
        "first": {},
        "same": {"remembered": remembered(30)},
        "grown": {"remembered": remembered(20)},
        "shrunk": {"remembered": remembered(31)},
        "forked": {"remembered": remembered(30), "checkpoint": signed(tree(30, other))},
        "unproven": {"remembered": remembered(20), "checkpoint": signed(tree(30, other))},
        "keys": {
            "remembered": remembered(20),
            "checkpoint": signed(tree(30), OTHER_KEY),
            "keys": [vkey(OTHER_KEY)],
        },
        "signature": {"remembered": remembered(20), "checkpoint": signed(tree(30), OTHER_KEY)},
        "silent": {"remembered": remembered(20), "proof": None},
    }
    found = in_node(tmp_path, [("judge", {**now, **change}) for change in cases.values()])
    assert [one["verdict"] for one in found] == list(cases)
    # What does not hold is never remembered in place of what did.
    kept = [one["verdict"] for one in found if one["remember"]]
    assert kept == ["first", "same", "grown"]
    assert found[2]["remember"]["size"] == "30"


def test_the_lines_of_the_broker_and_its_witness_hold_in_a_browser(tmp_path: Path) -> None:
    log, witness = log_signers(ORIGIN, new_secret()), witness_signers("w.example", new_secret())
    plain = Note.parse(sign_checkpoint(tree(30), log, 1_780_000_000))
    note = plain.with_signatures(cosign(tree(30), witness, 1_780_000_001))
    keys = {"keys": [str(one.vkey) for one in log], "witnesses": [str(one.vkey) for one in witness]}
    forged = note.format().replace("w.example", "v.example")
    jobs = [("checkpoint", {"checkpoint": text, **keys}) for text in (note.format(), plain.format(), forged)]
    assert in_node(tmp_path, jobs) == [["w.example"], [], []]
