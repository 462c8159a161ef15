# SPDX-License-Identifier: EUPL-1.2
"""The page of one exchange: its life, the decision in words, its proof and its evidence, and who may see them."""

import html
import re

import pytest

from broker.audit.projection import Projection
from broker.console.pages import LogKeys
from broker.console.people import Role
from broker.console.texts import Language
from broker.policy.active import install
from sluis.checkpoint import Checkpoint
from sluis.checkpoint_signers import cosign, sign_checkpoint
from sluis.evidence import verify_evidence
from sluis.note import Note
from sluis.policy.bundle import default_directory, read_files
from sluis.tlog_policy import TlogPolicy
from tests.console_world import Browser, browse, logged
from tests.unit.log_samples import LOG_KEYS, TIME, W1, vkeys
from tests.unit.test_console_verify import failed, lines, run
from tests.world import FIRM, ORIGIN, VALUES, World

KEYS = LogKeys(log=vkeys(LOG_KEYS), witnesses=vkeys(W1))
POLICY = TlogPolicy.of(KEYS.log, KEYS.witnesses, 1)


def follow(world: World, *, witnessed: bool = True) -> None:
    """Let the index follow the log, and sign the head."""
    projection = Projection(world.store)
    while projection.advance():
        pass
    tree = world.store.head().tree
    head = Checkpoint(origin=ORIGIN, size=tree.size, root=tree.root())
    note = Note.parse(sign_checkpoint(head, LOG_KEYS, TIME))
    if witnessed:
        note = note.with_signatures(cosign(head, W1, TIME + 1))
    world.store.add_checkpoint(tree.size, note.format(), world.clock.ms())


@pytest.fixture
async def exchange(world: World) -> int:
    """A fine that was pushed; gives the index of its entry."""
    install(world.store, read_files(default_directory()), world.clock())
    await world.certify(FIRM)
    await world.push(world.envelope(FIRM))
    follow(world)
    return world.size - 1


async def page_of(world: World, path: str, lang: str = "nl") -> str:
    async with browse(world, keys=KEYS) as browser:
        answer = await browser.get(f"{path}?lang={lang}")
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_the_decision_stands_there_in_words(world: World, exchange: int) -> None:
    dutch = html.unescape(await page_of(world, f"/uitwisseling/{exchange}"))
    for words in (
        "er is een bestuurlijke boete opgelegd",
        "in het postvak van de ontvanger gelegd",
        "Geheel vrijgegeven",
        "Boete melden aan de stichting",
        "https://wetten.overheid.nl/jci1.3:c:BWBR0009616&artikel=14b",
        "vestigingsnummer",
        "Ten hoogste 5 jaar bewaren",
        "de onderneming heeft op dit moment een geldig certificaat",
        "register van geldige certificaten, door de dienst zelf opgezocht",
        "van kracht sinds",
    ):
        assert words in dutch, words
    english = html.unescape(await page_of(world, f"/uitwisseling/{exchange}", "en"))
    for words in ("Permitted under", "establishment number", "Keep for at most 5 years", "was offered"):
        assert words in english, words


async def test_a_denial_says_why_and_what_was_withheld(world: World) -> None:
    await world.push(world.envelope(FIRM))  # without a certificate
    follow(world)
    text = html.unescape(await page_of(world, f"/uitwisseling/{world.size - 1}"))
    assert "Geweigerd: " in text
    assert "Achtergehouden: " in text
    assert "niet bekend" in text or "klopt niet" in text


async def test_the_life_of_a_signal_stands_on_one_page(world: World) -> None:
    await world.certify(FIRM, recipient=world.cast.body)
    await world.push(world.deposit(FIRM))
    await world.ask(FIRM)
    follow(world)
    rows = [index for index, name in enumerate(world.operations()) if name.startswith("signal.")]
    async with browse(world, actor=world.cast.sna, keys=KEYS) as browser:
        for index in rows:
            text = (await browser.get(f"/uitwisseling/{index}")).text
            assert [int(found) for found in re.findall(r'data-index="([0-9]+)"', text)] == rows


