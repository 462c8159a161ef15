# SPDX-License-Identifier: EUPL-1.2
"""A bundle's files in one piece, as the broker keeps them: zlib over canonical JSON.

    {"files":{"agreements/waadi-14b.yaml":"...","catalog/claims.yaml":"..."},"v":1}

The files are kept as written, comments included, so that a rule can be shown as it was read. Whether they are
the bundle of a digest is found by reading them (`sluis.policy.bundle.read_bundle`), never believed.
"""

import json
import zlib
from collections.abc import Mapping

from sluis.canonical import canonical_json
from sluis.errors import InvalidInput

MAX_ARCHIVE = 32 << 20


def pack(files: Mapping[str, bytes]) -> bytes:
    """Put files together. Raises InvalidInput `malformed-rule` for one that is not UTF-8 text."""
    try:
        texts = {name: data.decode("utf-8") for name, data in files.items()}
    except UnicodeDecodeError:
        raise InvalidInput("malformed-rule", "a rule file is not UTF-8 text") from None
    return zlib.compress(canonical_json({"v": 1, "files": texts}), 9)


def unpack(archive: bytes) -> dict[str, bytes]:
    """Take files apart. Raises InvalidInput `malformed-rule` for anything that `pack` did not write."""
    try:
        reader = zlib.decompressobj()
        data = reader.decompress(archive, MAX_ARCHIVE)
        if reader.unconsumed_tail or not reader.eof or reader.unused_data:
            raise InvalidInput("malformed-rule", "the archive is cut short or too large")
        members = json.loads(data)
        if members.keys() != {"v", "files"} or members["v"] != 1:
            raise InvalidInput("malformed-rule", "not an archive of rules of this version")
        return {name: text.encode("utf-8") for name, text in members["files"].items()}
    except (zlib.error, ValueError, AttributeError, RecursionError):
        raise InvalidInput("malformed-rule", "not an archive of rules") from None
