# SPDX-License-Identifier: EUPL-1.2
"""Vandaag, Logboek, Deelnemers and Tijdlijn: what they say, to whom, and what they refuse."""

import html
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from broker.audit.projection import Projection
from broker.console.pages import LogKeys
from broker.console.people import Role
from broker.console.reading import Reader
from broker.storage.port import DomainKeyRow, Stop
from sluis.canonical import canonical_json
from sluis.checkpoint import Checkpoint
from sluis.checkpoint_signers import cosign, log_signers, new_secret, sign_checkpoint, witness_signers
from sluis.errors import NotPermitted
from sluis.merkle import CompactRange, Hash, inclusion_proof
from sluis.note import Note
from sluis.tlog_proof import TlogProof
from tests.actors import Actor
from tests.console_world import browse, logged, officer_of
from tests.world import ORIGIN, World

LOG, WITNESS, OTHER = (
    log_signers(ORIGIN, new_secret()),
    witness_signers("w.example", new_secret()),
    log_signers(ORIGIN, new_secret()),
)
KEYS = LogKeys(log=[one.vkey for one in LOG], witnesses=[one.vkey for one in WITNESS])
SCRIPT = "<script>alert(1)</script>"


def write(world: World, *entries: dict[str, Any]) -> None:
    """Append entries, and let the index follow."""
    with world.store.transaction() as tx:
        for entry in entries:
            tx.append(canonical_json(entry), int(datetime.fromisoformat(entry["time"]).timestamp() * 1000))
        tx.commit()
    while Projection(world.store).once():
        pass


def signal(at: datetime, sender: Actor, recipient: Actor, **changes: Any) -> dict[str, Any]:
    """An entry of an offered signal."""
    values = {
        "v": 1,
        "nonce": "00" * 16,
        "time": f"{at:%Y-%m-%dT%H:%M:%S}.000Z",
        "operation": "signal.push",
        "sender": sender.oin,
        "recipient": recipient.oin,
        "agreement": "waadi-14b",
        "kind": "FINE_IMPOSED",
        "purpose": "CERTIFICAATBEOORDELING",
        "decision": "permit",
        "rules": [],
        "reasons": [],
        "released": ["law"],
        "withheld": [],
        "facts": [],
        "policy": "sha256:none",
        "outcome": "mailbox",
        "delivery": "mailbox",
        "exchange": "x",
    }
    return {**values, **changes}


def sign(world: World, size: int | None = None, *, signers: Sequence[Any] = LOG) -> str:
    """Sign a checkpoint of the log, or of its first entries, and keep it."""
    full = world.size if size is None else size
    root = Checkpoint(origin=ORIGIN, size=full, root=_root(world, full))
    note = Note.parse(sign_checkpoint(root, signers, 1_780_000_000))
    text = note.with_signatures(cosign(root, WITNESS, 1_780_000_000)).format()
    world.store.add_checkpoint(full, text, world.clock.ms())
    return text


def _root(world: World, size: int) -> Hash:
    return CompactRange().extend([row.leaf_hash for row in world.store.entries(0, size)])[0].root()


def said(text: str) -> str:
    """What the page says of the record before any script ran."""
    [found] = re.findall(r'class="verdict [^"]*" role="status" data-say>(.*?)</p>', text)
    return html.unescape(found)


# Vandaag


async def test_the_server_says_what_it_found_and_gives_the_browser_all_it_needs(world: World) -> None:
    note = sign(world)
    async with browse(world, keys=KEYS) as browser:
        text = (await browser.get("/")).text
    assert "geldig is getekend" in said(text)
    given = dict(re.findall(r'data-(origin|checkpoint|keys|witnesses)="([^"]*)"', text))
    assert html.unescape(given["checkpoint"]) == note
    assert html.unescape(given["keys"]).split() == [str(key) for key in KEYS.log]
    assert html.unescape(given["witnesses"]).split() == [str(key) for key in KEYS.witnesses]


async def test_a_checkpoint_of_another_key_or_for_more_than_there_is_is_not_called_right(
    world: World,
) -> None:
    sign(world, signers=OTHER)
    async with browse(world, keys=KEYS) as browser:
        assert "niet van de sleutel van dit logboek" in said((await browser.get("/")).text)
    root = Checkpoint(origin=ORIGIN, size=world.size + 9, root=_root(world, world.size))
    world.store.add_checkpoint(world.size + 9, sign_checkpoint(root, LOG, 1), 1)
    async with browse(world, keys=KEYS) as browser:
        assert "voor meer regels getekend" in said((await browser.get("/")).text)


