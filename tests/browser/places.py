# SPDX-License-Identifier: EUPL-1.2
"""Where every page of the console is to be found, for each role; a page that nothing leads to is missed by a test."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from broker.console.pages import Page as Known
from broker.console.people import Role
from broker.console.views import PAGES
from broker.policy.activation import Activator
from broker.policy.active import stored_bundle
from broker.storage.open import open_store
from sluis.keys import read_secret
from sluis.policy.approval import Act, PolicyStatement
from sluis.policy.archive import unpack
from sluis.policy.bundle import default_directory, read_bundle, read_files
from sluis.signing import SEED_SIZE, SigningKey
from sluis.stored_zip import pack_zip
from tests.browser.office import come_back_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.office import Office

NO_PAGE = {"consistency", "find_entry"}  # for a script, and a form's way to a page; both in test_day.py
AGREEMENT, RULE = "wml-18p", "no-bsn-to-private"
OFFICERS = {Role.OFFICER: "fg-1", Role.AUTHORITY: "jurist-1", Role.OPERATOR: "beheer-1"}

STEADY = (
    "/",
    "/afspraken?status=draft",
    f"/afspraken/{AGREEMENT}",
    f"/regels/{RULE}",
    "/versies?on=2026-06-30",
    "/logboek",
    "/logboek/regel/0",
    "/tijdvakken",
    "/deelnemers",
    "/uitwisselingen",  # to an operator it says that it is not for her
)
OF_OFFICERS = (
    "/uitwisselingen.csv",
    "/beoordelen",
    "/tijdlijn",
    "/verschil?days=30",
    "/voorstellen",
    "/proef",
    "/betrokkene",
    "/rapporten",
    "/rapporten/verwerkingen",
    "/rapporten/dpia",
    "/rapporten/inbreuk?from=2026-01-01&to=2030-12-31",
    "/rapporten/jaarverslag",
    "/rapporten/vernietigd",
    "/rapporten/bewaring",
    "/inzage",
    "/nergens",
)
OF_AUTHORITY = ("/rapporten/jaarcijfers",)
TRIAL = (
    ("agreement", "waadi-14b"),
    ("operation", "push"),
    ("sender", "labour-inspectorate"),
    ("recipient", "certificate-foundation"),
    ("kind", "FINE_IMPOSED"),
    ("purpose", "CERTIFICAATBEOORDELING"),
    ("delivery", "mailbox"),
    ("date", "2026-11-25"),
    ("other", "2026-06-30"),
    ("field", "establishment_number"),
    ("field", "bsn"),
    ("claim.provision", "WML 7"),
    ("claim.decided_on", "2026-03-02"),
    ("proven", "certificate_valid"),
)


EXCHANGE, ENDED = "one exchange", "one that ended"
FOUND = (EXCHANGE, ENDED, "who was told", "a finding", "a flow", "a proposal", "a trial")
LOOK_UPS = "a finding of look-ups"  # the officers of the inspectorate see only what it asks itself
# The templates of the other pages are those of the officers; these show something that hers do not.
ONLY_OPERATOR = ("/", "/uitwisselingen")
ONLY_AUTHORITY = ("/", "/tijdlijn", *OF_AUTHORITY, LOOK_UPS)


def names(role: Role) -> tuple[str, ...]:
    """What there is to see for a role: addresses, and names of pages that are found on the way."""
    if role is Role.OPERATOR:
        return STEADY
    return (*STEADY, *OF_OFFICERS, *((*OF_AUTHORITY, LOOK_UPS) if role is Role.AUTHORITY else ()), *FOUND)


def differing(role: Role) -> tuple[str, ...]:
    """Of those the ones to look at for this role too, so that each template is looked at and none for nothing."""
    return {Role.OFFICER: names(role), Role.AUTHORITY: ONLY_AUTHORITY, Role.OPERATOR: ONLY_OPERATOR}[role]


def places(office: "Office", pages: Mapping[Role, "Page"]) -> dict[Role, dict[str, str]]:
    """The addresses by those names; on each page somebody is signed in. What the officer finds is found once."""
    found = dict(zip(FOUND, _found(office, pages[Role.OFFICER]), strict=True))
    found[LOOK_UPS] = _look_ups(office, pages[Role.AUTHORITY])
    assert all(found.values())
    return {role: {name: found.get(name, name) for name in names(role)} for role in Role}


def _found(office: "Office", page: "Page") -> tuple[str, ...]:
    first = page.locator(".scroll tbody a").first
    page.goto(f"{office.url}/uitwisseling/{office.signals['ended']}")
    come_back_until(page, "section[aria-labelledby=bewaren]", "zijn vernietigd op")
    ended = page.url.removeprefix(office.url)
    page.goto(f"{office.url}/uitwisseling/{office.signals['held']}")
    exchange = page.url.removeprefix(office.url)
    told = page.locator('a[href^="/betrokkene/ontvangers/"]').get_attribute("href") or ""
    page.goto(f"{office.url}/beoordelen")
    with page.expect_navigation():
        page.locator('form[action="/beoordelen/trekking"] button').click()
    finding = first.get_attribute("href") or ""
    page.goto(f"{office.url}/tijdlijn")
    flow = first.get_attribute("href") or ""
    return exchange, ended, told, finding, flow, _proposal(office, page), f"/proef?{urlencode(TRIAL)}"


def _look_ups(office: "Office", page: "Page") -> str:
    """Make a finding of the numbers that were tried out, or find the one that is there."""
    page.goto(f"{office.url}/tijdlijn")
    with page.expect_navigation():
        page.locator("li.task", has_text="bedrijven of personen").locator(
            "form button, a[href^='/beoordelen/']"
        ).first.click()
    return page.url.removeprefix(office.url)


def _proposal(office: "Office", page: "Page") -> str:
    """Upload the rules as they came, to look at as a proposal."""
    page.goto(f"{office.url}/voorstellen")
    rules = pack_zip(read_files(default_directory()))
    page.locator("#field-rules").set_input_files(
        {"name": "rules.zip", "mimeType": "application/zip", "buffer": rules}
    )
    with page.expect_navigation():
        page.locator('form[enctype="multipart/form-data"] button').click()
    return page.url.removeprefix(office.url)


def missed(role: Role, found: Iterable[str]) -> list[str]:
    """The pages of the console that none of the addresses leads to."""
    paths = [address.partition("?")[0] for address in found]
    return [known.path for known in _to_see(role) if not any(_form(known).fullmatch(path) for path in paths)]


def _to_see(role: Role) -> list[Known]:
    return [
        page for page in PAGES if page.method == "GET" and role in page.roles and page.name not in NO_PAGE
    ]


def _form(page: Known) -> re.Pattern[str]:
    return re.compile(re.sub(r"{\w+}", "[^/]+", page.path))


def have_two_versions(office: "Office") -> None:
    """Let other words of one rule come into force, so that there are versions to compare."""
    store = open_store(office.scene.stage.database)
    try:
        active = stored_bundle(store, store.activations()[-1].digest)
        files = dict(unpack(store.policy_bundle(active.digest) or b""))
        name = "agreements/waadi-14b.yaml"
        files[name] = files[name].replace(b"ten hoogste", b"maximaal", 1)
        proposed = read_bundle(files)
        at = datetime.now(UTC).replace(microsecond=0)
        statements = [
            PolicyStatement(
                act=act,
                from_digest=active.digest,
                to_digest=proposed.digest,
                officer=officer,
                reason="andere woorden",
                at=at,
            ).signed(SigningKey.from_bytes(read_secret(office.keys[officer], SEED_SIZE)))
            for act, officer in ((Act.PROPOSE, "fg-1"), (Act.APPROVE, "jurist-1"))
        ]
        Activator(store, lambda: datetime.now(UTC)).activate(files, statements)
    finally:
        store.close()
