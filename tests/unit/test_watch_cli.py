# SPDX-License-Identifier: EUPL-1.2
"""`sluis watch` without a file: in which epochs a list is not, so that nobody waits in vain."""

from datetime import date

from sluis.cli.watch import unwatched
from sluis.client.registrar import WatchList


def left(epoch: str) -> WatchList:
    return WatchList(
        agreement="waadi-14b", name="watch", epoch=epoch, entries=3, valid_until=date(2026, 9, 1)
    )


def test_an_epoch_that_began_after_a_list_was_left_is_named() -> None:
    assert unwatched([left("2026")], ["2026", "2026-2", "2027"]) == ["2026-2", "2027"]
    assert unwatched([left("2026"), left("2027")], ["2026", "2027"]) == []


def test_who_left_no_list_lacks_none() -> None:
    assert unwatched([], ["2026", "2027"]) == []
