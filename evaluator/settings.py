# SPDX-License-Identifier: EUPL-1.2
"""Settings of an evaluator: a TOML file (`--config`), overridden by SLUIS_EVALUATOR_* in the environment.

listen = "0.0.0.0:7301"
keys = "keys"                 # key folder: signing.key, tls.key, tls.crt, ca.crt
seeds = "seeds.json"          # secret epoch seeds
state = "state"               # budgets
parties = "parties.toml"      # which OIN has which role: this evaluator's own copy
policies = ""                 # the agreements; empty: those that came with the software
daily_budget = 200000         # pseudonyms per participant, domain and day
broker = "broker.example:7300"
receipt_key = "<hex>"         # with log_vkeys, witness_vkeys and quorum: what `sluis evaluator destroy` trusts
"""

from pathlib import Path

from pydantic import Field

from sluis.settings import FileSettings, SettingsConfigDict


class EvaluatorSettings(FileSettings):
    """What one evaluator needs to run."""

    model_config = SettingsConfigDict(env_prefix="SLUIS_EVALUATOR_", extra="forbid")

    listen: str = "127.0.0.1:7301"
    keys: Path
    seeds: Path
    state: Path
    parties: Path
    policies: Path | None = None
    daily_budget: int = 200_000
    threads: int = 2
    broker: str = ""
    broker_name: str = ""
    receipt_key: str = ""
    other_receipt_keys: list[str] = Field(default_factory=list)
    log_vkeys: list[str] = Field(default_factory=list)
    witness_vkeys: list[str] = Field(default_factory=list)
    quorum: int = 1
    wire_tap: Path | None = None
