# SPDX-License-Identifier: EUPL-1.2
"""Settings of a witness: environment variables before a TOML file.

SLUIS_WITNESS_NAME        name = "witness.example/w1"               in every cosignature, for ever
SLUIS_WITNESS_LISTEN      listen = "127.0.0.1:8463"                 port 0 takes a free one
SLUIS_WITNESS_STATE       state = "/var/lib/sluis/witness.sqlite"
SLUIS_WITNESS_KEY         key = "/etc/sluis/witness.key"
SLUIS_WITNESS_LOG_VKEYS   log_vkeys = ["broker.example/log+..."]    in the variable: separated by spaces
SLUIS_WITNESS_TLS_CERTIFICATE, SLUIS_WITNESS_TLS_KEY                optional; else a proxy does TLS
"""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from sluis.checkpoint import LOG_TYPES, parse_vkeys
from sluis.errors import InvalidInput, NotFound, SluisError
from sluis.note import VKey, check_name


class WitnessSettings(BaseSettings):
    """What a witness needs to know; use `load_settings`, which turns errors into ours."""

    model_config = SettingsConfigDict(env_prefix="SLUIS_WITNESS_", extra="forbid", frozen=True)

    name: str
    listen: str = "127.0.0.1:8463"
    state: Path
    key: Path
    log_vkeys: Annotated[tuple[str, ...], NoDecode]
    tls_certificate: Path | None = None
    tls_key: Path | None = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @field_validator("log_vkeys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(value.split()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> "WitnessSettings":
        try:
            check_name(self.name)
            vkeys = self.logs()
            self.address()
        except SluisError as error:
            raise ValueError(error.message) from None
        if not vkeys:
            raise ValueError("a witness needs the verifier key of at least one log")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key come together")
        return self

    def logs(self) -> tuple[VKey, ...]:
        """The verifier keys of the logs to witness; a key's name is the log's origin."""
        return parse_vkeys(self.log_vkeys, LOG_TYPES)

    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        host, colon, port = self.listen.rpartition(":")
        if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
            raise InvalidInput("malformed-config", "`listen` is `host:port`")
        return host.removeprefix("[").removesuffix("]"), int(port)


def load_settings(path: Path | None = None) -> WitnessSettings:
    """Read the settings, from a TOML file too when one is named.

    Raises NotFound `file-not-found`, InvalidInput `malformed-config` naming the settings that are wrong.
    """
    if path is not None and not path.is_file():
        raise NotFound("file-not-found", f"`{path}` is not there")

    class FromFile(WitnessSettings):
        model_config = SettingsConfigDict(toml_file=path)

    try:
        return FromFile()
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'settings'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise InvalidInput("malformed-config", f"the witness's settings are wrong: {problems}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError):
        raise InvalidInput("malformed-config", f"`{path}` is not a readable TOML file") from None
