# SPDX-License-Identifier: EUPL-1.2
"""Zip files of one spelling: names in order, stored without compression, the date 1980-01-01, mode 0644.

The same files always give the same bytes, and only those bytes are read back. So nothing unfolds to more than it
is, nothing lies outside the folder, and no byte of the file is without meaning.
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Collection, Mapping

from sluis.errors import InvalidInput

MAX_BYTES = 64 << 20
MAX_FILES = 4_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,2}")
_DATE = (1 << 5) | 1  # 1980-01-01
_MODE = 0o100644 << 16


def pack_zip(files: Mapping[str, bytes]) -> bytes:
    """Write files as a zip. Raises InvalidInput for what `unpack_zip` would refuse."""
    _check(files.keys(), sum(map(len, files.values())))
    body, directory = bytearray(), bytearray()
    for name, data in sorted(files.items()):
        raw = name.encode("ascii")
        # flags, method (0: stored), time, date, CRC-32, size twice, length of the name, no extra field
        common = struct.pack(
            "<HHHHIIIHH", 0, 0, 0, _DATE, zlib.crc32(data), len(data), len(data), len(raw), 0
        )
        directory += b"PK\x01\x02" + struct.pack("<HH", (3 << 8) | 20, 20) + common
        directory += struct.pack("<HHHII", 0, 0, 0, _MODE, len(body)) + raw
        body += b"PK\x03\x04" + struct.pack("<H", 20) + common + raw + data
    count = len(files)
    end = struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(body), 0)
    return bytes(body + directory + b"PK\x05\x06" + end)


def unpack_zip(data: bytes) -> dict[str, bytes]:
    """Read a zip that `pack_zip` wrote. Raises InvalidInput `malformed-encoding` or `message-too-large`."""
    if len(data) > MAX_BYTES:
        raise InvalidInput("message-too-large", f"a bundle has at most {MAX_BYTES >> 20} MiB")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            items = archive.infolist()
            _check([item.filename for item in items], sum(item.file_size for item in items))
            if any(item.compress_type != zipfile.ZIP_STORED or item.flag_bits for item in items):
                raise InvalidInput("malformed-encoding", "the files of a bundle are stored, not compressed")
            if any(item.file_size != item.compress_size for item in items):
                raise InvalidInput("malformed-encoding", "a file of the bundle has two sizes")
            files = {item.filename: archive.read(item) for item in items}
    except (zipfile.BadZipFile, zlib.error, ValueError, OSError, EOFError, NotImplementedError, struct.error):
        raise InvalidInput("malformed-encoding", "not a zip file, or a damaged one") from None
    if pack_zip(files) != data:
        raise InvalidInput("malformed-encoding", "the zip file is not in the one form that a bundle has")
    return files


def _check(names: Collection[str], size: int) -> None:
    if len(names) > MAX_FILES or size > MAX_BYTES:
        raise InvalidInput("message-too-large", "the bundle holds too many files or bytes")
    if len(set(names)) != len(names):
        raise InvalidInput("malformed-encoding", "a file stands in the bundle twice")
    if any(not _NAME.fullmatch(name) for name in names):
        raise InvalidInput("malformed-encoding", "a file of the bundle has a name that no bundle has")
