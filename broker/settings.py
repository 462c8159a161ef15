# SPDX-License-Identifier: EUPL-1.2
"""Settings of the broker: a TOML file (`--config`), overridden by SLUIS_BROKER_* in the environment.

listen = "0.0.0.0:7300"
database = "postgresql+psycopg://sluis@db/sluis"      # or sqlite:///path/to/broker.sqlite
keys = "keys"                  # tls.key, tls.crt, ca.crt, receipt.key, log.key
origin = "sluis.example/log/2026"                     # the log's name in every checkpoint
policies = ""                  # the rules; empty: those that came with the software
checkpoint_seconds = 1.0
http_listen = ""               # AuthZEN over HTTPS, such as "0.0.0.0:7380"; empty: off
http_url = ""                  # how others reach it; empty: https:// and http_listen
console_listen = ""            # the officers' console; console_url, _certificate, _key, _oidc: docs/operations.md

[[witnesses]]
url = "https://witness.example"
vkeys = ["witness.example+...+..."]
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from sluis.checkpoint import WITNESS_TYPES, parse_vkeys
from sluis.errors import InvalidInput
from sluis.note import VKey
from sluis.settings import FileSettings, SettingsConfigDict


class WitnessSettings(BaseModel):
    """A witness that is asked to cosign each checkpoint."""

    model_config = ConfigDict(extra="forbid")

    url: str
    vkeys: list[str]
    roots: Path | None = None  # PEM; for a witness under an authority of its own


class OidcSettings(BaseModel):
    """`[console_oidc]`: the identity provider of the officers, and which claims say who somebody is."""

    model_config = ConfigDict(extra="forbid")

    issuer: str
    client_id: str
    client_secret_file: Path | None = None
    scope: str = "openid"
    reference_claim: str = "sub"
    organisation_claim: str = "organisation"
    role_claim: str = "role"
    roles: dict[str, str] = Field(default_factory=dict)  # the provider's words for ours

    def secret(self) -> str:
        """The client's secret; empty for a public client. Raises InvalidInput `malformed-config`."""
        try:
            return self.client_secret_file.read_text("utf-8").strip() if self.client_secret_file else ""
        except (OSError, UnicodeDecodeError):
            raise InvalidInput(
                "malformed-config", "cannot read the secret", where="console_oidc.client_secret_file"
            ) from None


class BrokerSettings(FileSettings):
    """What the broker needs to run."""

    model_config = SettingsConfigDict(env_prefix="SLUIS_BROKER_", extra="forbid")

    listen: str = "127.0.0.1:7300"
    http_listen: str = ""
    http_url: str = Field(default="", pattern=r"^(https://[^/?#\s]+[^?#\s]*[^/?#\s])?$")
    console_listen: str = ""
    console_url: str = Field(default="", pattern=r"^(https?://[^/?#\s]+)?$")
    console_certificate: Path | None = None
    console_key: Path | None = None
    console_oidc: OidcSettings | None = None
    database: str
    keys: Path
    origin: str
    policies: Path | None = None
    earlier_log_vkeys: list[str] = Field(default_factory=list)  # for checkpoints from before a change of keys
    checkpoint_seconds: float = Field(default=1.0, gt=0, le=10)  # auditors wait for the next one
    retention_seconds: float = Field(default=60.0, gt=0, le=3600)
    witnesses: list[WitnessSettings] = Field(default_factory=list)
    grace_seconds: float = 10.0
    wire_tap: Path | None = None

    @property
    def console_address(self) -> str:
        """How officers reach the console, without a slash at the end."""
        scheme = "https" if self.console_certificate else "http"
        return self.console_url or f"{scheme}://{self.console_listen}"

    def witness_vkeys(self) -> list[VKey]:
        """The keys of all witnesses. Raises InvalidInput `malformed-config`."""
        return [vkey for item in self.witnesses for vkey in parse_vkeys(item.vkeys, WITNESS_TYPES)]
