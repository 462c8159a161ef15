# SPDX-License-Identifier: EUPL-1.2
"""An officer's day in a real browser, from signing in to signing out.

Nothing is replaced by a double: the pages come from a broker that runs, and the proofs are recomputed by the
browser. Files that she downloads are checked by the command line, offline.
"""

import csv
import io
import re
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.rule_change import write_edited
from sluis.policy.bundle import default_directory, read_files
from sluis.stored_zip import pack_zip
from tests.browser.everyone import check
from tests.browser.office import EXCHANGES, Office, come_back_until, run_sluis

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request

REASON = "periodieke controle door de functionaris"
REFUSED = "Geweigerd: de boete is langer geleden opgelegd dan de grondslag toestaat."


def _open_refused(office: Office, page: "Page") -> str:
    """Find the refused exchange by its facet, open it, and give its place in the log."""
    page.goto(f"{office.url}/uitwisselingen")
    page.locator("#keuzes").get_by_role("link", name="geweigerd", exact=True).click()
    page.locator(".total", has_text="1 uitwisseling").wait_for()
    page.locator(".found tbody a").click()
    page.wait_for_url("**/uitwisseling/*")
    found = re.fullmatch(r".*/uitwisseling/(\d+)", page.url)
    assert found, page.url
    return found[1]


def _verdict(page: "Page") -> tuple[str, str]:
    """What the browser says of the proof once it has worked it out: the state, and the sentence."""
    verdict = page.locator('[data-verdict]:not([data-state="open"])')
    verdict.wait_for()
    return verdict.get_attribute("data-state") or "", verdict.inner_text()


def _steps(page: "Page") -> list[str | None]:
    return [step.get_attribute("data-state") for step in page.locator("[data-step]").all()]


def test_sign_in_once_see_an_intact_record_and_sign_out(office: Office, browser: "Browser") -> None:
    page = office.sign_in(browser, "fg-1")
    said = page.locator("[data-record] [data-said]")
    said.wait_for()
    assert (said.get_attribute("data-said"), said.get_attribute("class")) == ("first", "verdict ok")
    assert "geldig getekend" in said.inner_text()
    assert "witness.example/demo" in said.inner_text()
    page.goto(f"{office.url}/uitwisselingen")  # it is logged, so the record grows
    for _ in range(50):  # until the next checkpoint is signed
        page.goto(f"{office.url}/")
        said.wait_for()
        if said.get_attribute("data-said") != "same":
            break
        page.wait_for_timeout(100)
    assert said.get_attribute("data-said") == "grown"
    assert "Het logboek is ongeschonden" in said.inner_text()

    page.get_by_role("button", name="Afmelden").click()
    page.wait_for_url("**/aanmelden")
    page.goto(f"{office.url}/uitwisselingen")
    assert page.url.endswith("/aanmelden")
    page.context.close()


def test_a_link_signs_in_only_once(office: Office, browser: "Browser") -> None:
    link = office.link("fg-9")
    signed_in = []
    for _ in range(2):
        with closing(browser.new_context()) as context:
            page = context.new_page()
            page.goto(link)
            with page.expect_navigation():
                page.get_by_role("button").click()
            signed_in.append(page.get_by_text("Aangemeld: fg-9").count())
    assert signed_in == [1, 0]


def test_find_an_exchange_read_why_and_recompute_its_proof(office: Office, page: "Page") -> None:
    _open_refused(office, page)
    assert page.locator(".said p").first.inner_text() == REFUSED
    assert "WML 18p(7)" in page.locator(".decision").inner_text()
    state, sentence = _verdict(page)
    assert (state, _steps(page)) == ("right", ["right"] * 6)
    assert "staan ongewijzigd in het logboek" in sentence


@pytest.mark.parametrize(
    ("part", "digits", "step", "why"),
    [
        ("[data-json]", r'(?<="time":"20\d\d-)\d\d', "root", "maar het ijkpunt noemt"),
        ("[data-path] code", r"^[0-9a-f]{2}", "root", "maar het ijkpunt noemt"),
        ("[data-checkpoint]", r"(?<=\n)\d+(?=\n)", "log", "het is vervalst of veranderd"),
    ],
    ids=["entry", "path", "checkpoint"],
)
def test_a_page_that_was_tampered_with_is_noticed(
    office: Office, page: "Page", part: str, digits: str, step: str, why: str
) -> None:
    _open_refused(office, page)
    assert _verdict(page)[0] == "right"
    # Digits become others, so that everything still has its form.
    page.locator(part).first.evaluate(
        """(shown, digits) => {
          const change = (old) => old.replace(/./g, (one) => (one === "9" ? "8" : "9"));
          shown.textContent = shown.textContent.replace(new RegExp(digits), change);
        }""",
        digits,
    )
    page.get_by_role("button", name="Reken opnieuw na").click()
    page.locator('[data-verdict][data-state="wrong"]').wait_for()
    assert "Vertrouw deze pagina niet" in _verdict(page)[1]
    assert why in page.locator(f'[data-step="{step}"][data-state="wrong"]').inner_text()


