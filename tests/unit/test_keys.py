# SPDX-License-Identifier: EUPL-1.2
"""The key folder: made once, read strictly, never overwritten."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sealed_samples import SENDER_OIN

from sluis.certificates import Authority, certificate_oin, certificate_pem, verify_chain
from sluis.errors import Conflict, InvalidInput, NotFound
from sluis.keys import KeyFolder, read_secret, write_secret

NOW = datetime(2026, 7, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def folder(tmp_path: Path) -> KeyFolder:
    """A folder with all keys, its certificate issued."""
    made = KeyFolder.create(tmp_path / "keys", name="Party", oin=SENDER_OIN)
    authority = Authority.create("Test CA", valid_from=NOW - DAY, valid_until=NOW + DAY)
    request = (made.path / "tls.csr").read_bytes()
    leaf = authority.answer(request, valid_from=NOW - DAY, valid_until=NOW + DAY)
    (made.path / "tls.crt").write_bytes(certificate_pem(leaf))
    (made.path / "ca.crt").write_bytes(certificate_pem(authority.certificate))
    return made


def test_new_keys_load_and_fit_together(folder: KeyFolder) -> None:
    keys = folder.load()
    assert keys.signing.public == folder.signing().public
    assert keys.sealing.public == folder.sealing().public
    assert len(keys.cache) == 32
    assert folder.tls_private_key().public_key() == folder.tls_chain()[0].public_key()
    assert certificate_oin(folder.tls_chain()[0]) == SENDER_OIN
    verify_chain(folder.tls_chain(), folder.roots(), NOW)


def test_two_folders_share_no_key(tmp_path: Path) -> None:
    one, two = (KeyFolder.create(tmp_path / name, name="P", oin=SENDER_OIN) for name in "ab")
    for file in ("signing.key", "sealing.key", "cache.key", "tls.key"):
        assert (one.path / file).read_bytes() != (two.path / file).read_bytes()


def test_secret_files_are_for_their_owner_only(folder: KeyFolder) -> None:
    assert folder.path.stat().st_mode & 0o777 == 0o700
    for file in ("signing.key", "sealing.key", "cache.key", "tls.key"):
        assert (folder.path / file).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("file", ["signing.key", "sealing.key", "cache.key", "tls.key", "tls.csr", "tls.crt"])
def test_a_file_that_is_there_stops_creation_before_anything_is_written(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_text("precious")
    with pytest.raises(Conflict, match="key-exists"):
        KeyFolder.create(tmp_path, name="Party", oin=SENDER_OIN)
    assert [path.name for path in tmp_path.iterdir()] == [file]
    assert (tmp_path / file).read_text() == "precious"


def test_a_secret_is_never_overwritten(tmp_path: Path) -> None:
    write_secret(tmp_path / "x.key", bytes(range(32)))
    with pytest.raises(Conflict, match="key-exists"):
        write_secret(tmp_path / "x.key", bytes(32))
    assert read_secret(tmp_path / "x.key", 32) == bytes(range(32))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
@pytest.mark.parametrize("file", ["signing.key", "sealing.key", "cache.key", "tls.key"])
def test_a_secret_that_others_can_reach_is_refused_with_the_remedy(
    folder: KeyFolder, file: str, mode: int
) -> None:
    (folder.path / file).chmod(mode)
    with pytest.raises(Conflict, match=r"key-weak.*chmod 600") as caught:
        folder.load()
    assert caught.value.code == "key-weak"


@pytest.mark.parametrize("file", ["signing.key", "sealing.key", "cache.key", "tls.key", "tls.crt", "ca.crt"])
def test_a_missing_file_is_named_with_the_remedy(folder: KeyFolder, file: str) -> None:
    (folder.path / file).unlink()
    with pytest.raises(NotFound, match=f"key-missing.*{file}") as caught:
        folder.load()
    assert ("sluis keys new" in caught.value.message) or file == "ca.crt"


@pytest.mark.parametrize("content", ["", "00", "zz" * 32, "00" * 32, "AB" * 32, "0b " * 32, "é", "01" * 33])
def test_a_secret_of_another_form_is_refused_without_showing_it(folder: KeyFolder, content: str) -> None:
    path = folder.path / "signing.key"
    path.write_text(content)
    with pytest.raises(Conflict, match="key-weak") as caught:
        folder.signing()
    assert not content or content not in caught.value.message


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_wrong_tls_key_or_certificate_is_refused(folder: KeyFolder, content: bytes) -> None:
    (folder.path / "tls.key").write_bytes(content)
    with pytest.raises(Conflict, match="key-weak"):
        folder.tls_private_key()
    (folder.path / "tls.crt").write_bytes(content)
    with pytest.raises(InvalidInput, match="malformed-config"):
        folder.tls_chain()


def test_secrets_do_not_show_in_representations(folder: KeyFolder) -> None:
    text = repr(folder.load())
    for file in ("signing.key", "sealing.key", "cache.key"):
        assert (folder.path / file).read_text().strip() not in text
    assert "PRIVATE" not in text
