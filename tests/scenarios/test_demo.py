# SPDX-License-Identifier: EUPL-1.2
"""`sluis demo`: its report is what an independent count of the input files says, whatever files it is given."""

import json
import os
import socket
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.independent_count import count
from tests.scenarios.demo_process import DemoRun, services_of, started_demo
from tests.scenarios.scene import CERTIFIED_HEADER, FINES_HEADER, certified_csv, establishment, today_here
from tests.warm import run

TAKEN_BACK = ("rectified", "recalled")
BODIES = ("Keurmerk Oost", "Keurmerk West", "Keurmerk & Zn. B.V.")


def assert_counted(run: DemoRun, certified: Path, fines: Path, today: date) -> None:
    """The report holds what the two files alone say, and every check of the demo held."""
    assert run.code == 0, run.said
    expected = count(certified, fines, today)
    assert {name: run.report[name] for name in expected} == expected
    log = run.report["log"]
    assert log["verified"] is True
    assert log["cosignatures"] == 1
    assert len(log["root"]) == 64
    answered = expected["push"]["permitted"] + sum(expected["push"]["denied"].values())
    # Pushes, passings on, acknowledgements and releases all left their entry.
    assert log["size"] > answered + 2 * expected["delivered"] + expected["match"]["hits"]
    assert run.report["canary"]["planted"] > 0
    assert run.report["canary"]["found"] == 0
    assert "every check held" in run.said


def test_the_report_of_generated_files_equals_an_independent_count(demo_run: DemoRun) -> None:
    inputs = demo_run.folder / "input"
    assert_counted(demo_run, inputs / "certified.csv", inputs / "fines.csv", today_here())
    push, register = demo_run.report["push"], demo_run.report["register"]
    assert push["permitted"] > 100
    assert set(push["denied"]) == {"PROVISION_NOT_LISTED", "NO_CERTIFICATE", "LOOKBACK"}
    assert demo_run.report["match"]["hits"] > 50
    assert register["rows"] >= 3000
    assert {row["code"] for row in push["rejected"] + register["rejected"]} == {
        *("column-missing", "identifier-format", "date-format", "date-order", "date-future"),
        *("number-format", "unknown-value", "hidden-identifier", "row-shape"),
    }


def test_what_follows_an_exchange_is_played_and_told(demo_run: DemoRun) -> None:
    life = demo_run.report["afterlife"]
    private = life["private_match"]
    assert private["hit"]
    assert 0 < private["claimed"] < private["asked"] / 4
    assert life["watch"]["fired"]
    assert life["answer"] == "NOT_OPEN"
    assert life["feedback_due"] == {"before": 1, "after": 0}
    back = [{name: life[act][name] for name in ("holders", "receipts", "open")} for act in TAKEN_BACK]
    assert back == [
        {"holders": 2, "receipts": ["MARKED", "MARKED"], "open": 0},
        {"holders": 2, "receipts": ["DESTROYED"], "open": 1},
    ]
    assert life["recalled"]["overdue"] == 1
    assert life["ended"] == {"outcome": "destroyed", "counted_from": "expiry", "copy": "DESTROYED"}
    assert ", and is overdue" in demo_run.said
    lines = [
        json.loads(line) for line in (demo_run.folder / "sna" / "received.jsonl").read_text().splitlines()
    ]
    assert Counter(line["destroyed"]["act"] for line in lines if "destroyed" in line) == {
        "recall": 1,
        "destroy": 1,
    }


def test_the_keys_change_twice_and_an_epoch_ends(demo_run: DemoRun) -> None:
    told = demo_run.report["epochs"]
    first, second, third = told["begun"]
    assert told["sealed_anew"] == {"from": second, "in": third}
    assert told["asked_in"] == told["found_in"] == [first, third]
    assert (told["retired"], told["destroyed_by"]) == (second, 2)
    assert told["seeds"] == [[first, third]] * 2
    with closing(sqlite3.connect(demo_run.folder / "broker" / "broker.sqlite")) as database:
        rows = database.execute("SELECT entry FROM log_entry ORDER BY log_index").fetchall()
    entries = [json.loads(entry) for (entry,) in rows]
    acts = ("epoch.announce", "epoch.compromise", "key.retire", "key.destroy")
    assert [(e["operation"], e["epoch"]) for e in entries if e["operation"] in acts] == [
        ("epoch.announce", first),
        ("epoch.announce", second),
        ("epoch.compromise", second),
        ("epoch.announce", third),
        ("key.retire", second),
        ("key.destroy", second),
        ("key.destroy", second),
    ]
    for one in ("evaluator-a", "evaluator-b"):
        assert second not in (demo_run.folder / one / "seeds.json").read_text("ascii")


def test_every_kind_of_outcome_is_told_once(demo_run: DemoRun) -> None:
    for words in ("permitted: log index", "denied: NO_CERTIFICATE", "denied: LOOKBACK", "row-shape", "hits"):
        assert demo_run.said.count(words) == 1 or words in ("row-shape", "hits"), words
    assert "listens on 127.0.0.1:" in demo_run.said
    assert "fake:" in demo_run.said
    assert str(demo_run.folder) in demo_run.said


def shuffled(text: str, order: list[int]) -> str:
    """The same table with its columns in another order; what is too much stays too much."""
    rows = [line.split(";") for line in text.splitlines()]
    moved = [[row[place] for place in order] + row[len(order) :] if len(row) > 1 else row for row in rows]
    return "\n".join(map(";".join, moved)) + "\n"