def test_an_entry_that_is_of_no_exchange_is_looked_up_and_recomputed_too(
    office: Office, page: "Page"
) -> None:
    page.goto(f"{office.url}/tijdvakken")
    with page.expect_navigation():
        page.locator('a[href^="/logboek/regel/"]').last.click()
    assert "De beheerder kondigde tijdvak" in page.locator(".lead").inner_text()
    index = page.url.rpartition("/")[2]
    page.goto(f"{office.url}/logboek")
    page.get_by_label("Nummer van de regel").fill(index)
    with page.expect_navigation():
        page.get_by_role("button", name="Toon deze regel").click()
    assert page.url == f"{office.url}/logboek/regel/{index}"
    state, sentence = _verdict(page)
    assert (state, _steps(page)) == ("right", ["right"] * 6)
    assert "Deze regel staat ongewijzigd in het logboek" in sentence


@contextmanager
def _changed_entry(office: Office, index: str) -> Iterator[None]:
    """Change what the database says an entry says, as somebody with access to the disk can; put it back after."""
    path = office.scene.stage.broker.folder / "broker.sqlite"
    with closing(sqlite3.connect(path, timeout=10)) as rows:
        query = "SELECT entry FROM log_entry WHERE log_index = ?"
        (entry,) = rows.execute(query, (index,)).fetchone()
        text = entry.decode() if isinstance(entry, bytes) else entry
        assert "LOOKBACK" in text
        changed = text.replace("LOOKBACK", "NO_MATCH")
        write = "UPDATE log_entry SET entry = ? WHERE log_index = ?"
        rows.execute(write, (changed.encode() if isinstance(entry, bytes) else changed, index))
        rows.commit()
        try:
            yield
        finally:
            rows.execute(write, (entry, index))
            rows.commit()


def test_a_record_that_was_tampered_with_in_the_database_is_noticed(office: Office, page: "Page") -> None:
    index = _open_refused(office, page)
    with _changed_entry(office, index):
        page.reload()
        state, sentence = _verdict(page)
        steps = _steps(page)
    assert (state, steps.count("wrong")) == ("wrong", 1)
    assert "De regel, zijn plaats of de weg is veranderd." in sentence
    page.reload()
    assert _verdict(page)[0] == "right"


def test_the_evidence_bundle_is_verified_offline(office: Office, page: "Page", tmp_path: Path) -> None:
    _open_refused(office, page)
    form = page.locator(".take form")
    form.get_by_label("Reden").fill(REASON)
    with page.expect_download() as waiting:
        form.get_by_role("button").click()
    bundle = tmp_path / "bundle.zip"
    waiting.value.save_as(bundle)
    stage = office.scene.stage
    keys = [f"--log-vkey={key}" for key in stage.log_vkeys]
    keys += [f"--witness-vkey={key}" for key in stage.witness_vkeys]
    done = run_sluis("audit", "verify", str(bundle), *keys)
    assert done.returncode == 0, done.stderr

    with zipfile.ZipFile(bundle) as files:
        content = {name: files.read(name) for name in files.namelist()}
    bundle.write_bytes(
        pack_zip({name: data.replace(b"LOOKBACK", b"NO_MATCH") for name, data in content.items()})
    )
    assert run_sluis("audit", "verify", str(bundle), *keys).returncode == 4


def test_one_checkpoint_continues_another(office: Office, page: "Page") -> None:
    page.goto(f"{office.url}/logboek")
    page.get_by_role("button", name="Ga na").click()
    said = page.locator("[data-pair] [data-said]")
    said.wait_for()
    assert said.get_attribute("data-said") == "grown"
    assert "Nagerekend in uw browser" in said.inner_text()
    box = page.locator("[data-pair]")
    assert int(box.get_attribute("data-first").split("\n")[1]) > 0  # type: ignore[union-attr]


def test_a_list_is_exported_for_a_reason(office: Office, page: "Page") -> None:
    page.goto(f"{office.url}/uitwisselingen")
    page.get_by_role("link", name="CSV", exact=True).click()
    page.get_by_label("Reden").fill(REASON)
    with page.expect_download() as waiting:
        page.locator("main form button").click()
    rows = list(csv.DictReader(io.StringIO(Path(waiting.value.path()).read_text("utf-8-sig"))))
    assert len(rows) == EXCHANGES
    page.goto(f"{office.url}/inzage")
    come_back_until(page, "tbody tr", REASON)


def test_a_finding_is_closed_by_two_officers(office: Office, browser: "Browser", page: "Page") -> None:
    page.goto(f"{office.url}/beoordelen")
    page.get_by_role("button", name="Trek uit wat nieuw is").click()
    page.locator(".scroll tbody a").first.click()
    page.wait_for_url("**/beoordelen/f*")
    finding = page.url
    page.get_by_role("button", name="Toewijzen").click()
    page.locator('form[action$="/oordeel"]').wait_for()
    check(page)
    page.locator('input[name="conclusion"][value="not-in-order"]').check()
    page.locator("#field-reason").fill(REASON)
    page.locator('form[action$="/oordeel"] button').click()
    page.get_by_text("Uw oordeel wacht op een tweede functionaris.").wait_for()

    second = office.sign_in(browser, "jurist-1")
    second.goto(finding)
    with second.expect_navigation():
        second.locator('form[action$="/tweede"] button').first.click()
    facts = second.locator("main section").first.inner_text()
    assert "afgesloten" in facts
    assert "fg-1" in facts
    assert "jurist-1" in facts
    second.context.close()


