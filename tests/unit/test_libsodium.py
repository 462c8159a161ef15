# SPDX-License-Identifier: EUPL-1.2
"""Where libsodium is found, and that its copies do the same."""

import importlib.util
import secrets
from pathlib import Path

import pytest

from sluis import libsodium, signing
from sluis import ristretto255 as group
from sluis.errors import Defect, InvalidInput, NotAuthentic
from sluis.signing import SigningKey

# RFC 9496 appendix A.1
DOUBLE = bytes.fromhex("6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919")


def test_an_explicit_library_that_cannot_serve_is_not_replaced_by_another(tmp_path: Path) -> None:
    fake = tmp_path / "libsodium.so"
    fake.write_bytes(secrets.token_bytes(64))
    for path in (fake, tmp_path / "absent.so"):
        with pytest.raises(Defect) as caught:
            libsodium.load_libsodium({"SLUIS_LIBSODIUM": str(path)})
        assert caught.value.code == "malformed-config"
        assert "pip install pyzmq" in caught.value.message


def test_a_library_without_ristretto255_is_refused() -> None:
    other = importlib.util.find_spec("_ctypes")
    assert other is not None
    if other.origin is None:
        pytest.skip("this Python has _ctypes built in")
    with pytest.raises(Defect):
        libsodium.load_libsodium({"SLUIS_LIBSODIUM": other.origin})


def test_the_copy_in_the_pyzmq_wheel_gives_the_same_group(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.find_spec("zmq")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    bundled = [*(package.parent / "pyzmq.libs").glob("*sodium*"), *(package / ".dylibs").glob("*sodium*")]
    if not bundled:
        pytest.skip("this pyzmq was built without its own libsodium")
    sodium = libsodium.load_libsodium({"SLUIS_LIBSODIUM": str(bundled[0])})
    assert sodium.path == str(bundled[0])
    monkeypatch.setattr(group, "libsodium", lambda: sodium)
    two = group.SecretScalars.from_bytes((2).to_bytes(32, "little"))
    assert group.multiply_base(two) == DOUBLE
    with pytest.raises(InvalidInput):
        group.multiply_all(two, group.IDENTITY)
    monkeypatch.setattr(signing, "libsodium", lambda: sodium)
    key = SigningKey.generate()
    key.public.verify(b"m", key.sign(b"m"))
    with pytest.raises(NotAuthentic):
        key.public.verify(b"n", key.sign(b"m"))


def test_without_a_system_library_the_wheels_copy_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = libsodium.Libsodium

    def only_bundled(path: str) -> libsodium.Libsodium:
        if "/" not in path and "\\" not in path:
            raise OSError("no system library")
        return real(path)

    monkeypatch.setattr(libsodium, "Libsodium", only_bundled)
    found = libsodium.load_libsodium({})
    assert "sodium" in Path(found.path).name
    assert "/" in found.path or "\\" in found.path


def test_with_no_library_at_all_the_error_names_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(path: str) -> libsodium.Libsodium:
        raise OSError(path)

    monkeypatch.setattr(libsodium, "Libsodium", none)
    with pytest.raises(Defect) as caught:
        libsodium.load_libsodium({})
    assert "SLUIS_LIBSODIUM" in caught.value.message
