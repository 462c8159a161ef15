# SPDX-License-Identifier: EUPL-1.2
"""The twins of a list: RFC 4180, moments in UTC, and no cell that a spreadsheet computes."""

import csv
import io

import pytest

from broker.console.listing import Column, Kind, Listing, defused
from tests.world import World


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", " =1", "＝1", "\u00a0-1", "|calc"]
)
def test_a_cell_that_a_spreadsheet_would_compute_is_defused(text: str) -> None:
    listing = Listing(columns=(Column(key="name", heading="x"),), rows=({"name": text},))
    [[header], [cell]] = list(csv.reader(io.StringIO(listing.csv().decode(), newline="")))
    assert (header, cell) == ("name", "'" + text)


def test_numbers_and_plain_texts_stay_as_they_are() -> None:
    assert [defused(cell) for cell in (-5, "a=b", "", None)] == [-5, "a=b", "", ""]
    listing = Listing(columns=(Column(key="n", heading="x"),), rows=({"n": 'say "a", b\nc'},))
    assert listing.csv() == b'n\r\n"say ""a"", b\nc"\r\n'


def test_a_moment_in_a_list_is_written_in_utc(world: World) -> None:
    column = Column(key="at", heading="x", kind=Kind.MOMENT)
    listing = Listing(columns=(column,), rows=({"at": world.clock.now},))
    assert listing.csv().decode().splitlines()[1] == "2026-06-22T10:00:00Z"
