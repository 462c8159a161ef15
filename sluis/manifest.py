# SPDX-License-Identifier: EUPL-1.2
"""The bytes that bind the fields of a signal to its header and to the sender's signature.

    bind       = lp("sluis/v1/field", H(header), u32(i), u32(n), name, category)
    key        = HMAC-SHA256(content key, bind)
    plaintext  = salt(32) || u32(len(value)) || value || zeros
    commitment = H(lp("sluis/v1/commitment", salt, name, category, value))
    leaf       = H(lp("sluis/v1/field-leaf", u32(i), name, category, commitment, H(ciphertext)))
    root       = H(lp("sluis/v1/root", H(header), u32(n), leaf_0 || ... || leaf_n-1))

H is SHA-256. The salt lives inside the ciphertext only: were it known to whoever holds the content key, a
withheld citizen service number could be found from its commitment in minutes.
"""

import hashlib
import hmac
from collections.abc import Sequence

from sluis.encoding import lp, u32
from sluis.errors import NotAuthentic

SALT_SIZE = 32
MIN_BUCKET = 32


def sha256(data: bytes) -> bytes:
    """Hash; 32 bytes."""
    return hashlib.sha256(data).digest()


def field_bind(header: bytes, index: int, count: int, name: str, category: str) -> bytes:
    """Name the place of a field: the input of its key, and the AAD of its ciphertext."""
    return lp("sluis/v1/field", sha256(header), u32(index), u32(count), name, category)


def field_key(content_key: bytes, bind: bytes) -> bytes:
    """Derive the AES-256 key of one field; it encrypts once, under the zero nonce."""
    return hmac.digest(content_key, bind, "sha256")


def commitment(salt: bytes, name: str, category: str, value: bytes) -> bytes:
    """Commit to a value; 32 bytes."""
    return sha256(lp("sluis/v1/commitment", salt, name, category, value))


def field_leaf(index: int, name: str, category: str, commitment: bytes, ciphertext: bytes) -> bytes:
    """Hash what is known of a field; all that is left of one that the broker withheld."""
    return sha256(
        lp("sluis/v1/field-leaf", u32(index), name, category, commitment, sha256(ciphertext)),
    )


def manifest_root(header: bytes, leaves: Sequence[bytes]) -> bytes:
    """Hash the header and all leaves, in order."""
    return sha256(lp("sluis/v1/root", sha256(header), u32(len(leaves)), b"".join(leaves)))


def wrap_info(header: bytes, root: bytes) -> bytes:
    """Return the HPKE `info` under which the content key is sealed."""
    return lp("sluis/v1/wrap", sha256(header), root)


def signed_bytes(header: bytes, root: bytes, wrapped_key: bytes) -> bytes:
    """Return what the sender signs."""
    return lp("sluis/v1/signal", header, root, sha256(wrapped_key))


def pad(salt: bytes, value: bytes) -> bytes:
    """Write the plaintext of a field; its length tells only a power of two."""
    body = len(value).to_bytes(4, "big") + value
    return salt + body.ljust(bucket(len(value)), b"\0")


def bucket(size: int) -> int:
    """Return the padded length of 4 + `size` bytes: the power of two that holds them, at least 32."""
    return max(MIN_BUCKET, 1 << (4 + size - 1).bit_length())


def unpad(plaintext: bytes) -> tuple[bytes, bytes]:
    """Split a plaintext into salt and value. Raises NotAuthentic unless `pad` would have written it."""
    size = int.from_bytes(plaintext[SALT_SIZE : SALT_SIZE + 4], "big")
    salt, value = plaintext[:SALT_SIZE], plaintext[SALT_SIZE + 4 : SALT_SIZE + 4 + size]
    if len(value) != size or pad(salt, value) != plaintext:
        raise NotAuthentic("ciphertext-wrong", "a field is not padded as it must be")
    return salt, value
