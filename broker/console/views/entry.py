# SPDX-License-Identifier: EUPL-1.2
"""Regel van het logboek: one entry by its number, in a sentence, with its proof. Those of exchanges lead to theirs."""

import re

from broker.console.acts import told
from broker.console.labels import Labels
from broker.console.pages import EVERYONE, INDEX, Context, Page, Redirect, View
from broker.console.views.exchange import PATH as EXCHANGE
from sluis.errors import NotFound

PATH = "/logboek/regel"
_INDEX = re.compile(r"0|[1-9][0-9]{0,17}")


def find(context: Context) -> Redirect:
    """Lead to the entry whose number was filled in."""
    return Redirect(to=f"{PATH}/{context.filters.get('index', 0)}")


def show(context: Context) -> View | Redirect:
    """Show an entry; one that the page of an exchange shows is shown there."""
    index = context.parts["index"]
    if not _INDEX.fullmatch(index):
        raise NotFound("not-found")
    entries = context.reader.entries
    if entries.is_of_exchange(int(index)):
        return Redirect(to=f"{EXCHANGE}/{index}")
    found = entries.find(int(index))
    content = found.entries[0].content
    return View(
        values={
            "entry": found.entries[0],
            "under": found,
            "told": told(context, content),
            "sort": Labels(context).of("operation", content["operation"]),
            "epochs": "epoch" in content,
            "reason": content.get("reason", ""),
            "command": f"sluis audit prove {index} --out {index}.tlog-proof\nsluis audit check {index}.tlog-proof",
            "server_keys": [str(key) for key in (*context.keys.log, *context.keys.witnesses)],
        }
    )


PAGES = (
    Page(
        path=PATH,
        name="find_entry",
        handler=find,
        roles=EVERYONE,
        logged=False,
        filters={"index": INDEX},
        menu=False,
    ),
    Page(path=PATH + "/{index}", name="entry", handler=show, roles=EVERYONE, logged=True, menu=False),
)
