# SPDX-License-Identifier: EUPL-1.2
"""Settings of a participant's kit: `sluis.toml`, overridden by SLUIS_* in the environment.

oin = "00000099000000001000"
keys = "keys"                      # key folder, see `sluis keys new`
state = "state"                    # outbox, inbox, pseudonym cache, pins
agreement = "waadi-14b"
broker = "broker.example:7300"
receipt_key = "<hex>"              # the broker's receipt key; others that hold: other_receipt_keys = [...]
log_vkeys = ["<vkey>", ...]        # the log's verifier keys (C2SP signed-note)
witness_vkeys = ["<vkey>", ...]    # witnesses that you trust
quorum = 1                         # how many of them must have cosigned
# log_policy = "log.policy"        # C2SP tlog-policy, in place of the three above

[[evaluators]]                     # two at least, of different organisations
oin = "00000099000000008000"
address = "evaluator-a.example:7301"
"""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sluis.checkpoint import LOG_TYPES, WITNESS_TYPES, parse_vkeys
from sluis.errors import InvalidInput, NotFound
from sluis.settings import FileSettings, SettingsConfigDict
from sluis.signing import VerifyKey, VerifyKeys
from sluis.tlog_policy import TlogPolicy


class EvaluatorAddress(BaseModel):
    """Where an evaluator listens, and who it is."""

    model_config = ConfigDict(extra="forbid")

    oin: str
    address: str
    server_name: str = ""


class KitSettings(FileSettings):
    """What a participant's kit needs."""

    model_config = SettingsConfigDict(env_prefix="SLUIS_", extra="forbid")

    oin: str
    keys: Path
    state: Path
    agreement: str
    broker: str
    broker_name: str = ""
    receipt_key: str
    other_receipt_keys: list[str] = Field(default_factory=list)
    log_vkeys: list[str] = Field(default_factory=list)
    witness_vkeys: list[str] = Field(default_factory=list)
    quorum: int = 1
    log_policy: Path | None = None
    evaluators: list[EvaluatorAddress]
    policies: Path | None = None
    patience_seconds: float = 60.0
    # After each command: the time to check receipts; with 0, only `sluis audit receipts` does.
    receipt_seconds: float = Field(default=2.0, ge=0, le=600)
    # Within this time after it was given, a receipt must be proven.
    promise_seconds: float = Field(default=600.0, gt=0)
    # Where `sluis audit gossip` asks what witnesses cosigned.
    witness_urls: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_trust(self) -> Self:
        own = {"log_vkeys", "witness_vkeys", "quorum"} & self.model_fields_set
        if self.log_policy and own:
            raise ValueError(f"log_policy stands in place of {', '.join(sorted(own))}")
        if not self.log_policy and not {"log_vkeys", "witness_vkeys"} <= own:
            raise ValueError("log_vkeys and witness_vkeys are due, or log_policy")
        return self

    def receipt_verify_keys(self) -> VerifyKeys:
        """The broker's receipt keys. Raises InvalidInput `malformed-config`, `malformed-request`."""
        try:
            raw = [bytes.fromhex(text) for text in (self.receipt_key, *self.other_receipt_keys)]
        except ValueError:
            raise InvalidInput(
                "malformed-config", "a receipt key is hexadecimal", where="receipt_key"
            ) from None
        return VerifyKeys(tuple(VerifyKey(key) for key in raw))

    def trusted_log(self) -> TlogPolicy:
        """The one log that this kit follows, and the witnesses it wants.

        Raises NotFound `file-not-found`; InvalidInput `malformed-config`, `malformed-encoding`.
        """
        if self.log_policy is None:
            policy = TlogPolicy.of(
                parse_vkeys(self.log_vkeys, LOG_TYPES),
                parse_vkeys(self.witness_vkeys, WITNESS_TYPES),
                self.quorum,
            )
        else:
            try:
                data = self.log_policy.read_bytes()
            except OSError:
                raise NotFound("file-not-found", where=str(self.log_policy)) from None
            policy = TlogPolicy.parse(data)
        if len({vkey.name for vkey in policy.log_vkeys}) != 1:
            raise InvalidInput("malformed-config", "a kit follows exactly one log", where="log_vkeys")
        return policy
