# SPDX-License-Identifier: EUPL-1.2
"""The rules change while the broker runs: proposed, compared, replayed, approved by another officer, activated.

The change: fines may be one year old instead of two. It is narrower, so any second officer may approve it. The same
fine that passed before is then refused, and every decision of the day comes out as recorded under the rules of then.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from adapters.labour_inspectorate import fine_draft
from broker.policy.activation import Activated, Activator
from broker.policy.active import stored_bundle
from broker.policy.change.diff import PolicyDiff, diff
from broker.policy.officers import OfficerFunction, Officers
from broker.policy.replay import Replay, replay
from broker.storage.open import open_store
from broker.storage.port import Store
from demo.cast import CastMember
from demo.own_fines import fine_on
from demo.rules import rules_of, write_files
from demo.stage import AGREEMENT, Stage
from sluis.client import Kit
from sluis.client.sender import PushOutcome
from sluis.errors import Conflict
from sluis.identifiers import Identifier
from sluis.keys import write_secret
from sluis.policy.approval import Act, PolicyStatement
from sluis.policy.bundle import Bundle, default_directory, read_bundle
from sluis.signing import SigningKey
from sluis.stored_zip import pack_zip

EDITS = (
    ("not_older_than_years: 2", "not_older_than_years: 1"),
    ("De boetebeschikking is ten hoogste twee jaar oud", "De boetebeschikking is ten hoogste een jaar oud"),
)
OFFICERS = (("fg-1", OfficerFunction.PRIVACY), ("jurist-1", OfficerFunction.LEGAL))
KEY = "officer.key"


def enrol_for_console(stage: Stage, name: str, member: CastMember, function: OfficerFunction) -> Path:
    """Make an officer's own key in her organisation's folder, and let her sign changes of the rules with it."""
    path = member.folder / f"{name}.{KEY}"
    key = SigningKey.generate()
    write_secret(path, key.to_bytes())
    store = open_store(stage.database)
    try:
        Officers(store, _now).enrol(name, member.oin, function, key.public)
    finally:
        store.close()
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """What the change did."""

    compared: PolicyDiff
    foreseen: Replay  # the day under the proposed rules
    alone: str  # the code with which one officer alone was refused
    done: Activated
    before: PushOutcome
    after: PushOutcome
    record: Replay  # everything under the rules that decided it

    @property
    def holds(self) -> bool:
        """Whether it all came out as it should."""
        return (
            self.compared.verdict == "narrower"
            and self.alone == "approvals-missing"
            and self.before.permitted
            and not self.after.permitted
            and self.after.reason == "LOOKBACK"
            and self.record.replayed > 0
            and self.record.changed == 0
        )


class Office:
    """Two officers of the inspectorate, and the operator who carries out what they sign."""

    def __init__(self, stage: Stage, today: date, certified: Identifier) -> None:
        self._stage = stage
        self._today = today
        self._certified = certified
        self._keys = {name: SigningKey.generate() for name, _ in OFFICERS}

    async def change_rules(self) -> RuleChange:
        """Play the change."""
        before = await self._push(400)
        store = open_store(self._stage.database)
        try:
            return await self._change(store, before)
        finally:
            store.close()

    async def _change(self, store: Store, before: PushOutcome) -> RuleChange:
        officers = Officers(store, _now)
        for name, function in OFFICERS:
            officers.enrol(name, self._stage.cast.inspectorate.oin, function, self._keys[name].public)
        active = stored_bundle(store, store.activations()[-1].digest)
        files = _edited(rules_of(self._stage))
        proposed = read_bundle(files)
        compared = diff(active, proposed)
        foreseen = replay(store.decided(0, store.head().tree.size), lambda digest: proposed)
        statements = [
            self._statement(Act.PROPOSE, "fg-1", active, proposed),
            self._statement(Act.APPROVE, "jurist-1", active, proposed),
        ]
        activator = Activator(store, _now)
        alone = ""
        try:
            activator.activate(files, statements[:1])
        except Conflict as error:
            alone = error.code
        done = activator.activate(files, statements)
        after = await self._push(401)
        known: dict[str, Bundle] = {active.digest: active, proposed.digest: proposed}
        record = replay(store.decided(0, store.head().tree.size), known.__getitem__)
        return RuleChange(
            compared=compared,
            foreseen=foreseen,
            alone=alone,
            done=done,
            before=before,
            after=after,
            record=record,
        )

    async def _push(self, days: int) -> PushOutcome:
        """A fine of so many days ago: under two years, over one."""
        fine = fine_on(self._certified, self._today - timedelta(days=days))
        async with Kit.open(self._stage.settings(self._stage.cast.inspectorate)) as kit:
            (outcome,) = await kit.sender.push([fine_draft(fine, self._stage.cast.foundation.oin)])
        return outcome

    def _statement(self, act: Act, officer: str, active: Bundle, proposed: Bundle) -> PolicyStatement:
        return PolicyStatement(
            act=act,
            from_digest=active.digest,
            to_digest=proposed.digest,
            officer=officer,
            reason="demo: een jaar terugkijken is genoeg",
            at=_now().replace(microsecond=0),
        ).signed(self._keys[officer])


def _edited(files: dict[str, bytes]) -> dict[str, bytes]:
    """These rules with the change."""
    name = f"agreements/{AGREEMENT}.yaml"
    text = files[name].decode()
    for old, new in EDITS:
        text = text.replace(old, new)
    return {**files, name: text.encode()}


def write_edited(folder: Path, files: dict[str, bytes]) -> None:
    """Keep the proposed rules where a reader of the demo's folder finds them."""
    write_files(folder, _edited(files))


def write_proposal(stage: Stage) -> Path:
    """The first rules with their cases as a zip, to propose in the console after the day has changed them."""
    cases = {
        f"cases/{entry.name}": entry.read_bytes()
        for entry in default_directory().joinpath("cases").iterdir()
        if entry.name.endswith(".yaml")
    }
    path = stage.root / "proposal.zip"
    path.write_bytes(pack_zip({**rules_of(stage), **cases}))
    return path


def _now() -> datetime:
    return datetime.now(UTC)