def user_files(folder: Path, today: date) -> tuple[Path, Path]:
    """Files as people make them: BOM and CRLF, columns shuffled, one too many, and wrong rows among the good."""
    firms = certified_csv(45, today, BODIES).splitlines()
    lapsed = today - timedelta(days=1)
    until = str(today + timedelta(days=400))
    firms += [
        firms[3],  # twice
        firms[4].replace(until, str(lapsed)),  # an older certificate of a firm that has a newer one
        firms[5].replace(BODIES[1], BODIES[0]),  # a second certifier
        firms[6]
        .replace(establishment(5), establishment(800))
        .replace(until, str(lapsed)),  # lapsed yesterday
        firms[7]
        .replace(establishment(6), establishment(801))
        .replace(until, str(today)),  # today is its last day
        firms[8].replace("3011 AB", "0011 AB"),
        firms[9].replace("Proefkade 8", "t.a.v. 9999.00.006"),
        firms[10].replace(establishment(9), "99900000009"),
        firms[11].replace(until, "31-12-2027"),
        firms[12] + ";te veel",
        "",
    ]
    certified = shuffled("\n".join(firms), [8, 0, 5, 1, 3, 2, 4, 7, 6])
    decided, old = today - timedelta(days=30), today.replace(year=today.year - 2, day=1) - timedelta(days=1)

    def fine(number: int, provision: str = "WML;7", found: date = decided, at: date = decided) -> str:
        return f"{establishment(number)};{provision};2;{found};{at};€ 12.345,67"

    fines = [
        FINES_HEADER + ";bedrag",
        *(fine(n) for n in range(0, 45, 2)),
        *(fine(n) for n in range(0, 10, 2)),  # repeated
        fine(1, "WML;8"),
        fine(3, found=old, at=old),
        fine(777),
        fine(800),
        fine(801),
        fine(5, at=decided - timedelta(days=1)),
        fine(7, at=today + timedelta(days=1)),
        fine(9, "Arbowet;3"),
        fine(11, "WML;zeven"),
        fine(13).replace(";2;", ";nul;"),
        fine(15).replace(establishment(15), "123456782"),
        fine(17) + ";en nog iets",
    ]
    paths = folder / "certified.csv", folder / "fines.csv"
    paths[0].write_bytes(b"\xef\xbb\xbf" + certified.replace("\n", "\r\n").encode())
    paths[1].write_text(shuffled("\n".join(fines), [5, 6, 0, 2, 1, 4, 3]), encoding="utf-8")
    return paths


@contextmanager
def busy_port() -> Iterator[None]:
    """Somebody has the broker's port."""
    with ExitStack() as stack:
        listener = stack.enter_context(closing(socket.socket()))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", 7300))
            listener.listen()
        except OSError:
            pass  # somebody has it indeed
        yield


@pytest.fixture(scope="module")
def trickle(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoRun, tuple[Path, Path]]:
    """A day with a user's files, then the trickle until Ctrl-C, on a busy port and beside an earlier run."""
    folder = tmp_path_factory.mktemp("trickle")
    (folder / "run-1").mkdir()
    files, report = user_files(folder, today_here()), folder / "report.json"
    options = (
        "--dir",
        str(folder),
        "--report",
        str(report),
        "--certified",
        str(files[0]),
        "--fines",
        str(files[1]),
    )
    with busy_port(), started_demo(*options) as process:
        assert process.stderr
        said = ""
        while "NLA pushed a fine" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        assert len(services_of(process)) in (0, 4)
        process.send_signal(2)
        said += process.communicate(timeout=30)[1]
    found = json.loads(report.read_text("utf-8"))
    return DemoRun(code=process.returncode, said=said, report=found, folder=folder / "run-2"), files


def test_user_files_in_any_shape_are_counted_likewise(trickle: tuple[DemoRun, tuple[Path, Path]]) -> None:
    run, (certified, fines) = trickle
    assert_counted(run, certified, fines, today_here())
    assert run.report["register"]["duplicates"] == 1
    assert len(run.report["register"]["rejected"]) == 5
    assert run.report["push"]["duplicates"] == 5
    assert len(run.report["push"]["rejected"]) == 7
    assert set(run.report["push"]["denied"]) == {"PROVISION_NOT_LISTED", "NO_CERTIFICATE", "LOOKBACK"}


def test_a_trickle_goes_on_until_ctrl_c_and_a_second_run_moves_on_from_a_busy_port(
    trickle: tuple[DemoRun, tuple[Path, Path]],
) -> None:
    run, _ = trickle
    assert run.code == 0, run.said
    assert "port 7300 is busy, using 73" in run.said
    assert (run.folder / "sna" / "sluis.toml").exists()


LACKING = CERTIFIED_HEADER.replace("kvk;", "")


@pytest.mark.parametrize(
    ("option", "content", "words", "code"),
    [
        ("--certified", b"", "the file is empty", "file-empty"),
        ("--certified", LACKING.encode(), "`kvk`", "column-missing"),
        ("--certified", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "not UTF-8", "file-encoding"),
        ("--fines", b"Geachte heer, mevrouw,\n\nbijgaand\n", "not a header with semicolons", "file-not-csv"),
        ("--fines", None, "cannot be read", "file-not-found"),
    ],
)
def test_a_file_that_cannot_be_read_as_such_is_refused_whole_with_the_reason(
    tmp_path: Path, option: str, content: bytes | None, words: str, code: str
) -> None:
    path = tmp_path / "file.csv"
    if content is not None:
        path.write_bytes(content)
    done = run(["demo", "--once", option, str(path)], os.environ)
    assert done.returncode == 1, done.stderr
    assert words in done.stderr, done.stderr
    assert f"[{code}]" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
