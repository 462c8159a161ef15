# SPDX-License-Identifier: EUPL-1.2
"""The canary: nothing that was planted is in any byte that broker, evaluators or witness stored, logged or received.

Besides the demo's own search, every establishment number of both files is looked for, in any encoding that
a run of digits can have. That the search finds something is shown by planting it in a copy.
"""

import asyncio
import csv
import re
import shutil
import sqlite3
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from adapters.certified_register import read_certified
from adapters.fines import read_fines
from demo.canary import search
from demo.day import Day, Figures
from demo.refusals import CANARIES
from demo.run import check
from sluis.rpc.tap import WireTap
from tests.postgres import fresh_database
from tests.scenarios.demo_process import DemoRun
from tests.scenarios.scene import FINES_HEADER, Scene, certified_csv, fine_rows, running_scene

AMOUNT = "48213,57"
SHAPES = (  # a run of 12 digits or more: as text, UTF-16, hexadecimal of text
    (re.compile(rb"\d{12,}"), lambda run: run),
    (re.compile(rb"(?:\d\x00){12,}"), lambda run: run[::2]),
    (re.compile(rb"(?:3\d){12,}"), lambda run: run[1::2]),
)


def services(root: Path) -> list[Path]:
    """The folders of those who may not know."""
    return [root / name for name in ("broker", "evaluator-a", "evaluator-b", "witness")]


def files_in(folders: Iterable[Path]) -> Iterator[tuple[Path, bytes]]:
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            yield path, path.read_bytes()


def numbers_found(numbers: set[str], folders: Iterable[Path]) -> list[str]:
    """Where any of these twelve-digit numbers stands."""
    wanted = {number.encode() for number in numbers}
    return [
        path.name
        for path, data in files_in(folders)
        for shape, digits in SHAPES
        for run in map(digits, shape.findall(data))
        if any(run[at : at + 12] in wanted for at in range(len(run) - 11))
    ]


def column(path: Path, name: str) -> set[str]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return {row[name] or "" for row in csv.DictReader(stream, delimiter=";")}


@pytest.fixture(scope="module")
def planted(demo_run: DemoRun) -> tuple[set[str], list[str]]:
    """Every establishment number that went into the demo, and some of its names and addresses."""
    certified, fines = (demo_run.folder / "input" / name for name in ("certified.csv", "fines.csv"))
    numbers = column(certified, "vestigingsnr") | column(fines, "vestigingsnr")
    names = sorted(column(certified, "naam"))[::60] + sorted(column(certified, "adres"))[::60]
    return {n for n in numbers if len(n) == 12 and n.isdecimal()}, [n for n in names if len(n) >= 12]


def test_nothing_planted_is_anywhere_after_the_demo(
    demo_run: DemoRun, planted: tuple[set[str], list[str]]
) -> None:
    numbers, names = planted
    assert len(numbers) > 2500
    assert len(names) > 50
    assert numbers_found(numbers, services(demo_run.folder)) == []
    assert search(names, services(demo_run.folder)).found == ()
    # The participants have them, so the search looked for what was really there.
    assert set(numbers_found(numbers, [demo_run.folder / "sna"])) == {"received.jsonl"}


def test_what_was_searched_is_what_was_said_to_them(demo_run: DemoRun) -> None:
    taps = {folder.name: folder / "wire.tap" for folder in services(demo_run.folder)[:3]}
    received = {name: path.read_bytes() for name, path in taps.items()}
    for method in (b"ExchangeService/PushStream", b"RegisterService/Load", b"ExchangeService/Match"):
        assert b"/sluis.v1." + method in received["broker"]
    assert received["broker"].count(b"sluis/v1/header") > 500
    for name in ("evaluator-a", "evaluator-b"):
        assert b"/sluis.v1.PseudonymService/Evaluate" in received[name]
        assert b'"event": "evaluated"' in (demo_run.folder / name / "log.jsonl").read_bytes()
    with closing(sqlite3.connect(demo_run.folder / "broker" / "broker.sqlite")) as database:
        for table in ("signal", "log_entry", "register_entry", "first_answer", "party"):
            assert database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] > 0


