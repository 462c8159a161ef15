# SPDX-License-Identifier: EUPL-1.2
"""Rules in the console: reading, versions, differences; proposed, approved and put in force by officers' own keys."""

import io
import json
import re
import zipfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC

import httpx
import pytest

from broker.console.people import Role
from broker.policy.active import install
from broker.policy.bundle_files import read_brought
from broker.policy.officers import OfficerFunction, Officers
from sluis.errors import SluisError
from sluis.policy.approval import Act, PolicyStatement
from sluis.policy.archive import pack
from sluis.policy.bundle import read_bundle
from sluis.signing import SigningKey
from tests.actors import Actor
from tests.console_world import Browser, browse, logged
from tests.unit.decide_samples import BUNDLE, FILES
from tests.unit.policy_files import ONE_YEAR, edited, put_in_force
from tests.world import FIRM, World

NARROWER = ONE_YEAR
SCRIPT = "<script>alert(1)</script>"


def zipped(files: Mapping[str, bytes], folder: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(folder + name, data)
    return out.getvalue()


@dataclass
class Office:
    """The inspectorate's fg-1 and jur-1 and the foundation's fg-2, each with a key of her own."""

    world: World
    keys: dict[str, SigningKey]

    def statement(self, act: Act, officer: str, files: Mapping[str, bytes], key: str = "") -> bytes:
        made = PolicyStatement(
            act=act,
            officer=officer,
            from_digest=BUNDLE.digest,
            to_digest=read_bundle(files).digest,
            reason="een jaar is genoeg",
            at=self.world.clock().replace(microsecond=0).astimezone(UTC),
        )
        return made.signed(self.keys[key or officer]).encode()

    def actor(self, name: str) -> Actor:
        return self.world.cast.sna if name == "fg-2" else self.world.cast.nla

    @asynccontextmanager
    async def as_officer(self, name: str) -> AsyncIterator[Browser]:
        async with browse(self.world, actor=self.actor(name), reference=name) as browser:
            yield browser

    async def upload(self, name: str, data: bytes) -> httpx.Response:
        async with self.as_officer(name) as browser:
            return await send(browser, "/voorstellen", rules=data)

    async def proposal(self, files: Mapping[str, bytes] = NARROWER, by: str = "fg-1") -> str:
        answer = await self.upload(by, zipped(files))
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def sign(self, name: str, address: str, statement: bytes) -> httpx.Response:
        async with self.as_officer(name) as browser:
            return await send(browser, f"{address}/verklaring", statement=statement)

    async def activate(self, name: str, address: str, reason: str = "de wijziging gaat in") -> httpx.Response:
        async with self.as_officer(name) as browser:
            return await browser.post(f"{address}/activeren", {"reason": reason})


async def send(browser: Browser, path: str, csrf: str = "", **files: bytes) -> httpx.Response:
    """Send a form with files; `statement` as a field of the form."""
    fields = {"csrf": csrf or browser.session.csrf}
    if "statement" in files:
        fields["statement"] = files.pop("statement").decode()
    parts = {name: ("../../etc/passwd", data) for name, data in files.items()} or {"file": ("", b"")}
    return await browser.http.post(path, data=fields, files=parts)


def refused_with(answer: httpx.Response) -> str:
    found = re.search(r"Code van deze melding: <code>([a-z-]+)</code>", answer.text)
    return found[1] if found else f"not refused: {answer.status_code}"


@pytest.fixture
def office(world: World) -> Office:
    install(world.store, FILES, world.clock())
    made = Office(world, {name: SigningKey.generate() for name in ("fg-1", "fg-2", "jur-1")})
    officers = Officers(world.store, world.clock)
    for name, key in made.keys.items():
        function = OfficerFunction.LEGAL if name == "jur-1" else OfficerFunction.PRIVACY
        officers.enrol(name, made.actor(name).oin, function, key.public)
    return made


# proposing and approving


async def test_two_officers_put_rules_in_force_in_the_console(office: Office) -> None:
    address = await office.proposal()
    async with office.as_officer("fg-2") as browser:
        assert (await browser.get(address)).status_code == 404  # a draft is its officer's own
    assert (
        await office.sign("fg-1", address, office.statement(Act.PROPOSE, "fg-1", NARROWER))
    ).status_code == 303
    assert refused_with(await office.activate("fg-1", address)) == "approvals-missing"
    assert (
        await office.sign("fg-2", address, office.statement(Act.APPROVE, "fg-2", NARROWER))
    ).status_code == 303
    assert refused_with(await office.activate("fg-2", address, "")) == "malformed-request"
    assert (await office.activate("fg-2", address)).status_code == 303
    [entry] = logged(office.world, "policy.activate")
    assert entry["policy"] == read_bundle(NARROWER).digest
    assert entry["reason"] == "de wijziging gaat in"
    assert (entry["ordered_by"]["reader"], entry["verdict"]) == ("fg-2", "narrower")
    assert [item["officer"] for item in entry["statements"]] == ["fg-1", "fg-2"]
    assert [len(logged(office.world, f"policy.{act}")) for act in Act] == [1, 1]
    async with office.as_officer("fg-2") as browser:
        assert "Van kracht." in (await browser.get(address)).text
        versions = (await browser.get("/versies")).text
        assert "fg-1 (privacyfunctionaris)" in versions
        assert "fg-2 (privacyfunctionaris)" in versions
        assert "Enger" in (await browser.get("/verschil")).text


async def test_one_officer_does_not_sign_twice(office: Office) -> None:
    address = await office.proposal()
    await office.sign("fg-1", address, office.statement(Act.PROPOSE, "fg-1", NARROWER))
    again = await office.sign("fg-1", address, office.statement(Act.APPROVE, "fg-1", NARROWER))
    assert refused_with(again) == "already-signed"
    approval = office.statement(Act.APPROVE, "fg-2", NARROWER)
    assert (await office.sign("fg-2", address, approval)).status_code == 303
    assert refused_with(await office.sign("fg-2", address, approval)) == "already-signed"
    assert len(logged(office.world, "policy.approve")) == 1


async def test_what_widens_waits_for_a_legal_officer(office: Office) -> None:
    wider = edited("not_older_than_years: 2", "not_older_than_years: 3")
    address = await office.proposal(wider)
    await office.sign("fg-1", address, office.statement(Act.PROPOSE, "fg-1", wider))
    await office.sign("fg-2", address, office.statement(Act.APPROVE, "fg-2", wider))
    assert refused_with(await office.activate("fg-2", address)) == "approvals-missing"
    async with office.as_officer("fg-2") as browser:
        assert "een jurist" in (await browser.get(address)).text
    await office.sign("jur-1", address, office.statement(Act.APPROVE, "jur-1", wider))
    assert (await office.activate("jur-1", address)).status_code == 303


async def test_a_signature_counts_for_who_is_signed_in_under_her_own_key_only(office: Office) -> None:
    address = await office.proposal()
    mine = office.statement(Act.PROPOSE, "fg-1", NARROWER)
    forged = office.statement(Act.PROPOSE, "fg-1", NARROWER, key="jur-1")
    other = office.statement(Act.PROPOSE, "jur-1", NARROWER)
    elsewhere = office.statement(Act.PROPOSE, "fg-1", edited("retention: P5Y", "retention: P4Y"))
    for statement, code in (
        (forged, "signature-wrong"),
        (other, "officer-unknown"),
        (elsewhere, "wrong-state"),
        (mine[:-2] + b"}", "malformed-encoding"),
        (b"", "malformed-request"),
    ):
        assert refused_with(await office.sign("fg-1", address, statement)) == code
    # The same reference at another organisation is another person.
    async with browse(office.world, actor=office.world.cast.body, reference="fg-1") as browser:
        assert (await send(browser, f"{address}/verklaring", statement=mine)).status_code == 404
        assert refused_with(await send(browser, "/voorstellen", rules=zipped(NARROWER))) == "officer-unknown"
    assert logged(office.world, "policy.propose") == []


async def test_the_signature_of_an_officer_who_left_no_longer_counts(office: Office) -> None:
    address = await office.proposal()
    await office.sign("fg-1", address, office.statement(Act.PROPOSE, "fg-1", NARROWER))
    await office.sign("fg-2", address, office.statement(Act.APPROVE, "fg-2", NARROWER))
    Officers(office.world.store, office.world.clock).retire("fg-2", "uit dienst")
    assert refused_with(await office.activate("fg-2", address)) == "officer-unknown"
    assert refused_with(await office.activate("jur-1", address)) == "approvals-missing"
    await office.sign("jur-1", address, office.statement(Act.APPROVE, "jur-1", NARROWER))
    assert (await office.activate("jur-1", address)).status_code == 303


async def test_nobody_approves_what_nobody_proposed(office: Office) -> None:
    address = await office.proposal()
    early = await office.sign("fg-1", address, office.statement(Act.APPROVE, "fg-1", NARROWER))
    assert refused_with(early) == "approvals-missing"


async def test_a_proposal_is_overtaken_by_other_rules(office: Office) -> None:
    address = await office.proposal()
    await office.sign("fg-1", address, office.statement(Act.PROPOSE, "fg-1", NARROWER))
    put_in_force(office.world, edited("retention: P5Y", "retention: P4Y"))
    late = await office.sign("fg-2", address, office.statement(Act.APPROVE, "fg-2", NARROWER))
    assert refused_with(late) == "wrong-state"
    async with office.as_officer("fg-2") as browser:
        assert "Achterhaald" in (await browser.get(address)).text


async def test_a_new_draft_takes_the_place_of_the_old_one(office: Office) -> None:
    first = await office.proposal()
    second = await office.proposal(edited("retention: P5Y", "retention: P4Y"))
    async with office.as_officer("fg-1") as browser:
        assert (await browser.get(first)).status_code == 404
        assert (await browser.get(second)).status_code == 200


# uploads


async def test_a_mistake_is_told_with_file_line_and_term(office: Office) -> None:
    wrong = edited("effect: permit", "effect: maybe")
    answer = await office.upload("fg-1", zipped(wrong))
    assert answer.status_code == 200
    assert re.search(r"agreements/waadi-14b\.yaml:[0-9]+", answer.text)
    assert "effect" in answer.text
    hostile = edited("  - id: ", f"  - {SCRIPT}: ", files=FILES)
    answer = await office.upload("fg-1", zipped(hostile))
    assert SCRIPT not in answer.text


async def test_a_case_that_fails_stops_a_proposal(office: Office) -> None:
    from importlib import resources

    case = resources.files("policies").joinpath("cases/waadi-14b.yaml").read_bytes()
    answer = await office.upload("fg-1", zipped({**NARROWER, "cases/waadi-14b.yaml": case}))
    assert "voorbeelden komen anders uit" in answer.text
    good = read_brought(zipped({**FILES, "cases/waadi-14b.yaml": case}, folder="rules/"))
    assert (good.failed, good.bundle.digest) == ((), BUNDLE.digest)
    assert good.cases > 10


def bombs() -> Iterator[tuple[str, bytes]]:
    yield "no zip", b"PK\x03\x04 nonsense"
    yield "no archive", b"\x78\x9c nonsense"
    yield "unfolds too far", zipped({**FILES, "agreements/x.yaml": b"#" * (40 << 20)})
    yield "too many files", zipped({f"agreements/a{n}.yaml": b"" for n in range(600)})
    yield "other names", pack({**FILES, "../../x.yaml": b""})
    yield "twice", zipped({**FILES, "rules/agreements/waadi-14b.yaml": b""})


@pytest.mark.parametrize(("name", "data"), list(bombs()))
def test_a_hostile_file_is_refused(name: str, data: bytes) -> None:
    with pytest.raises(SluisError) as caught:
        read_brought(data)
    assert caught.value.code == "malformed-rule", name


def test_a_zip_is_not_unfolded_beyond_the_limit() -> None:
    for files in (
        {f"agreements/a{n}.yaml": b"#" * (1 << 20) for n in range(40)},
        {f"agreements/a{n}.yaml": b"" for n in range(600)},
    ):
        with pytest.raises(SluisError, match="too many files or bytes"):
            read_brought(zipped(files))


def test_the_archive_of_the_broker_and_a_zip_are_the_same_rules() -> None:
    assert read_brought(pack(FILES)).bundle.digest == read_brought(zipped(FILES)).bundle.digest


async def test_an_upload_needs_the_forms_token_and_fits(office: Office) -> None:
    async with office.as_officer("fg-1") as browser:
        assert refused_with(await send(browser, "/voorstellen", csrf="x", rules=b"x")) == "form-not-ours"
        big = await send(browser, "/voorstellen", rules=b"x" * (5 << 20))
        assert refused_with(big) == "message-too-large"
        plain = await browser.post("/voorstellen", {"rules": "x"})
        assert refused_with(plain) == "malformed-request"


# reading


async def test_the_pages_of_rules_answer_in_both_languages(office: Office) -> None:
    async with office.as_officer("fg-1") as browser:
        for path in ("/afspraken", "/afspraken/waadi-14b", "/versies", "/verschil", "/voorstellen", "/proef"):
            for language in ("nl", "en"):
                answer = await browser.get(f"{path}?lang={language}")
                assert answer.status_code == 200, path
                assert answer.text.count("<h1>") == 1
        for path in (
            "/afspraken/..%2f",
            "/regels/%3Cscript%3E",
            "/afspraken?version=999",
            "/versies?on=2026-13-40",
        ):
            assert (await browser.get(path)).status_code in (400, 404), path


async def test_counts_and_replay_are_of_what_an_officer_may_see(office: Office) -> None:
    world = office.world
    await world.certify(FIRM)
    await world.push(world.envelope(FIRM))
    put_in_force(world, edited("not_older_than_years: 2", "not_older_than_years: 1"))
    for actor, seen in ((world.cast.nla, "1 opnieuw beslist"), (world.cast.body, "0 opnieuw beslist")):
        async with browse(world, actor=actor) as browser:
            assert seen in (await browser.get("/verschil?days=30")).text
    async with browse(world, Role.OPERATOR) as browser:
        assert (await browser.get("/verschil")).status_code == 403
        assert "Beslist in" not in (await browser.get("/afspraken")).text


async def test_a_replay_says_in_words_what_comes_out_otherwise(office: Office) -> None:
    world = office.world
    await world.certify(FIRM)
    await world.push(world.envelope(FIRM))
    put_in_force(world, edited("retention: P5Y", "retention: P4Y", files=edited("      - count\n", "")))
    async with browse(world) as browser:
        page = (await browser.get("/verschil?days=30")).text
    assert "1 komen anders uit" in page
    assert "niet meer aantal overtredingen" in page


async def test_facets_count_what_a_click_shows(office: Office) -> None:
    async with office.as_officer("fg-1") as browser:
        page = (await browser.get("/afspraken")).text
        found = re.findall(
            r'<a href="(/afspraken\?status=draft)">.*?</a> <span class="count">([0-9]+)</span>', page
        )
        [(address, count)] = found
        shown = (await browser.get(address)).text
        assert f"({count} regels)" in shown
        assert (await browser.post("/afspraken.csv", {"reason": "voor een test"})).text.startswith(
            "rule,agreement,"
        )


async def test_the_files_of_a_version_are_its_rules(office: Office) -> None:
    index = office.world.store.activations()[-1].log_index
    async with office.as_officer("fg-1") as browser:
        answer = await browser.post(f"/versies/{index}/bestanden", {})
    assert read_brought(answer.content).bundle.digest == BUNDLE.digest


# proefbeslissing

QUESTION = (
    "/proef?agreement=waadi-14b&operation=push&sender=labour-inspectorate&recipient=certificate-registry"
    "&kind=FINE_IMPOSED&purpose=CERTIFICAATBEOORDELING&delivery=mailbox&date=2026-11-25"
    "&field=establishment_number&field=law&field=article&claim.provision=WML+7&claim.decided_on={decided}"
    "&proven=certificate_valid"
)


async def test_a_trial_decision_says_why_and_is_kept_nowhere(office: Office) -> None:
    rule = next(item for item in BUNDLE.agreements["waadi-14b"].rules if "FINE_IMPOSED" in item.kinds)
    question = QUESTION.replace("labour-inspectorate", min(rule.sender_roles)).replace(
        "certificate-registry", min(rule.recipient_roles)
    )
    question = question.replace("CERTIFICAATBEOORDELING", min(rule.purposes))
    size = office.world.size
    async with office.as_officer("fg-1") as browser:
        fresh = (await browser.get(question.format(decided="2026-03-02"))).text
        old = (await browser.get(question.format(decided="2020-03-02"))).text
        both = (await browser.get(question.format(decided="2026-03-02") + "&other=2026-06-30")).text
        wrong = await browser.get(question.format(decided="2026-03-02") + f"&field={SCRIPT}")
        claim = await browser.get(question.format(decided="999990019;x"))
    assert "Toegestaan op grond van" in fresh
    assert "Geweigerd: " in old
    assert both.count('id="day-') == 2
    assert (wrong.status_code, claim.status_code) == (400, 400)
    assert office.world.size == size
    assert "other=2026-06-30" in fresh


def test_a_statement_is_json_that_this_test_can_read(office: Office) -> None:
    made = json.loads(office.statement(Act.PROPOSE, "fg-1", NARROWER))
    assert made["officer"] == "fg-1"
