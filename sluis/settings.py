# SPDX-License-Identifier: EUPL-1.2
"""Settings from a TOML file, overridden by the environment; relative paths are relative to the file."""

import tomllib
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from sluis.errors import InvalidInput, NotFound

__all__ = ["FileSettings", "SettingsConfigDict"]


class FileSettings(BaseSettings):
    """Base of all settings. Values in the environment win over the file."""

    @classmethod
    def load(cls, path: Path | None, **given: Any) -> Self:
        """Read a file, the environment, and what was given on the command line (which wins).

        Raises NotFound `file-not-found`, InvalidInput `malformed-config` naming each wrong key.
        """
        values: dict[str, Any] = _read(path) if path else {}
        if path:
            values = {key: _anchor(cls, path.parent, key, value) for key, value in values.items()}
        environment = cls._from_environment()
        try:
            return cls(**{**values, **environment, **{k: v for k, v in given.items() if v is not None}})
        except ValidationError as error:
            problems = "; ".join(
                f"`{'.'.join(str(part) for part in item['loc'])}`: {item['msg'].lower()}"
                for item in error.errors()
            )
            raise InvalidInput("malformed-config", problems, where=str(path or "environment")) from None

    @classmethod
    def _from_environment(cls) -> dict[str, Any]:
        try:
            return dict(EnvSettingsSource(cls)())
        except SettingsError:
            raise InvalidInput(
                "malformed-config", "a list or table in the environment is not JSON", where="environment"
            ) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError:
        raise NotFound("file-not-found", where=str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput("malformed-config", f"not a TOML file: {error}", where=str(path)) from None


def _anchor(cls: type[FileSettings], folder: Path, key: str, value: Any) -> Any:
    field = cls.model_fields.get(key)
    is_path = field is not None and field.annotation in (Path, Path | None)
    if not is_path or not isinstance(value, str):
        return value
    return folder / value if value else None
