# SPDX-License-Identifier: EUPL-1.2
"""libsodium through ctypes: the functions that `ristretto255` and `signing` call.

The library is SLUIS_LIBSODIUM if set, else the system's, else the copy in the pyzmq wheel. Calls let go of the
interpreter meanwhile. Lengths of buffers are the caller's to check: C does not know them.
"""

import ctypes
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from sluis.errors import Defect

_Call = Callable[..., int]
_STATUS: Final = ctypes.c_int
_POINTER: Final = ctypes.c_void_p
# name here -> name in libsodium, result, number of pointers
_FUNCTIONS: Final = {
    "multiply": ("crypto_scalarmult_ristretto255", _STATUS, 3),
    "multiply_base": ("crypto_scalarmult_ristretto255_base", _STATUS, 2),
    "add": ("crypto_core_ristretto255_add", _STATUS, 3),
    "is_valid_point": ("crypto_core_ristretto255_is_valid_point", _STATUS, 1),
    "from_hash": ("crypto_core_ristretto255_from_hash", _STATUS, 2),
    "scalar_random": ("crypto_core_ristretto255_scalar_random", None, 1),
    "scalar_reduce": ("crypto_core_ristretto255_scalar_reduce", None, 2),
    "scalar_invert": ("crypto_core_ristretto255_scalar_invert", _STATUS, 2),
    "scalar_multiply": ("crypto_core_ristretto255_scalar_mul", None, 3),
    "scalar_subtract": ("crypto_core_ristretto255_scalar_sub", None, 3),
}


class Libsodium:
    """The functions used, each with its argument and result types set."""

    __slots__ = (*_FUNCTIONS, "memzero", "path", "verify")

    path: str
    multiply: _Call
    multiply_base: _Call
    add: _Call
    is_valid_point: _Call
    from_hash: _Call
    scalar_random: _Call
    scalar_reduce: _Call
    scalar_invert: _Call
    scalar_multiply: _Call
    scalar_subtract: _Call
    memzero: _Call
    verify: _Call  # signature, message, its length, public key: 0 when it holds

    def __init__(self, path: str) -> None:
        """Open the library; OSError or AttributeError when it cannot serve."""
        library = ctypes.CDLL(path)
        for ours, (theirs, result, pointers) in _FUNCTIONS.items():
            function = library[theirs]
            # Without argument types a pointer would pass as a C int and lose its upper half.
            function.argtypes = [_POINTER] * pointers
            function.restype = result
            setattr(self, ours, function)
        memzero = library["sodium_memzero"]
        memzero.argtypes = [_POINTER, ctypes.c_size_t]
        memzero.restype = None
        self.memzero = memzero
        verify = library["crypto_sign_verify_detached"]
        verify.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulonglong, ctypes.c_char_p]
        verify.restype = _STATUS
        self.verify = verify
        initialise = library["sodium_init"]
        initialise.argtypes = []
        initialise.restype = ctypes.c_int
        if initialise() < 0:
            raise OSError("libsodium found no source of randomness")
        self.path = path


def _candidates(environ: Mapping[str, str]) -> Iterator[str]:
    chosen = environ.get("SLUIS_LIBSODIUM")
    if chosen:
        yield chosen  # an explicit choice is never replaced by another library
        return
    if sys.platform == "win32":
        yield "libsodium.dll"
    elif sys.platform == "darwin":
        yield from ("libsodium.dylib", "/opt/homebrew/lib/libsodium.dylib", "/usr/local/lib/libsodium.dylib")
    else:
        yield from ("libsodium.so.26", "libsodium.so.23", "libsodium.so")
    spec = importlib.util.find_spec("zmq")  # finds the package without importing it
    if spec is not None and spec.origin is not None:
        package = Path(spec.origin).parent
        for folder in (package.parent / "pyzmq.libs", package / ".dylibs"):
            yield from (str(path) for path in sorted(folder.glob("*sodium*")))


def load_libsodium(environ: Mapping[str, str] | None = None) -> Libsodium:
    """Open libsodium; Defect `malformed-config` when there is none with ristretto255."""
    for path in _candidates(os.environ if environ is None else environ):
        try:
            return Libsodium(path)
        except (OSError, AttributeError):
            continue
    raise Defect(
        "malformed-config",
        "no libsodium with ristretto255 was found: install your system's libsodium (Debian: "
        "`apt install libsodium23`), or `pip install pyzmq`, or set SLUIS_LIBSODIUM to its path",
    )


@cache
def libsodium() -> Libsodium:
    """Return the library of this process, opened at first use."""
    return load_libsodium()
