# SPDX-License-Identifier: EUPL-1.2
"""Who may compute pseudonyms in whose domain.

From the agreements' own text: in the domain of a recipient may compute the recipient itself, and those whose
role may send to the recipient's role. The evaluator reads its own copy of the agreements and its own list of
parties; the broker has no say in it.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from sluis.errors import InvalidInput, NotFound, NotPermitted
from sluis.identifiers import Oin
from sluis.policy.bundle import Bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Domains:
    """The agreements and parties of one evaluator."""

    bundle: Bundle
    roles: dict[Oin, str]

    @classmethod
    def load(cls, bundle: Bundle, parties: Path) -> "Domains":
        """Read the parties file: a TOML table `[parties]` of OIN = "role".

        Raises NotFound `file-not-found`, InvalidInput `malformed-config`.
        """
        try:
            data = tomllib.loads(parties.read_text("utf-8"))
            table = data["parties"]
            roles = {Oin.parse(oin): str(role) for oin, role in table.items()}
        except OSError:
            raise NotFound("file-not-found", where=str(parties)) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, AttributeError, InvalidInput):
            raise InvalidInput(
                "malformed-config", "a table [parties] of OIN = role is due", where=str(parties)
            ) from None
        if not bundle.catalog.roles.keys() >= set(roles.values()):
            raise InvalidInput("malformed-config", "a role is not in the catalogue", where=str(parties))
        return cls(bundle=bundle, roles=roles)

    def authorise(self, caller: Oin, agreement: str, recipient: Oin) -> None:
        """Raise NotPermitted `party-unknown` or `not-your-domain`, InvalidInput `unknown-agreement`."""
        role = self.roles.get(caller)
        if role is None:
            raise NotPermitted("party-unknown")
        flows = self._flows(agreement)
        recipient_role = self.roles.get(recipient, "")
        receives = any(flow[1] == recipient_role for flow in flows)
        if not receives or not (caller == recipient or (role, recipient_role) in flows):
            raise NotPermitted("not-your-domain")

    def recipients(self) -> list[tuple[str, Oin]]:
        """Every domain there is: agreement and recipient."""
        return [
            (agreement, oin)
            for agreement in sorted(self.bundle.agreements)
            for oin, role in sorted(self.roles.items())
            if any(flow[1] == role for flow in self.bundle.flows(agreement))
        ]

    def _flows(self, agreement: str) -> set[tuple[str, str]]:
        if agreement not in self.bundle.agreements:
            raise InvalidInput("unknown-agreement", where="agreement")
        return set(self.bundle.flows(agreement))
