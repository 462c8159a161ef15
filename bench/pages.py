# SPDX-License-Identifier: EUPL-1.2
"""The page of exchanges as a browser gets it: session, reading logged, counts, list, HTML; without the network.

Part of `python -m bench.console`. Each choice is asked for once as new (its reading is then a new entry of the log,
durable before anything is shown) and then again and again; once by the authority, who sees all, and once by the officer
of the busiest organisation.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode

import httpx

from broker.committer import Committer
from broker.console.door import make_console
from broker.console.people import Officer, People, Role
from broker.console.site import ConsoleParts
from broker.console.views.exchanges import PATH
from broker.policy.active import ActivePolicy
from broker.storage.port import PartyRow, PartyStatus, Store
from sluis.identifiers import Oin
from sluis.policy.bundle import default_directory, load_bundle

COOKIE = "sluis_console"
TIMES = 12


def choices(size: int) -> Mapping[str, dict[str, str]]:
    """What is chosen in the address, easy and hard (the entries are those of `bench.console`)."""
    year, odd = {"from": "2025-12-01", "until": "2026-11-30"}, {"from": "2025-12-17", "until": "2026-11-12"}
    rare = {"agreement": "agreement-19", "reason": "TERM_RUNNING"}
    return {
        "a month": {"from": "2026-11-01", "until": "2026-11-30"},
        "a year": year,
        "a year less some days": odd,
        "a hundred days, shown by day": {"from": "2026-06-01", "until": "2026-09-08"},
        "one day": {"from": "2026-03-17", "until": "2026-03-17"},
        "one facet, common": {**odd, "result": "released"},
        "one facet, rare": {**odd, "policy": f"sha256:{12:064x}"},
        "two facets, rare": {**odd, **rare},
        "three facets": {**odd, "result": "denied", "kind": "KIND_3", "purpose": "PURPOSE_3"},
        "three facets, nothing there": {**odd, **rare, "result": "released"},
        "list from the middle": {**odd, "result": "released", "before": str(size // 2)},
        "the end of the list": {**year, "before": "60"},
        "rare, the end of the list": {**year, **rare, "before": str(size // 50)},
    }


def ask_pages(store: Store, parties: Sequence[str], officer_of: str, size: int) -> dict[str, list[float]]:
    """Milliseconds by page, in the order of asking. The parties get a name, which the page then has to look up."""
    with store.transaction() as tx:
        for oin in parties:
            tx.put_party(
                PartyRow(
                    oin=oin,
                    name=f"Organisatie {int(oin)}",
                    role="labour_inspectorate",
                    status=PartyStatus.ACTIVE,
                    card=b"",
                )
            )
        tx.commit()
    return asyncio.run(_asked(store, officer_of, size))


async def _asked(store: Store, oin: str, size: int) -> dict[str, list[float]]:
    now = datetime.now(UTC)
    policy = ActivePolicy(store, load_bundle(default_directory()))
    committer = Committer(store, lambda: now, lambda wake: None)
    committer.start()
    app = make_console(
        ConsoleParts(store=store, policy=policy, committer=committer, clock=lambda: now, tls=False)
    )
    found = {}
    try:
        for role in (Role.AUTHORITY, Role.OFFICER):
            for name, words in choices(size).items():
                # A session and an address for each, so that no limit on requests is met.
                officer = Officer(reference="bench", organisation=Oin(oin), role=role)
                session = People(store, lambda: now).sign_in(officer)
                transport = httpx.ASGITransport(app, client=(f"{role}-{name}", 1))
                async with httpx.AsyncClient(transport=transport, base_url="http://bench") as browser:
                    browser.cookies.set(COOKIE, session.token)
                    found[f"{role.value}: {name}"] = await _times(browser, f"{PATH}?{urlencode(words)}")
    finally:
        await committer.close()
    return found


async def _times(browser: httpx.AsyncClient, address: str) -> list[float]:
    spent = []
    for _ in range(TIMES + 1):
        began = time.perf_counter()
        answer = await browser.get(address)
        spent.append(1_000 * (time.perf_counter() - began))
        if answer.status_code != 200:
            raise SystemExit(f"{address}: {answer.status_code}")
    return spent
