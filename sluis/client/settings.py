# SPDX-License-Identifier: EUPL-1.2
"""Settings of a participant's kit: `sluis.toml`, overridden by SLUIS_* in the environment.

oin = "00000099000000001000"
keys = "keys"                      # key folder, see `sluis keys new`
state = "state"                    # outbox, inbox, pseudonym cache, pins
agreement = "waadi-14b"
broker = "broker.example:7300"
receipt_key = "<hex>"              # the broker's receipt key
log_vkeys = ["<vkey>", ...]        # the log's verifier keys (C2SP signed-note)
witness_vkeys = ["<vkey>", ...]    # witnesses that you trust
quorum = 1                         # how many of them must have cosigned

[[evaluators]]                     # two at least, of different organisations
oin = "00000099000000008000"
address = "evaluator-a.example:7301"
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from sluis.settings import FileSettings, SettingsConfigDict


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
    log_vkeys: list[str]
    witness_vkeys: list[str]
    quorum: int = 1
    evaluators: list[EvaluatorAddress]
    policies: Path | None = None
    patience_seconds: float = 60.0
