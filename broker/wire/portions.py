# SPDX-License-Identifier: EUPL-1.2
"""Portions of a list that fit into one message.

What lies in a mailbox or in the log was sized by its senders. Counting items alone would let a few large ones make
a message that gRPC refuses to send: the mailbox, or the log, would then be unreadable from there on.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from google.protobuf.message import Message

from sluis.rpc.server import MAX_MESSAGE

M = TypeVar("M", bound=Message)


def portions(items: Iterable[M], limit: int = MAX_MESSAGE) -> Iterator[list[M]]:
    """Split a list, in order, so that each portion has at most `limit` bytes or one item; one portion at least."""
    portion: list[M] = []
    size = 0
    for item in items:
        length = item.ByteSize()
        if portion and size + length > limit:
            yield portion
            portion, size = [], 0
        portion.append(item)
        size += length
    yield portion