async def test_who_sent_to_whom_is_shown_to_the_parties_and_the_authority(world: World) -> None:
    cast, now = world.cast, world.clock.now
    write(world, *(signal(now, cast.nla, cast.sna) for _ in range(3)), signal(now, cast.sna, cast.body))
    link = f"/uitwisselingen?sender={cast.nla.oin}&amp;recipient={cast.sna.oin}"
    for role, actor, sees in (
        (Role.OFFICER, cast.nla, True),
        (Role.OFFICER, cast.sna, True),
        (Role.OFFICER, cast.body, False),
        (Role.AUTHORITY, cast.officer, True),
        (Role.OPERATOR, cast.nla, False),
    ):
        async with browse(world, role, actor) as browser:
            text = (await browser.get("/")).text
        assert (link in text) is sees, (role, actor.name)
        assert (re.search(r">3</a>", text) is not None) is sees
    with pytest.raises(NotPermitted):
        _ = Reader(world.store, officer_of(cast.nla, Role.OPERATOR)).counts


async def test_overdue_deliveries_stops_and_refusals_wait_for_attention(world: World) -> None:
    world.clock.move(days=70)  # so that the record tells of eight weeks before
    cast, now = world.cast, world.clock.now
    refused = {"decision": "deny", "outcome": "refused", "released": []}
    write(
        world,
        signal(now - timedelta(days=9), cast.nla, cast.sna),
        signal(now - timedelta(days=7), cast.nla, cast.sna),
        *(signal(now, cast.nla, cast.sna, **refused) for _ in range(6)),
    )
    with world.store.transaction() as tx:
        tx.add_stop(Stop(scope="rule", target="a.rule"), 0)
        tx.commit()
    async with browse(world) as browser:
        text = (await browser.get("/")).text
        english = (await browser.get("/?lang=en")).text
    assert "na 7 dagen nog niet heeft bevestigd: 1 (" in text
    assert "noodstop voor de regel a.rule" in text
    assert "zijn 6 signalen van Inspectie aan Stichting geweigerd" in text
    assert "usual is none" in english
    async with browse(world, actor=cast.body) as browser:
        other = (await browser.get("/")).text
    assert "nog niet heeft bevestigd" not in other
    assert "geweigerd (" not in other


# Logboek


async def test_a_consistency_proof_is_given_between_any_two_sizes(world: World) -> None:
    async with browse(world) as browser:
        answer = await browser.get(f"/logboek/consistentie?first=3&second={world.size}")
        assert answer.headers["content-type"] == "application/json"
        assert len(answer.json()["hashes"]) > 0
        for query in (
            "",
            "?first=3",
            f"?first=3&second={world.size + 1}",
            "?first=5&second=3",
            "?first=x&second=3",
        ):
            assert (await browser.get(f"/logboek/consistentie{query}")).status_code == 400, query


async def test_two_checkpoints_are_held_against_each_other(world: World) -> None:
    sign(world, 3)
    sign(world)
    async with browse(world, keys=KEYS) as browser:
        good = (await browser.get(f"/logboek?first={world.size}&second=3")).text
        assert f"het logboek van {world.size} regels begint met precies dat van 3 regels" in good
        none = (await browser.get(f"/logboek?first=4&second={world.size}")).text
        assert "zo&#39;n ijkpunt is er niet" in none
        forged = Checkpoint(origin=ORIGIN, size=3, root=_root(world, 4))
        world.store.add_checkpoint(3, sign_checkpoint(forged, LOG, 1), 1)
        bad = (await browser.get(f"/logboek?first=3&second={world.size}")).text
        assert f"dat van {world.size} regels begint niet met dat van 3 regels" in bad


async def test_a_proof_is_checked_without_scripts_and_is_not_shown_again(world: World) -> None:
    note = sign(world)
    path = tuple(inclusion_proof(2, world.size, world.store.node))
    proof = TlogProof(index=2, hashes=path, checkpoint=note).format()
    row = world.store.log_row(2)
    assert row is not None
    entry = row.entry.decode()
    async with browse(world, keys=KEYS) as browser:
        for form, sentence in (
            ({"proof": proof, "entry": entry}, "Het bewijs klopt: deze regel staat op plaats 2"),
            ({"proof": proof.replace("\n", "\r\n"), "entry": entry}, "Het bewijs klopt: deze regel"),
            ({"proof": proof, "entry": entry.replace("a", "b")}, "Het bewijs klopt niet: deze regel"),
            ({"proof": proof}, "zonder de regel zelf"),
            ({"proof": SCRIPT, "entry": SCRIPT}, "geen bewijsbestand"),
            (
                {"proof": proof.replace(f"\n{world.size}\n", f"\n{world.size + 1}\n")},
                "niet getekend met de sleutel",
            ),
        ):
            answer = await browser.post("/logboek/bewijs", form)
            assert sentence in html.unescape(answer.text), sentence
            assert SCRIPT not in answer.text
            assert entry not in html.unescape(answer.text)
        forged = await browser.post("/logboek/bewijs", {"proof": proof, "csrf": "x"})
        assert forged.status_code == 403
    assert logged(world, "console.read") == []


