# SPDX-License-Identifier: EUPL-1.2
"""The pseudonym cache: what it gives back, what its file shows, and what damage does."""

import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from sluis.errors import Conflict, InvalidInput, NotAuthentic, Unavailable
from sluis.identifiers import Identifier, IdentifierType, Oin
from sluis.pseudonym_cache import PseudonymCache
from sluis.pseudonyms import Pseudonym, PseudonymisationDomain

KEY = b"\x0a" * 32
SNA = Oin("00000003123456780000")
DOMAIN = PseudonymisationDomain(agreement="waadi-14b", recipient=SNA, epoch="2026")


def firm(number: int) -> Identifier:
    return Identifier(type=IdentifierType.VESTIGING, value=f"{number:012}")


def pseudonym(number: int) -> Pseudonym:
    return Pseudonym(number.to_bytes(16, "big"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pseudonyms.sqlite"


@pytest.fixture
def cache(path: Path) -> Iterator[PseudonymCache]:
    with PseudonymCache(path, KEY) as opened:
        yield opened


def damage(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        assert database.execute(statement, values).rowcount > 0


def test_what_was_put_is_got_in_order_and_the_rest_is_none(cache: PseudonymCache) -> None:
    cache.put_many(DOMAIN, {firm(1): pseudonym(1), firm(2): pseudonym(2)})
    assert cache.get_many(DOMAIN, [firm(2), firm(3), firm(1), firm(2)]) == [
        pseudonym(2),
        None,
        pseudonym(1),
        pseudonym(2),
    ]
    assert cache.get_many(DOMAIN, []) == []


def test_it_outlives_the_process(path: Path) -> None:
    with PseudonymCache(path, KEY) as first:
        first.put_many(DOMAIN, {firm(1): pseudonym(1)})
    with PseudonymCache(path, KEY) as second:
        assert second.get_many(DOMAIN, [firm(1)]) == [pseudonym(1)]


def test_a_large_client_base_fits(cache: PseudonymCache) -> None:
    many = {firm(number): pseudonym(number) for number in range(2_501)}
    cache.put_many(DOMAIN, many)
    assert cache.get_many(DOMAIN, list(many)) == list(many.values())


def test_another_domain_finds_nothing(cache: PseudonymCache) -> None:
    cache.put_many(DOMAIN, {firm(1): pseudonym(1)})
    for other in (
        replace(DOMAIN, epoch="2027"),
        replace(DOMAIN, agreement="other"),
        replace(DOMAIN, recipient=Oin("00000003876543210000")),
    ):
        assert cache.get_many(other, [firm(1)]) == [None]


def test_another_type_with_the_same_digits_finds_nothing(cache: PseudonymCache) -> None:
    bsn = Identifier(type=IdentifierType.BSN, value="999990019")
    cache.put_many(DOMAIN, {bsn: pseudonym(1)})
    assert cache.get_many(DOMAIN, [Identifier(type=IdentifierType.RSIN, value="999990019")]) == [None]


def test_an_epoch_is_forgotten_and_the_others_stay(cache: PseudonymCache) -> None:
    later = replace(DOMAIN, epoch="2027")
    cache.put_many(DOMAIN, {firm(1): pseudonym(1), firm(2): pseudonym(2)})
    cache.put_many(later, {firm(1): pseudonym(3)})
    assert cache.forget_epoch("2026") == 2
    assert cache.get_many(DOMAIN, [firm(1), firm(2)]) == [None, None]
    assert cache.get_many(later, [firm(1)]) == [pseudonym(3)]
    assert cache.forget_epoch("2026") == 0


def test_forgetting_does_not_touch_the_row_that_checks_the_key(path: Path) -> None:
    with PseudonymCache(path, KEY) as cache:
        cache.put_many(DOMAIN, {firm(1): pseudonym(1)})
        cache.forget_epoch("2026")
        with pytest.raises(InvalidInput):
            cache.forget_epoch("")
    with pytest.raises(NotAuthentic):
        PseudonymCache(path, b"\x0b" * 32)


def test_the_file_shows_neither_identifier_nor_pseudonym_nor_party(path: Path) -> None:
    secret = Pseudonym(b"\xc0\xff\xee" * 5 + b"\x01")
    with PseudonymCache(path, KEY) as cache:
        cache.put_many(DOMAIN, {firm(987_654_321): secret})
        everything = b"".join(file.read_bytes() for file in path.parent.iterdir())
        for hidden in (b"987654321", secret, SNA.encode(), b"waadi", KEY):
            assert hidden not in everything


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_only_the_owner_may_read_the_files(path: Path, cache: PseudonymCache) -> None:
    cache.put_many(DOMAIN, {firm(1): pseudonym(1)})
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert len(modes) >= 2  # the file and its write-ahead log
    assert set(modes.values()) == {0o600}


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_a_file_that_others_may_read_is_refused_with_the_fix(path: Path) -> None:
    PseudonymCache(path, KEY).close()
    path.chmod(0o640)
    with pytest.raises(Conflict) as caught:
        PseudonymCache(path, KEY)
    assert caught.value.code == "key-weak"
    assert "chmod 600" in caught.value.message


def test_another_key_does_not_open_it(path: Path, cache: PseudonymCache) -> None:
    cache.put_many(DOMAIN, {firm(1): pseudonym(1)})
    with pytest.raises(NotAuthentic) as caught:
        PseudonymCache(path, b"\x0b" * 32)
    assert caught.value.code == "ciphertext-wrong"


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_of_another_size_is_refused(path: Path, size: int) -> None:
    with pytest.raises(InvalidInput):
        PseudonymCache(path, bytes(size))


@pytest.mark.parametrize("sealed", [b"", b"short", bytes(44), "text", 7])
def test_a_row_that_was_overwritten_is_not_believed(
    path: Path, cache: PseudonymCache, sealed: object
) -> None:
    cache.put_many(DOMAIN, {firm(1): pseudonym(1)})
    damage(path, "UPDATE pseudonyms SET sealed = ? WHERE epoch = '2026'", sealed)
    with pytest.raises(NotAuthentic) as caught:
        cache.get_many(DOMAIN, [firm(1)])
    assert caught.value.code == "ciphertext-wrong"


def test_a_row_moved_to_another_firm_is_not_believed(path: Path, cache: PseudonymCache) -> None:
    cache.put_many(DOMAIN, {firm(1): pseudonym(1)})
    with closing(sqlite3.connect(path)) as database:
        (sealed,) = database.execute("SELECT sealed FROM pseudonyms WHERE epoch = '2026'").fetchone()
    cache.put_many(DOMAIN, {firm(2): pseudonym(2)})
    damage(path, "UPDATE pseudonyms SET sealed = ? WHERE epoch = '2026'", sealed)
    with pytest.raises(NotAuthentic):
        cache.get_many(DOMAIN, [firm(1), firm(2)])


def test_a_cache_without_its_check_row_is_not_believed(path: Path) -> None:
    with PseudonymCache(path, KEY) as cache:
        cache.put_many(DOMAIN, {firm(1): pseudonym(1)})
    damage(path, "DELETE FROM pseudonyms WHERE epoch = ''")
    with pytest.raises(NotAuthentic):
        PseudonymCache(path, KEY)


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"naam;adres;postcode\n" * 500)
    path.chmod(0o600)
    with pytest.raises(Unavailable) as caught:
        PseudonymCache(path, KEY)
    assert caught.value.code == "storage-unavailable"


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        PseudonymCache(tmp_path / "absent" / "pseudonyms.sqlite", KEY)


@pytest.mark.skipif(os.name != "posix", reason="symbolic links")
def test_a_symbolic_link_is_not_followed(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere"))
    with pytest.raises(Unavailable):
        PseudonymCache(path, KEY)
    assert not path.with_name("elsewhere").exists()


def test_a_pseudonym_of_another_length_is_refused_and_nothing_is_stored(cache: PseudonymCache) -> None:
    with pytest.raises(InvalidInput):
        cache.put_many(DOMAIN, {firm(1): pseudonym(1), firm(2): Pseudonym(b"short")})
    assert cache.get_many(DOMAIN, [firm(1)]) == [None]


def test_threads_take_turns(cache: PseudonymCache) -> None:
    def work(number: int) -> list[Pseudonym | None]:
        cache.put_many(DOMAIN, {firm(number): pseudonym(number)})
        return cache.get_many(DOMAIN, [firm(number)])

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(40))) == [[pseudonym(number)] for number in range(40)]


# lists

FIRMS = [firm(number) for number in range(1, 6)]
LISTED = b"".join(pseudonym(number) for number in range(1, 6))


def test_a_list_is_got_as_it_was_put_and_no_other(cache: PseudonymCache) -> None:
    cache.put_list(DOMAIN, FIRMS, LISTED)
    assert cache.get_list(DOMAIN, FIRMS) == LISTED
    assert cache.get_list(DOMAIN, FIRMS[:4]) is None
    assert cache.get_list(DOMAIN, [*FIRMS, firm(9)]) is None
    assert cache.get_list(DOMAIN, list(reversed(FIRMS))) is None
    assert cache.get_list(replace(DOMAIN, agreement="wav-16"), FIRMS) is None
    assert cache.get_list(replace(DOMAIN, epoch="2027"), FIRMS) is None
    assert cache.get_many(DOMAIN, FIRMS) == [None] * 5  # it is beside the single ones


def test_a_list_goes_with_its_epoch(cache: PseudonymCache) -> None:
    cache.put_list(DOMAIN, FIRMS, LISTED)
    cache.forget_epoch("2027")
    assert cache.get_list(DOMAIN, FIRMS) == LISTED
    cache.forget_epoch("2026")
    assert cache.get_list(DOMAIN, FIRMS) is None


def test_lists_of_long_ago_go_when_another_is_put(cache: PseudonymCache, path: Path) -> None:
    cache.put_list(DOMAIN, FIRMS, LISTED)
    damage(path, "UPDATE lists SET kept_at = kept_at - 41 * 86400")
    assert cache.get_list(DOMAIN, FIRMS) == LISTED
    cache.put_list(DOMAIN, FIRMS[:2], LISTED[:32])
    assert cache.get_list(DOMAIN, FIRMS) is None
    assert cache.get_list(DOMAIN, FIRMS[:2]) == LISTED[:32]


def test_a_list_that_was_changed_or_is_of_another_length_is_refused(
    cache: PseudonymCache, path: Path
) -> None:
    cache.put_list(DOMAIN, FIRMS, LISTED[:-16])
    with pytest.raises(NotAuthentic):
        cache.get_list(DOMAIN, FIRMS)
    cache.put_list(DOMAIN, FIRMS, LISTED)
    damage(path, "UPDATE lists SET sealed = zeroblob(length(sealed))")
    with pytest.raises(NotAuthentic):
        cache.get_list(DOMAIN, FIRMS)


def test_the_file_shows_neither_identifiers_nor_pseudonyms_of_a_list(path: Path) -> None:
    with PseudonymCache(path, KEY) as cache:
        cache.put_list(DOMAIN, FIRMS, LISTED)
    data = path.read_bytes()
    assert LISTED[:16] not in data
    assert FIRMS[0].value.encode() not in data
