# SPDX-License-Identifier: EUPL-1.2
"""The Merkle tree, exhaustively for small sizes against the definition, and against published vectors."""

import base64
import json
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_samples import VECTORS

from sluis.errors import InvalidInput, NotAuthentic
from sluis.merkle import (
    EMPTY_ROOT,
    CompactRange,
    Hash,
    Node,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    verify_consistency,
    verify_inclusion,
)

TESTDATA = Path(__file__).parents[3] / "shared" / "vectors" / "transparency-dev" / "testdata"
MAX = 64
LEAVES = [leaf_hash(f"entry {i}".encode()) for i in range(MAX)]


def naive_root(leaves: list[Hash]) -> Hash:
    """MTH of RFC 6962 2.1, word for word."""
    if not leaves:
        return Hash(sha256(b"").digest())
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return Hash(sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest())


def naive_path(m: int, leaves: list[Hash]) -> list[Hash]:
    """PATH of RFC 6962 2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_root(leaves[:k])]


def naive_subproof(m: int, leaves: list[Hash], whole: bool) -> list[Hash]:
    """SUBPROOF of RFC 6962 2.1.2."""
    if m == len(leaves):
        return [] if whole else [naive_root(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*naive_subproof(m, leaves[:k], whole), naive_root(leaves[k:])]
    return [*naive_subproof(m - k, leaves[k:], False), naive_root(leaves[:k])]


ROOTS = [naive_root(LEAVES[:n]) for n in range(MAX + 1)]


def read_node(level: int, index: int) -> Hash:
    width = 1 << level
    assert (index + 1) * width <= MAX, "only complete subtrees are read"
    return naive_root(LEAVES[index * width : (index + 1) * width])


NODES = {(level, i): read_node(level, i) for level in range(7) for i in range(MAX >> level)}


def node_within(size: int):
    """A reader that knows only the complete subtrees of a tree of this size, as the store does."""

    def read(level: int, index: int) -> Hash:
        assert (index + 1) << level <= size, "a subtree beyond the tree was asked for"
        return NODES[level, index]

    return read


def test_published_tree_vectors_agree() -> None:
    vectors = json.loads((VECTORS / "rfc6962_tree_vectors.json").read_text())
    leaves = [leaf_hash(bytes.fromhex(text)) for text in vectors["leaf_inputs_hex"]]
    levels = [[bytes.fromhex(text) for text in level] for level in vectors["node_hashes_hex_by_level"]]
    assert leaves == levels[0]
    _, nodes = CompactRange().extend(leaves)
    assert {(n.level, n.index, n.hash) for n in nodes} == {
        (level, index, value)
        for level, values in enumerate(levels)
        for index, value in enumerate(values)
        if level
    }
    for size, root in enumerate(vectors["root_hashes_hex_by_size"]):
        assert CompactRange().extend(leaves[:size])[0].root().hex() == root


def test_every_size_has_the_root_of_the_definition() -> None:
    tree = CompactRange()
    for size in range(MAX + 1):
        assert tree.root() == ROOTS[size]
        if size < MAX:
            tree, _ = tree.extend([LEAVES[size]])
    assert ROOTS[0] == EMPTY_ROOT


def test_extending_in_any_two_steps_gives_the_same_tree_and_nodes() -> None:
    for size in range(MAX + 1):
        whole, nodes = CompactRange().extend(LEAVES[:size])
        for cut in range(size + 1):
            first, nodes1 = CompactRange().extend(LEAVES[:cut])
            second, nodes2 = first.extend(LEAVES[cut:size])
            assert second == whole
            assert nodes1 + nodes2 == nodes
        expected = {(level, i) for level in range(1, 7) for i in range(size >> level)}
        assert {(n.level, n.index) for n in nodes} == expected
        assert all(n == Node(level=n.level, index=n.index, hash=NODES[n.level, n.index]) for n in nodes)


def test_every_inclusion_proof_is_the_definitions_and_verifies() -> None:
    for size in range(1, MAX + 1):
        for index in range(size):
            proof = inclusion_proof(index, size, node_within(size))
            assert proof == naive_path(index, LEAVES[:size])
            verify_inclusion(LEAVES[index], index, size, proof, ROOTS[size])


def rejected_inclusion(leaf: Hash, index: int, size: int, proof: list[Hash], root: Hash) -> bool:
    try:
        verify_inclusion(leaf, index, size, proof, root)
    except NotAuthentic as error:
        return error.code == "proof-wrong"
    return False


def test_every_wrong_neighbour_of_an_inclusion_proof_is_rejected() -> None:
    other = leaf_hash(b"other")
    for size in range(1, MAX + 1):
        for index in range(size):
            leaf, root = LEAVES[index], ROOTS[size]
            proof = inclusion_proof(index, size, node_within(size))
            for wrong in {index - 1, index + 1, index ^ 1, index ^ 2, index + size} - {index}:
                assert rejected_inclusion(leaf, wrong, size, proof, root), (index, size, wrong)
            assert rejected_inclusion(other, index, size, proof, root)
            assert rejected_inclusion(leaf, index, size, proof, other)
            assert rejected_inclusion(leaf, index, size, [*proof, other], root)
            assert rejected_inclusion(leaf, index, size, [other, *proof], root)
            for at in range(len(proof)):
                assert rejected_inclusion(leaf, index, size, proof[:at] + proof[at + 1 :], root)
                assert rejected_inclusion(leaf, index, size, [*proof[:at], other, *proof[at + 1 :]], root)
            for wrong in {size - 1, size + 1} & set(range(1, MAX + 1)):
                assert rejected_inclusion(leaf, index, wrong, proof, ROOTS[wrong]), (index, size, wrong)


def test_a_proof_for_another_leaf_is_rejected() -> None:
    for size in range(2, 33):
        proofs = [inclusion_proof(i, size, node_within(size)) for i in range(size)]
        for index in range(size):
            for other in set(range(size)) - {index}:
                assert rejected_inclusion(LEAVES[index], index, size, proofs[other], ROOTS[size])
                assert rejected_inclusion(LEAVES[index], other, size, proofs[other], ROOTS[size])


def test_every_consistency_proof_is_the_definitions_and_verifies() -> None:
    for size2 in range(MAX + 1):
        for size1 in range(size2 + 1):
            proof = consistency_proof(size1, size2, node_within(size2))
            if size1 == 0:
                assert proof == []  # decided outside the verifier: see the next test
                continue
            assert proof == naive_subproof(size1, LEAVES[:size2], True)
            verify_consistency(size1, size2, proof, ROOTS[size1], ROOTS[size2])


def rejected_consistency(size1: int, size2: int, proof: list[Hash], root1: Hash, root2: Hash) -> bool:
    try:
        verify_consistency(size1, size2, proof, root1, root2)
    except NotAuthentic as error:
        return error.code == "proof-wrong"
    return False


def test_size_zero_is_refused_by_the_verifier_because_its_callers_decide_it() -> None:
    # witness/app.py accepts an empty proof from size zero, sluis/log_verifier.py too: from nothing anything grows.
    for size2 in (0, 1, 5):
        assert rejected_consistency(0, size2, [], EMPTY_ROOT, ROOTS[size2])


def test_every_wrong_neighbour_of_a_consistency_proof_is_rejected() -> None:
    other = leaf_hash(b"other")
    for size2 in range(1, MAX + 1):
        for size1 in range(1, size2 + 1):
            root1, root2 = ROOTS[size1], ROOTS[size2]
            proof = consistency_proof(size1, size2, node_within(size2))
            assert rejected_consistency(size1, size2, proof, other, root2)
            assert rejected_consistency(size1, size2, proof, root1, other)
            assert rejected_consistency(size1, size2, [*proof, other], root1, root2)
            assert rejected_consistency(size1, size2, [other, *proof], root1, root2)
            for at in range(len(proof)):
                assert rejected_consistency(size1, size2, proof[:at] + proof[at + 1 :], root1, root2)
                assert rejected_consistency(
                    size1, size2, [*proof[:at], other, *proof[at + 1 :]], root1, root2
                )
            if size1 != size2:
                assert rejected_consistency(size1, size2, proof, root2, root1)
                assert rejected_consistency(size2, size1, proof, root2, root1)
            for wrong in {size1 - 1, size1 + 1} & set(range(size2 + 1)):
                assert rejected_consistency(wrong, size2, proof, ROOTS[wrong], root2), (size1, size2, wrong)
            for wrong in {size2 - 1, size2 + 1} & set(range(size1, MAX + 1)):
                assert rejected_consistency(size1, wrong, proof, root1, ROOTS[wrong]), (size1, size2, wrong)


def test_a_fork_has_no_consistency_proof() -> None:
    for size1 in range(1, 20):
        for size2 in range(size1, 20):
            for changed in range(size1):
                forked = [*LEAVES[:changed], leaf_hash(b"forked"), *LEAVES[changed + 1 :]]
                proof = naive_subproof(size1, forked[:size2], True)
                assert rejected_consistency(size1, size2, proof, ROOTS[size1], naive_root(forked[:size2]))


@given(st.integers(1, 10**6), st.data())
@settings(max_examples=60, deadline=None)
def test_large_trees_are_proven_from_complete_subtrees_alone(size: int, data: st.DataObject) -> None:
    # All leaves are equal, so that a subtree's hash depends on its level alone.
    level_hash = [leaf_hash(b"same")]
    for _ in range(21):
        level_hash.append(node_hash(level_hash[-1], level_hash[-1]))
    tree = CompactRange(size=size, nodes=tuple(level_hash[b] for b in reversed(range(21)) if size >> b & 1))
    index, size1 = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    old = CompactRange(size=size1, nodes=tuple(level_hash[b] for b in reversed(range(21)) if size1 >> b & 1))

    def read(level: int, at: int) -> Hash:
        assert (at + 1) << level <= size
        return level_hash[level]

    verify_inclusion(level_hash[0], index, size, inclusion_proof(index, size, read), tree.root())
    verify_consistency(size1, size, consistency_proof(size1, size, read), old.root(), tree.root())


def test_impossible_requests_for_proofs_are_refused() -> None:
    for index, size in ((0, 0), (5, 5), (-1, 3)):
        with pytest.raises(InvalidInput, match="no leaf"):
            inclusion_proof(index, size, node_within(MAX))
    for size1, size2 in ((3, 2), (-1, 2)):
        with pytest.raises(InvalidInput, match="no tree"):
            consistency_proof(size1, size2, node_within(MAX))


@pytest.mark.parametrize(
    ("size", "nodes"), [(1, ()), (0, (ROOTS[1],)), (3, (ROOTS[1],)), (1, (b"short",)), (-1, ())]
)
def test_a_compact_range_that_fits_no_tree_is_refused(size: int, nodes: tuple[Hash, ...]) -> None:
    with pytest.raises(InvalidInput):
        CompactRange(size=size, nodes=nodes)


@pytest.mark.skipif(not TESTDATA.is_dir(), reason="the folder of shared vectors is not beside the clone")
def test_transparency_dev_proofs_agree() -> None:
    def raw(text: str | None) -> Hash:
        return Hash(base64.b64decode(text or ""))

    differing, count = set(), 0
    for file in sorted(TESTDATA.glob("inclusion/**/*.json")):
        v = json.loads(file.read_text())
        proof = [raw(text) for text in v["proof"] or []]
        wrong = rejected_inclusion(raw(v["leafHash"]), v["leafIdx"], v["treeSize"], proof, raw(v["root"]))
        count += 1
        if wrong != v["wantErr"]:
            differing.add(file.name)
    for file in sorted(TESTDATA.glob("consistency/**/*.json")):
        v = json.loads(file.read_text())
        proof = [raw(text) for text in v["proof"] or []]
        wrong = rejected_consistency(v["size1"], v["size2"], proof, raw(v["root1"]), raw(v["root2"]))
        count += 1
        if wrong != v["wantErr"]:
            differing.add(file.name)
    assert count == 196
    # Its roots are 12 bytes of text; we insist on hashes of 32 bytes.
    assert differing == {"sizes-are-equal-one-and-proof-is-empty.json"}