def test_a_planted_number_or_name_is_found_in_every_disguise(
    demo_run: DemoRun, planted: tuple[set[str], list[str]], tmp_path: Path
) -> None:
    numbers, names = planted
    number, name = min(numbers), max(names, key=len)
    broker = tmp_path / "broker"
    shutil.copytree(demo_run.folder / "broker", broker)
    with closing(sqlite3.connect(broker / "broker.sqlite")) as database, database:
        database.execute("UPDATE signal SET kind = ? WHERE rowid = 7", (f"over {number}",))
    assert numbers_found(numbers, [broker]) == ["broker.sqlite"]
    text = f'{{"event": "call.defect", "kind": "{name}"}}'.encode()
    for disguise in (
        text,
        b64encode(b"x" + text),
        b64encode(text),
        text.hex().encode(),
        name.encode("utf-16"),
    ):
        with (broker / "log.jsonl").open("ab") as log:
            log.write(disguise)
        assert {where.split(":")[0] for where in search([name], [broker]).found} == {"log.jsonl"}
        shutil.copy(demo_run.folder / "broker" / "log.jsonl", broker / "log.jsonl")
    tap = broker / "wire.tap"
    for disguise in (number.encode(), number.encode("utf-16-le"), number.encode().hex().encode()):
        shutil.copy(demo_run.folder / "broker" / "wire.tap", tap)
        with tap.open("ab") as stream:
            stream.write(disguise)
        assert sorted(numbers_found({number}, [broker])) == ["broker.sqlite", "wire.tap"]
    assert WireTap.__doc__


async def test_nothing_planted_is_in_any_table_of_postgresql(tmp_path: Path) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(fresh_database())
        scene = stack.enter_context(
            running_scene(tmp_path, database=url, tap=True, firms=40, broker={"retention_seconds": 0.5})
        )
        figures = await a_day(scene)
        scene.stage.stop()
        tables = dump(url, tmp_path / "tables")
    report = search([], [])
    # The rules were not changed, and this search was for nothing.
    assert check(figures, report) == ["the change of rules did not hold", "a planted value was found: "]
    assert tables["signal"] > 50
    assert tables["register_entry"] == 80 + 20  # the firms in two registers, and a body's watch list
    assert tables["log_entry"] > 200
    where = [*services(tmp_path), tmp_path / "tables"]
    firms = scene.firms
    assert numbers_found({firm.establishment.value for firm in firms}, where) == []
    planted = [AMOUNT, *CANARIES, *(firm.name for firm in firms), *(firm.address for firm in firms)]
    found = search(planted, where)
    assert (found.planted, found.found) == (81 + len(CANARIES), ())
    assert found.searched > 500_000


async def a_day(scene: Scene) -> Figures:
    """Play the demo's day on this scene, with an amount in a column that nobody asked for.

    Without new rules and epochs, which fill no table with anything of a firm; under the installed rules nobody is late.
    """
    rows = [row + f";{AMOUNT}" for row, _ in zip(fine_rows(40, scene.today), range(60), strict=False)]
    fines = "\n".join([FINES_HEADER + ";bedrag", *rows])
    figures = Figures(
        register=read_certified(certified_csv(40, scene.today).encode(), today=scene.today),
        fines=read_fines(fines.encode(), today=scene.today),
    )
    day = Day(scene.stage, figures, scene.today, lambda what, total: lambda done: None)
    for part in day.parts:
        if part not in (day.rotate, day.change_rules, day.end_epoch, day.look_who_is_late):
            await asyncio.wait_for(part(), 60)
    return figures


def dump(url: str, folder: Path) -> Mapping[str, int]:
    """Write every value of every table to a file, as bytes; returns the number of rows."""
    folder.mkdir()
    rows = {}
    target = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(target) as connection:
        names = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
        for (name,) in names:
            found = connection.execute(f'SELECT * FROM "{name}"').fetchall()
            rows[name] = len(found)
            cells = [cell if isinstance(cell, bytes) else str(cell).encode() for row in found for cell in row]
            (folder / name).write_bytes(b"\n".join(cells))
    return rows
