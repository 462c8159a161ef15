# SPDX-License-Identifier: EUPL-1.2
"""A client base in one domain: pseudonyms in ascending order, so that their order says nothing of the clients.

Sixteen bytes for each subject, and a reference to the subject itself.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sluis.deposit_digest import leading_words
from sluis.encoding import lp, u64
from sluis.header import PSEUDONYM_SIZE
from sluis.identifiers import Identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """So many pseudonyms of one epoch, to be asked about at once; `places` are those of their subjects."""

    epoch: str
    pseudonyms: bytes
    places: Sequence[int]
    digest_index: int = 0

    def __len__(self) -> int:
        return len(self.places)

    def content(self) -> bytes:
        """What distinguishes the frame from others of the same question."""
        return lp(self.epoch, u64(self.digest_index), self.pseudonyms)

    def pseudonym(self, position: int) -> bytes:
        """The pseudonym at a position of the frame."""
        return self.pseudonyms[PSEUDONYM_SIZE * position : PSEUDONYM_SIZE * (position + 1)]


class ClientBase:
    """The participant's own subjects in one epoch, each once."""

    def __init__(self, epoch: str, subjects: Sequence[Identifier], pseudonyms: bytes) -> None:
        """Take subjects with their pseudonyms, one after another, in the same order."""
        self.epoch = epoch
        self._subjects = subjects
        ends = range(PSEUDONYM_SIZE, len(pseudonyms) + 1, PSEUDONYM_SIZE)
        single = [pseudonyms[end - PSEUDONYM_SIZE : end] for end in ends]
        self._places = array("I", sorted(range(len(single)), key=single.__getitem__))
        self._pseudonyms = b"".join([single[place] for place in self._places])

    def __len__(self) -> int:
        return len(self._places)

    def subject(self, place: int) -> Identifier:
        """The subject at a place."""
        return self._subjects[place]

    def words(self) -> "array[int]":
        """The first 64 bits of each pseudonym, ascending."""
        return leading_words(self._pseudonyms)

    def frames(self, size: int) -> Iterator[Frame]:
        """All of them, in frames."""
        for start in range(0, len(self._places), size):
            yield Frame(
                epoch=self.epoch,
                pseudonyms=self._pseudonyms[PSEUDONYM_SIZE * start : PSEUDONYM_SIZE * (start + size)],
                places=self._places[start : start + size],
            )

    def chosen(self, positions: Sequence[int], size: int, digest_index: int) -> Iterator[Frame]:
        """Those at some positions in the ascending order, in frames, as found in a digest."""
        for start in range(0, len(positions), size):
            some = positions[start : start + size]
            yield Frame(
                epoch=self.epoch,
                pseudonyms=b"".join(
                    [self._pseudonyms[PSEUDONYM_SIZE * at : PSEUDONYM_SIZE * (at + 1)] for at in some]
                ),
                places=array("I", [self._places[at] for at in some]),
                digest_index=digest_index,
            )
