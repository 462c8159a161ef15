# SPDX-License-Identifier: EUPL-1.2
"""Canonical JSON (RFC 8785) for what Sluis signs and logs.

Only the part of JSON that we use: objects with ASCII keys, arrays, strings, whole numbers up to 2^53 - 1,
true, false and null. There RFC 8785 is sorted keys, no spaces and the shortest escapes, which the standard
library writes; a test compares it with the `rfc8785` package. It does *not* write floating-point numbers.
"""

import json
from typing import cast

from sluis.errors import Defect, InvalidInput

_LIMIT = 1 << 53
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical_json(value: object) -> bytes:
    """Return the canonical bytes. Raises Defect for a value outside the supported part of JSON."""
    _check(value)
    try:
        return _ENCODER.encode(value).encode()
    except UnicodeEncodeError:
        raise Defect("defect", "a lone surrogate cannot be written as UTF-8") from None


def parse_canonical(data: bytes) -> dict[str, object]:
    """Parse an object that must be in canonical form. Raises InvalidInput `malformed-encoding`."""
    try:
        value = json.loads(data)
        if isinstance(value, dict) and canonical_json(value) == data:
            return cast(dict[str, object], value)
    except (ValueError, RecursionError, Defect):
        pass
    raise InvalidInput("malformed-encoding", "not an object in canonical JSON (RFC 8785)")


def _check(value: object) -> None:
    # Most values are text; a call for each would take two fifths more.
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise Defect("defect", "a key of canonical JSON must be ASCII text")
            if not isinstance(item, str):
                _check(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            if not isinstance(item, str):
                _check(item)
    elif value is None or isinstance(value, (str, bool)):
        return
    elif isinstance(value, int):
        if not -_LIMIT < value < _LIMIT:
            raise Defect("defect", "a number is too large for canonical JSON")
    else:
        raise Defect("defect", f"canonical JSON does not hold a {type(value).__name__}")