# Deelnemers


async def test_participants_with_their_certificates_and_what_evaluators_published(world: World) -> None:
    cast = world.cast
    with world.store.transaction() as tx:
        index = tx.append(canonical_json({"time": "2026-06-22T10:00:00.000Z", "operation": "key.publish"}), 1)
        tx.add_domain_key(
            DomainKeyRow(
                agreement=SCRIPT,
                recipient=cast.sna.oin,
                epoch="2026",
                evaluator=cast.evaluators[0].oin,
                publication=b"key",
                log_index=index,
            )
        )
        row = world.store.party(cast.body.oin)
        assert row is not None
        tx.put_party(replace(row, card=b"no card", name=SCRIPT))
        tx.commit()
    for role in Role:
        async with browse(world, role) as browser:
            text = (await browser.get("/deelnemers")).text
        assert SCRIPT not in text
        assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 2
        assert "niet leesbaar" in text
        assert "Evaluator A" in text
    world.clock.now = cast.nla.card.certificate_chain[0].not_valid_after_utc - timedelta(days=3)
    async with browse(world) as browser:
        assert "verloopt binnen 60 dagen" in (await browser.get("/deelnemers")).text


# Tijdlijn


async def test_what_stands_out_is_told_to_the_parties_alone(world: World) -> None:
    cast, now = world.cast, world.clock.now
    night = signal(
        now.replace(hour=1),
        cast.nla,
        cast.sna,
        facts=[{"name": "privacy_gate", "state": "proven", "source": "officer"}],
    )
    ask = signal(now, cast.body, cast.body, operation="match.question", asked=80, hits=0, outcome="answered")
    write(world, night, ask)
    for role, actor, hours, asked in (
        (Role.OFFICER, cast.nla, True, False),
        (Role.OFFICER, cast.body, False, True),
        (Role.AUTHORITY, cast.officer, True, True),
    ):
        async with browse(world, role, actor) as browser:
            text = (await browser.get("/tijdlijn")).text
            twin = await browser.post("/tijdlijn.json", {"reason": "controle van stromen"})
        assert ("buiten kantoortijd een signaal van Inspectie" in text) is hours, actor.name
        assert ("vroeg Instelling Een naar 80" in text) is asked, actor.name
        assert len(json.loads(twin.text)["rows"]) == hours + asked
    assert len(logged(world, "console.read")) == 6


async def test_what_stands_out_is_made_a_finding_once_and_by_its_parties(world: World) -> None:
    cast, now = world.cast, world.clock.now
    ask = signal(now, cast.body, cast.body, operation="match.question", asked=80, hits=0, outcome="answered")
    write(world, ask)
    path, key = "/tijdlijn/bevinding", r'name="key" value="([0-9a-f]{32})"'
    async with browse(world, actor=cast.body) as browser:
        [found] = re.findall(key, (await browser.get("/tijdlijn")).text)
        async with browse(world, actor=cast.nla) as other:
            assert (await other.post(path, {"key": found})).status_code == 404
        opened = await browser.post(path, {"key": found})
        assert opened.status_code == 303
        text = (await browser.get(opened.headers["location"])).text
        assert "vroeg Instelling Een naar 80" in text
        assert f'href="/tijdlijn?sender={cast.body.oin}' in text
        again = (await browser.get("/tijdlijn")).text
        assert re.findall(key, again) == []
        assert f'href="{opened.headers["location"]}"' in again
        assert (await browser.post(path, {"key": found})).status_code == 409
    assert [entry["anomaly"] for entry in logged(world, "finding.open")] == ["look-ups"]


async def test_a_flow_is_drawn_with_a_table_and_another_organisations_is_not(world: World) -> None:
    cast, now = world.cast, world.clock.now
    write(world, *(signal(now - timedelta(days=day), cast.nla, cast.sna) for day in range(20, -1, -1)))
    query = f"/tijdlijn?sender={cast.nla.oin}&recipient={cast.sna.oin}&kind=FINE_IMPOSED"
    async with browse(world) as browser:
        text = (await browser.get(query)).text
        assert text.count("<svg") > 0
        assert '<th scope="row">22 juni 2026</th><td class="number" data-label="Doorgelaten">1</td>' in text
        assert (await browser.get(f"/tijdlijn?kind={SCRIPT}")).status_code == 400
    async with browse(world, actor=cast.body) as browser:
        other = (await browser.get(query)).text
    assert "22 juni 2026</th>" not in other
    assert "Stichting" not in other
