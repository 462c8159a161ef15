# SPDX-License-Identifier: EUPL-1.2
"""Voorstellen: an officer uploads rules, sees what they change, signs; another approves; then they come in force.

A signature is made with the officer's own key, by `sluis policy propose` and `approve` or in her browser
(static/sign.js). The key is never sent. Whatever is sent is a statement, and is checked as one.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from broker.console.pages import INDEX, OFFICERS, Context, Page, Redirect, View, moment_of
from broker.console.people import described
from broker.console.reading import check_reason
from broker.console.views.versions import REPLAY_DAYS, difference_of, replay_of
from broker.policy.bundle_files import MAX_UPLOAD, Brought, read_brought
from broker.policy.proposals import KeepDraft, KeepStatement, State, draft_of, lacks, standing, state_of
from broker.storage.proposal_port import PolicyProposal
from sluis.errors import InvalidInput
from sluis.policy.approval import MAX_STATEMENT, Act, PolicyStatement
from sluis.policy.archive import unpack

LIST = "/voorstellen"
_FORM_AROUND = 64 * 1024


def show_all(context: Context) -> View:
    """Show what was proposed, her own draft, and the form to upload."""
    return View(values=_list(context) | {"problem": None})


def _list(context: Context) -> dict[str, Any]:
    policy = context.reader.policy
    return {
        "proposals": [_described(context, row) for row in policy.proposals()],
        "myself": policy.myself(),
        "most": MAX_UPLOAD >> 20,
    }


async def upload(context: Context) -> View | Redirect:
    """Take rules in. What is wrong with them is told on the page, by file, line and term."""
    context.reader.policy.signing()
    data = context.files.get("rules", b"")
    try:
        if not data:
            raise InvalidInput("file-empty", where="rules")
        brought = await asyncio.to_thread(read_brought, data)
        if brought.failed:
            return View(values=_list(context) | {"problem": _problem_of_cases(brought)})
        draft = draft_of(
            brought, context.reader.policy.active(), context.reader.policy.signatory, context.now
        )
    except InvalidInput as error:
        problem = {"where": error.where, "message": error.message, "cases": ()}
        return View(values=_list(context) | {"problem": problem})
    await context.submit(KeepDraft(row=draft))
    return Redirect(to=f"{LIST}/{draft.proposal_id}")


def _problem_of_cases(brought: Brought) -> dict[str, Any]:
    return {"where": "", "message": "", "cases": brought.failed}


def show(context: Context) -> View:
    """Show one proposal: what changes, who signed, what is still due. Raises NotFound."""
    policy = context.reader.policy
    row = policy.proposal(context.parts["id"])
    statements = policy.statements(row.proposal_id)
    before = context.library.activated(row.from_digest)
    after = context.library.proposed(row.to_digest, row.content)
    change = context.library.difference(before, after)
    officers = policy.officers()
    state = state_of(row, statements, officers, change, policy.active())
    return View(
        values={
            "proposal": _described(context, row),
            "statements": [(item, officers.get(item.officer)) for item in statements],
            "difference": difference_of(context, change, before, after),
            "replay": replay_of(context, after),
            "replay_days": REPLAY_DAYS,
            "rules": len(after.rules),
            "state": state.value,
            "lacking": lacks(statements, officers, change),
            "act": _act(context, row, statements, state),
            "may_activate": state is State.APPROVED and policy.myself() is not None,
            "signed_at": context.now.replace(microsecond=0).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    )


def _act(context: Context, row: PolicyProposal, statements: Sequence[PolicyStatement], state: State) -> str:
    """What she can sign now; empty when nothing."""
    myself = context.reader.policy.myself()
    signed = {item.officer for item in statements}
    if myself is None or myself.officer in signed or state in (State.IN_FORCE, State.OVERTAKEN):
        return ""
    if statements:
        return Act.APPROVE.value
    return Act.PROPOSE.value if row.officer == myself.officer else ""


async def sign(context: Context) -> Redirect:
    """Take a signed statement in. Raises what `KeepStatement` raises."""
    row = context.reader.policy.proposal(context.parts["id"])
    data = context.files.get("file", b"") or context.form.get("statement", "").encode("utf-8", "replace")
    if not data.strip():
        raise InvalidInput("malformed-request", "a signed statement is due", where="statement")
    statement = PolicyStatement.parse(data)
    await context.submit(
        KeepStatement(proposal=row, statement=statement, signatory=context.reader.policy.signatory)
    )
    return Redirect(to=f"{LIST}/{row.proposal_id}")


def activate(context: Context) -> Redirect:
    """Put approved rules in force, for a reason that the log keeps. Raises what `Activator` raises."""
    policy = context.reader.policy
    policy.signing()
    row = policy.proposal(context.parts["id"])
    reason = check_reason(context.form.get("reason", ""))
    order = {"ordered_by": described(context.officer), "reason": reason}
    signed = standing(policy.statements(row.proposal_id), policy.officers())
    context.library.activate(unpack(row.content), signed, order, context.now)
    return Redirect(to=f"{LIST}/{row.proposal_id}")


def _described(context: Context, row: PolicyProposal) -> dict[str, Any]:
    policy = context.reader.policy
    statements = policy.statements(row.proposal_id)
    party = context.reader.party(row.organisation)
    return {
        "row": row,
        "href": f"{LIST}/{row.proposal_id}",
        "at": moment_of(row.at_ms),
        "organisation": party.name if party else "",
        "signed": len(statements),
        "is_current": policy.active() == row.to_digest,
        "is_overtaken": policy.active() not in (row.to_digest, row.from_digest),
    }


PAGES = (
    Page(path=LIST, name="proposals", handler=show_all, roles=OFFICERS, logged=False, menu=False),
    Page(
        path=LIST,
        name="proposals",
        handler=upload,
        roles=OFFICERS,
        logged=False,
        method="POST",
        upload=MAX_UPLOAD + _FORM_AROUND,
        menu=False,
    ),
    Page(
        path=f"{LIST}/{{id}}",
        name="proposal",
        handler=show,
        roles=OFFICERS,
        logged=True,
        filters={"days": INDEX},
        menu=False,
    ),
    Page(
        path=f"{LIST}/{{id}}/verklaring",
        name="proposal",
        handler=sign,
        roles=OFFICERS,
        logged=False,
        method="POST",
        upload=MAX_STATEMENT + _FORM_AROUND,
        menu=False,
    ),
    Page(
        path=f"{LIST}/{{id}}/activeren",
        name="proposal",
        handler=activate,
        roles=OFFICERS,
        logged=False,
        method="POST",
        menu=False,
    ),
)
