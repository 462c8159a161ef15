# SPDX-License-Identifier: EUPL-1.2
"""The production shape: PostgreSQL, and every process configured by its environment alone, as in a container."""

import json
import tomllib
from pathlib import Path

from demo.stage import Service
from tests.postgres import fresh_database
from tests.scenarios.scene import set_scene


def configure_by_environment(service: Service) -> None:
    """Move a service's settings from its file to its environment; the file goes."""
    *command, flag, path = service.command
    assert flag == "--config"
    noun = command[-2]
    settings = tomllib.loads(Path(path).read_text("utf-8"))
    Path(path).unlink()
    variables = [
        f"SLUIS_{noun.upper()}_{key.upper()}={_text(noun, value)}" for key, value in settings.items()
    ]
    service.command = ["env", *variables, *command]


def _text(noun: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if noun == "witness" and isinstance(value, list):
        return " ".join(value)
    return json.dumps(value)


async def test_a_day_on_postgresql_with_settings_from_the_environment(tmp_path: Path) -> None:
    with fresh_database() as database, set_scene(tmp_path, database=database) as scene:
        for service in scene.stage.services:
            configure_by_environment(service)
        scene.stage.start()
        await scene.keep_registers()
        await scene.push(5)
        assert len(await scene.receive()) == 5
        report = await scene.audit()
        assert report.decisions["signal.push permit"] == 5
        assert len(report.cosigners) == 1
        for service in scene.stage.services:
            service.stop()
            assert service.process is not None
            assert service.process.returncode == 0
