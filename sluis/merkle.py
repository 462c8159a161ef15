# SPDX-License-Identifier: EUPL-1.2
"""The Merkle tree of the log (RFC 6962 section 2.1, RFC 9162 section 2.1), SHA-256.

    leaf_hash(entry) = H(0x00 || entry)          node_hash(l, r) = H(0x01 || l || r)
    root of n > 1 leaves = node_hash(root of the first k, root of the rest), k the largest power of two < n

A *complete subtree* (level, index) covers the leaves index * 2^level up to (index + 1) * 2^level; only those
are ever stored, because they never change. Proofs are lists of 32-byte hashes in the order of the RFC.
A consistency proof from size zero proves nothing, so `verify_consistency` refuses it, as transparency-dev
does; a C2SP witness, which starts from nothing, decides that case itself.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NewType

from sluis.errors import InvalidInput, NotAuthentic

Hash = NewType("Hash", bytes)
NodeReader = Callable[[int, int], Hash]
"""Gives the hash of the complete subtree (level, index); level 0 is a leaf hash."""

HASH_SIZE: Final = 32
EMPTY_ROOT: Final = Hash(sha256(b"").digest())
MAX_SIZE: Final = 1 << 63
MAX_PROOF: Final = 63


def leaf_hash(entry: bytes) -> Hash:
    """Hash an entry of the log."""
    return Hash(sha256(b"\x00" + entry).digest())


def node_hash(left: Hash, right: Hash) -> Hash:
    """Hash two subtrees together."""
    return Hash(sha256(b"\x01" + left + right).digest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A complete subtree of at least two leaves, with its hash."""

    level: int
    index: int
    hash: Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactRange:
    """A whole tree in at most 63 hashes: its largest complete subtrees, left to right.

    One hash for each set bit of `size`. Raises InvalidInput when the two do not agree.
    """

    size: int = 0
    nodes: tuple[Hash, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size < MAX_SIZE or len(self.nodes) != self.size.bit_count():
            raise InvalidInput("malformed-request", "a compact range has a hash for each set bit of its size")
        if any(len(node) != HASH_SIZE for node in self.nodes):
            raise InvalidInput("malformed-request", f"a hash has {HASH_SIZE} bytes")

    def root(self) -> Hash:
        """Return the root hash of the tree."""
        if not self.nodes:
            return EMPTY_ROOT
        root = self.nodes[-1]
        for left in reversed(self.nodes[:-1]):
            root = node_hash(left, root)
        return root

    def extend(self, leaves: Iterable[Hash]) -> "tuple[CompactRange, list[Node]]":
        """Append leaf hashes; returns the new tree and the subtrees that became complete, level 1 and up."""
        size, nodes, completed = self.size, list(self.nodes), list[Node]()
        for leaf in leaves:
            current, level = leaf, 0
            # Adding one leaf carries like adding one to `size` in binary: each set bit is a subtree to merge.
            while size >> level & 1:
                current = node_hash(nodes.pop(), current)
                level += 1
                completed.append(Node(level=level, index=size >> level, hash=current))
            nodes.append(current)
            size += 1
        return CompactRange(size=size, nodes=tuple(nodes)), completed


def inclusion_proof(index: int, size: int, node: NodeReader) -> list[Hash]:
    """Prove that leaf `index` is in the tree of `size` leaves (RFC 6962 2.1.1).

    Raises InvalidInput when the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise InvalidInput("malformed-request", f"a tree of {size} leaves has no leaf {index}")
    path: list[Hash] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range_root(middle, end, node))
            end = middle
        else:
            path.append(_range_root(start, middle, node))
            start = middle
    return path[::-1]


def consistency_proof(size1: int, size2: int, node: NodeReader) -> list[Hash]:
    """Prove that the tree of `size1` leaves is a prefix of that of `size2` (RFC 6962 2.1.2, SUBPROOF).

    Empty for size1 = 0 and for equal sizes. Raises InvalidInput when size1 > size2.
    """
    if not 0 <= size1 <= size2:
        raise InvalidInput("malformed-request", f"no tree of {size1} leaves lies within one of {size2}")
    if size1 == 0:
        return []
    path: list[Hash] = []
    start, end = 0, size2
    while size1 != end:
        middle = start + _split(end - start)
        if size1 <= middle:
            path.append(_range_root(middle, end, node))
            end = middle
        else:
            path.append(_range_root(start, middle, node))
            start = middle
    if start:
        # Unless it is the whole old tree, whose root the verifier has (b = false in the RFC).
        path.append(_range_root(start, end, node))
    return path[::-1]


def verify_inclusion(leaf: Hash, index: int, size: int, proof: Sequence[Hash], root: Hash) -> None:
    """Check that `leaf` stands at `index` in the tree (RFC 9162 2.1.3.2); NotAuthentic `proof-wrong`."""
    if not 0 <= index < size <= MAX_SIZE:
        raise NotAuthentic("proof-wrong", f"a tree of {size} leaves has no leaf {index}")
    _check_hashes(leaf, root, *proof)
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        if sn == 0:
            raise NotAuthentic("proof-wrong", "the inclusion proof is too long")
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise NotAuthentic("proof-wrong", "the inclusion proof is too short")
    if r != root:
        raise NotAuthentic("proof-wrong", f"the inclusion proof of leaf {index} does not lead to the root")


def verify_consistency(size1: int, size2: int, proof: Sequence[Hash], root1: Hash, root2: Hash) -> None:
    """Check that tree 1 is a prefix of tree 2 (RFC 9162 2.1.4.2), 0 < size1 <= size2.

    Raises NotAuthentic `proof-wrong`, also for size1 = 0 (see the module's text).
    """
    if not 0 < size1 <= size2 <= MAX_SIZE:
        raise NotAuthentic("proof-wrong", f"no proof that a tree of {size2} leaves extends one of {size1}")
    _check_hashes(root1, root2, *proof)
    if size1 == size2:
        if proof or root1 != root2:
            raise NotAuthentic("proof-wrong", f"two different trees of {size1} leaves")
        return
    # The RFC's step 2: an old tree that is one complete subtree is not repeated in its own proof.
    path = [root1, *proof] if size1.bit_count() == 1 else list(proof)
    if not proof:
        raise NotAuthentic("proof-wrong", "the consistency proof is too short")
    fn, sn = size1 - 1, size2 - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            raise NotAuthentic("proof-wrong", "the consistency proof is too long")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise NotAuthentic("proof-wrong", "the consistency proof is too short")
    if fr != root1 or sr != root2:
        raise NotAuthentic("proof-wrong", f"the trees of {size1} and {size2} leaves are not consistent")


def _split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1


def _range_root(start: int, end: int, node: NodeReader) -> Hash:
    """The root over leaves start..end, where `start` is a multiple of every subtree in it."""
    subtrees: list[Hash] = []
    while start < end:
        level = (end - start).bit_length() - 1
        subtrees.append(node(level, start >> level))
        start += 1 << level
    root = subtrees.pop()
    while subtrees:
        root = node_hash(subtrees.pop(), root)
    return root


def _check_hashes(*hashes: Hash) -> None:
    if any(len(item) != HASH_SIZE for item in hashes):
        raise NotAuthentic("proof-wrong", f"a hash has {HASH_SIZE} bytes")
