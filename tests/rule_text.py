# SPDX-License-Identifier: EUPL-1.2
"""Rule files made or changed in a test: each ends with the line `...`, without which it is refused."""

END = b"...\n"


def finished(text: str) -> bytes:
    """The file that holds this text."""
    return text.rstrip("\n").encode() + b"\n" + END


def unfinished(data: bytes) -> bytes:
    """What a file holds before its last line."""
    assert data.endswith(b"\n" + END), "a whole file is due"
    return data.removesuffix(END)


def extended(data: bytes, text: str) -> bytes:
    """The file with this text before its last line."""
    return unfinished(data) + text.encode() + END