async def test_a_signals_id_leads_to_its_first_entry(world: World, exchange: int) -> None:
    signal = world.entries(exchange)[0]["exchange"]
    async with browse(world) as browser:
        answer = await browser.get(f"/uitwisseling/{signal}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/uitwisseling/{exchange}")


async def test_no_value_stands_on_the_page(world: World, exchange: int) -> None:
    texts = [await page_of(world, f"/uitwisseling/{exchange}", lang) for lang in Language]
    for secret in (VALUES["establishment_number"], VALUES["count"], FIRM.hex(), VALUES["decided_on"]):
        assert not any(secret in text for text in texts)


# who may see it


async def test_only_its_parties_and_the_authority_see_it(world: World, exchange: int) -> None:
    cast = world.cast
    for role, actor, status in (
        (Role.OFFICER, cast.nla, 200),
        (Role.OFFICER, cast.sna, 200),
        (Role.AUTHORITY, cast.officer, 200),
        (Role.OFFICER, cast.body, 404),
        (Role.OFFICER, cast.officer, 404),
        (Role.OPERATOR, cast.nla, 403),
    ):
        signal = world.entries(exchange)[0]["exchange"]
        async with browse(world, role, actor, keys=KEYS) as browser:
            assert (await browser.get(f"/uitwisseling/{exchange}")).status_code == status, (role, actor.oin)
            by_signal = await browser.get(f"/uitwisseling/{signal}")
            assert by_signal.status_code == (303 if status == 200 else status)
            bundle = await browser.post(f"/uitwisseling/{exchange}/bewijs", {"reason": "voor de proef"})
            assert bundle.status_code == status
            follow(world)


@pytest.mark.parametrize(
    "key", ["-1", "01", "99999999", "1e3", "..%2f..%2fetc%2fpasswd", "<script>", "9" * 40, "x' OR 1=1"]
)
async def test_what_is_no_entry_is_not_found(world: World, exchange: int, key: str) -> None:
    async with browse(world, Role.AUTHORITY, keys=KEYS) as browser:
        answer = await browser.get(f"/uitwisseling/{key}")
    assert answer.status_code == 404
    assert "<script>" not in answer.text


async def test_an_entry_that_is_no_exchange_is_not_found(world: World, exchange: int) -> None:
    async with browse(world, Role.AUTHORITY) as browser:
        assert (await browser.get("/uitwisseling/0")).status_code == 404


async def test_words_of_an_entry_are_shown_as_text(world: World, exchange: int) -> None:
    from broker.console.story import story_of
    from tests.world import bundle

    entry = {**world.entries(exchange)[0], "released": ["<script>alert(1)</script>"]}
    story = story_of(entry, bundle(), Language.DUTCH)
    assert any("<script>" in line.label for line in story.data)  # a label; the template escapes it
    text = await page_of(world, f"/uitwisseling/{exchange}")
    assert re.findall(r"<script[^>]*>", text) == ['<script type="module" src="/static/proof.js">']


# the proof


def part(text: str, name: str) -> list[str]:
    """What the browser reads in elements with an attribute."""
    return [
        html.unescape(found) for found in re.findall(rf"<pre[^>]* data-{name}>(.*?)</pre>", text, re.DOTALL)
    ]


async def test_the_browser_proves_what_the_page_shows(world: World, exchange: int) -> None:
    text = await page_of(world, f"/uitwisseling/{exchange}")
    [entry], [checkpoint], [keys] = part(text, "json"), part(text, "checkpoint"), part(text, "server-keys")
    [path] = re.findall(r"<ol data-path>(.*?)</ol>", text, re.DOTALL)
    [signal] = re.findall(r'data-exchange="([^"]*)"', text)
    claim = {
        "entry": entry,
        "exchange": signal,
        "index": str(exchange),
        "path": re.findall("<code>([0-9a-f]{64})</code>", path),
        "checkpoint": checkpoint,
        "keys": keys,
    }
    tampered = entry.replace('"decision":"permit"', '"decision":"deny"')
    assert tampered != entry
    good, bad, other = run(
        [claim, {**claim, "entry": tampered}, {**claim, "keys": lines(*vkeys(LOG_KEYS[:1]))}]
    )
    assert good["ok"], good
    assert failed(bad) == [("root", "root-other")]
    assert failed(other) == [("witnesses", "witness-no-key")]


