# SPDX-License-Identifier: EUPL-1.2
"""What is noted for the year's numbers, and a database whose index was followed before it was."""

from datetime import date, datetime, timedelta
from pathlib import Path

from alembic import command
from alembic.config import Config

import broker.storage
from broker.storage.engines import connect, parse_url
from broker.storage.open import open_store
from broker.storage.projected import EVERY, Days, Filter, Sight
from tests.contract.conftest import Database
from tests.contract.exchange_rows import ALL, BANK, NLA, START, YEAR, entry
from tests.contract.test_exchange_index import fill, follow

FIND = {"operation": "subject.find", "reader": NLA, "asked": 2, "found": 1}


def at(moment: datetime) -> str:
    """The time of an entry."""
    return str(entry(moment)["time"])


def test_rows_of_an_operation_come_whole_and_in_order(database: Database) -> None:
    store = database.open()
    times = [START + timedelta(days=days) for days in (0, 1, 2, 120)]
    push = entry(
        times[1], exchange="signal-1", obligations={"notice": "must-inform", "delay_grounds": "41(1)(d)"}
    )
    shorten = {
        "operation": "retention.shorten",
        "previous": 1,
        "exchange": "signal-1",
        "outcome": "shortened",
    }
    fill(
        store,
        [
            FIND | {"time": at(times[0]), "v": 1},
            push,
            shorten | {"sender": NLA, "recipient": BANK, "time": at(times[2]), "v": 1},
            FIND | {"time": at(times[2]), "v": 1, "found": 0, "reader": BANK},
            FIND | {"time": at(times[3]), "v": 1},
        ],
    )
    follow(store)
    index = store.exchange_index
    found = index.noted(ALL, ["subject.find", "retention.shorten"], YEAR)
    assert [(row.log_index, row.shape.outcome) for row in found] == [
        (0, "found"),
        (2, "shortened"),
        (3, "nothing"),
    ]
    assert [row.log_index for row in index.noted(Sight(BANK), ["subject.find"], YEAR)] == [3]
    assert index.noted(ALL, ["subject.find"], Days(date(2027, 1, 1), date(2027, 12, 31)))[0].log_index == 4
    assert index.noted(ALL, ["card.revoke"], YEAR) == index.noted(ALL, [], YEAR) == []
    assert index.facets(ALL, EVERY, None).total == 1  # the push alone
    assert index.facets(ALL, Filter({"notice": ["must-inform-delayable"]}), None).total == 1
    assert [index.at(ALL, row.log_index) is not None for row in found] == [False, True, False]


def test_an_index_from_before_is_filled_anew(database: Database) -> None:
    store = database.open()
    fill(store, [FIND | {"time": at(START), "v": 1}, entry(START, exchange="signal-1")])
    follow(store)
    store.close()
    engines = connect(parse_url(database.url), 5_000)
    config = Config()
    config.set_main_option("script_location", str(Path(broker.storage.__file__).parent / "migrations"))
    with engines.writer.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0015")
    engines.close()
    again = open_store(database.url, now_ms=database.clock)
    database.opened.append(again)
    index = again.exchange_index
    assert (index.position(), index.facets(ALL, EVERY, None).total) == (0, 0)
    follow(again)
    assert (index.position(), index.facets(ALL, EVERY, None).total) == (2, 1)
    assert len(index.noted(ALL, ["subject.find"], YEAR)) == 1