def _everything_sent(page: "Page") -> list[str]:
    """All that the browser sends from now on, as it goes: address, headers and body."""
    sent: list[str] = []

    def note(request: "Request") -> None:
        body = (request.post_data_buffer or b"").decode("latin-1")
        sent.append(f"{request.method} {request.url} {request.headers} {body}")

    page.context.on("request", note)
    return sent


def _kept_by_the_server(office: Office) -> list[tuple[str, bytes]]:
    """Everything that the broker and the evaluators wrote: their logs and the database with its journal."""
    stage = office.scene.stage
    folders = [service.folder for service in (stage.broker, *stage.evaluators)]
    return [
        (file.name, file.read_bytes()) for folder in folders for file in folder.rglob("*") if file.is_file()
    ]


def test_a_data_subject_is_answered_without_telling_who_it_is(
    office: Office, page: "Page", tmp_path: Path
) -> None:
    sent = _everything_sent(page)
    page.goto(f"{office.url}/betrokkene")
    command = page.locator("pre.command").inner_text().split()
    assert command[:4] == ["sluis", "audit", "subject", "-"]
    number = office.scene.firms[0].establishment.value
    config = str(office.scene.stage.write_config(office.scene.stage.cast.inspectorate))
    answer = tmp_path / "answer.json"
    words = ["--type", "vestiging", "--config", config, "--out", str(answer)]
    done = run_sluis(*command[1:4], *words, typed=f"{number}\n")
    assert done.returncode == 0, done.stderr

    page.get_by_label("Kies answer.json").set_input_files(answer)
    shown = page.locator("#answer section")
    shown.first.wait_for()
    assert shown.count() == 1  # each firm was fined once
    assert page.locator("#answer-status").inner_text() == "Aantal uitwisselingen: 1."
    assert "Stichting Normering Arbeid" in shown.inner_text()
    assert "verstrekt" in shown.inner_text()
    check(page)
    shown.locator('a[href^="/uitwisseling/"]').first.click()
    state, _ = _verdict(page)
    assert state == "right"
    page.get_by_role("link", name="Wie moet een correctie weten").click()
    assert page.locator(".scroll tbody tr").count() == 1

    letters = [file.read_text("utf-8") for file in sorted(tmp_path.iterdir())]
    assert len(letters) == 3  # the answer as data, the draft of the letter, and a note for the officer
    assert "Stichting Normering Arbeid" in letters[2]
    assert [text for text in (*letters, *sent) if number in text] == []
    assert any("/betrokkene/ontvangers/" in text for text in sent)
    kept = _kept_by_the_server(office)
    assert {"log.jsonl", "broker.sqlite"} <= {name for name, _ in kept}
    assert [name for name, data in kept if number.encode() in data] == []


def _sign(office: Office, page: "Page", officer: str) -> None:
    """Sign in the browser with her key file, and send the statement."""
    page.locator("#sign-key").set_input_files(office.keys[officer])
    page.locator("#sign-reason").fill(REASON)
    page.locator("#sign-button").click()
    page.locator("#sign-status:not(:empty)").wait_for()
    assert page.locator("#field-statement").input_value() != ""
    with page.expect_navigation():
        page.locator('form[action$="/verklaring"] button').click()


def test_rules_are_proposed_and_approved_by_signing_in_the_browser(
    office: Office, browser: "Browser", page: "Page", tmp_path: Path
) -> None:
    write_edited(tmp_path / "rules", read_files(default_directory()))
    proposal = tmp_path / "rules.zip"
    proposal.write_bytes(pack_zip(read_files(tmp_path / "rules")))
    page.goto(f"{office.url}/voorstellen")
    page.locator("#field-rules").set_input_files(proposal)
    page.get_by_role("button", name="Uploaden en nazien").click()
    page.locator("#sign").wait_for()
    check(page)
    sent: list[bytes] = []
    page.on("request", lambda request: sent.append(request.post_data_buffer or b""))
    _sign(office, page, "fg-1")
    assert (
        page.get_by_role("button", name="Laat deze regels van kracht worden").count() == 0
    )  # nobody changes the rules alone
    assert not any(office.keys["fg-1"].read_bytes().strip() in body for body in sent)

    second = office.sign_in(browser, "jurist-1")
    second.goto(page.url)
    _sign(office, second, "jurist-1")
    second.context.close()

    page.reload()
    activate = page.locator('form[action$="/activeren"]')
    activate.get_by_label("Reden").fill(REASON)
    with page.expect_navigation():
        activate.get_by_role("button").click()
    page.goto(f"{office.url}/versies")
    newest = page.locator("tbody tr").first.inner_text()
    assert "nu" in newest
    assert "fg-1" in newest
    assert "jurist-1" in newest