async def test_every_sentence_of_the_proof_is_on_the_page(world: World, exchange: int) -> None:
    from broker.console.site import STATIC

    text = await page_of(world, f"/uitwisseling/{exchange}")
    there = set(re.findall(r'data-code="([^"]+)"', text))
    source = (STATIC / "verify.js").read_text("utf-8") + (STATIC / "proof.js").read_text("utf-8")
    used = {found.split('"')[1] for found in source.split("new Wrong(")[1:]}
    used |= {f"{step}-ok" for step in ("entry", "leaf", "root", "note", "log", "witnesses")}
    used |= {
        "not-taken",
        "verdict-own",
        "verdict-server",
        "verdict-wrong",
        "verdict-unwitnessed",
        "verdict-quorum",
        "witnesses-quorum",
        "witnesses-not-due",
        "keys-own",
        "keys-server",
    }
    used |= {"mark-right", "mark-wrong", "mark-open"}
    assert used == there


async def test_without_a_checkpoint_the_page_says_so(world: World) -> None:
    await world.push(world.envelope(FIRM))
    Projection(world.store).advance()
    text = await page_of(world, f"/uitwisseling/{world.size - 1}")
    assert "er is nog geen ijkpunt" in text
    assert "<script" not in text


async def test_a_checkpoint_that_no_witness_saw_gives_way_to_one_that_they_did(world: World) -> None:
    install(world.store, read_files(default_directory()), world.clock())
    await world.push(world.envelope(FIRM))
    index, lonely = world.size - 1, world.size
    follow(world, witnessed=False)
    assert f"\n{lonely}\n" in part(await page_of(world, f"/uitwisseling/{index}"), "checkpoint")[0]
    follow(world)  # the reading made the log longer
    async with browse(world, keys=KEYS) as browser:
        text = (await browser.get(f"/uitwisseling/{index}")).text
        bundle = await browser.post(f"/uitwisseling/{index}/bewijs", {"reason": "voor de proef"})
    [checkpoint] = part(text, "checkpoint")
    assert f"\n{lonely + 1}\n" in checkpoint
    assert "— witness.example/w1 " in checkpoint
    assert verify_evidence(bundle.content, POLICY).checkpoint.checkpoint.size == lonely + 1


# the evidence


async def take(browser: Browser, exchange: int, **form: str) -> int:
    return (await browser.post(f"/uitwisseling/{exchange}/bewijs", form)).status_code


async def test_the_bundle_holds_offline_and_its_taking_is_logged(world: World, exchange: int) -> None:
    signal = world.entries(exchange)[0]["exchange"]
    async with browse(world, keys=KEYS) as browser:
        answer = await browser.post(
            f"/uitwisseling/{exchange}/bewijs", {"reason": "klacht van een betrokkene"}
        )
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="sluis-{signal}.zip"'
    found = verify_evidence(answer.content, POLICY)
    assert (found.exchange, list(found.entries)) == (signal, [exchange])
    [entry] = logged(world, "console.read")
    assert (entry["export"], entry["reason"], entry["filter"]) == (
        "zip",
        "klacht van een betrokkene",
        {"index": str(exchange)},
    )


async def test_no_bundle_without_reason_or_by_a_forged_form(world: World, exchange: int) -> None:
    async with browse(world, keys=KEYS) as browser:
        assert await take(browser, exchange) == 400
        assert await take(browser, exchange, reason="kort") == 400
        assert await take(browser, exchange, reason="over burger 999990019") == 400
        assert await take(browser, exchange, reason="voor de proef", csrf="x") == 403
        assert (await browser.get(f"/uitwisseling/{exchange}/bewijs")).status_code == 405
        foreign = await browser.post(
            f"/uitwisseling/{exchange}/bewijs", {"reason": "voor de proef"}, origin="https://elders.example"
        )
        assert foreign.status_code == 403
    assert logged(world, "console.read") == []
