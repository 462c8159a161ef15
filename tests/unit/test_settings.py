# SPDX-License-Identifier: EUPL-1.2
"""Settings: a file, overridden by the environment, overridden by the command line; every mistake is named."""

import sys
import textwrap
from pathlib import Path

import pytest
from pydantic import BaseModel, Field
from pydantic_settings import SettingsConfigDict

from broker.settings import BrokerSettings
from evaluator.settings import EvaluatorSettings
from sluis.client.settings import KitSettings
from sluis.errors import InvalidInput, NotFound
from sluis.settings import FileSettings


class Place(BaseModel):
    url: str


class Sample(FileSettings):
    model_config = SettingsConfigDict(env_prefix="SLUIS_TEST_", extra="forbid")

    name: str
    folder: Path
    spare: Path | None = None
    number: int = 7
    places: list[Place] = Field(default_factory=list)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "conf" / "sample.toml"
    path.parent.mkdir()
    path.write_text('name = "file"\nfolder = "data"\nnumber = 1\n[[places]]\nurl = "one"\n', encoding="utf-8")
    return path


def refused(path: Path | None, **given: object) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        Sample.load(path, **given)
    assert caught.value.code == "malformed-config"
    return caught.value


def test_a_file_is_read_and_its_paths_are_relative_to_it(file: Path) -> None:
    settings = Sample.load(file)
    assert (settings.name, settings.number, settings.places) == ("file", 1, [Place(url="one")])
    assert settings.folder == file.parent / "data"


def test_an_absolute_path_stays_and_an_empty_one_is_none(file: Path) -> None:
    file.write_text('name = "n"\nfolder = "/srv/data"\nspare = ""\n', encoding="utf-8")
    settings = Sample.load(file)
    assert (settings.folder, settings.spare) == (Path("/srv/data"), None)


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUIS_TEST_NUMBER", "2")
    monkeypatch.setenv("SLUIS_TEST_NAME", "environment")
    monkeypatch.setenv("SLUIS_TEST_FOLDER", "elsewhere")
    monkeypatch.setenv("SLUIS_TEST_PLACES", '[{"url": "two"}]')
    settings = Sample.load(file, name="given", number=None)
    assert (settings.name, settings.number, settings.folder) == ("given", 2, Path("elsewhere"))
    assert settings.places == [Place(url="two")]


def test_without_a_file_the_environment_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUIS_TEST_NAME", "n")
    monkeypatch.setenv("SLUIS_TEST_FOLDER", "f")
    assert Sample.load(None).number == 7


def test_a_missing_and_an_unknown_key_are_both_named(file: Path) -> None:
    file.write_text('folder = "data"\nnmae = "n"\n', encoding="utf-8")
    error = refused(file)
    assert "`name`" in error.message
    assert "`nmae`" in error.message
    assert error.where == str(file)


def test_a_wrong_value_is_named_but_not_repeated(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUIS_TEST_NUMBER", "secret-number")
    error = refused(file)
    assert "`number`" in error.message
    assert "secret-number" not in str(error)
    monkeypatch.delenv("SLUIS_TEST_NUMBER")
    file.write_text('name = "n"\nfolder = "f"\n[[places]]\nurl = "u"\n[[places]]\n', encoding="utf-8")
    assert "`places.1.url`" in refused(file).message


def test_a_list_in_the_environment_that_is_not_json_is_our_error(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUIS_TEST_PLACES", "[secret")
    assert "secret" not in str(refused(file))


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b"[[", b"name = 'a'\nname = 'b'"])
def test_a_file_that_is_no_toml_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert refused(file).where == str(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.toml", tmp_path):
        with pytest.raises(NotFound) as caught:
            Sample.load(path)
        assert caught.value.code == "file-not-found"


@pytest.mark.parametrize("kind", [BrokerSettings, EvaluatorSettings, KitSettings])
def test_the_example_in_the_docstring_of_each_settings_module_loads(
    kind: type[FileSettings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = sys.modules[kind.__module__].__doc__ or ""
    example = textwrap.dedent(text.partition("\n\n")[2].rstrip('"')).replace("<vkey>, ...", "<vkey>")
    example = example.replace('"<vkey>", ...', '"<vkey>"')
    path = tmp_path / "example.toml"
    path.write_text(example, encoding="utf-8")
    for name in ("SLUIS_BROKER", "SLUIS_OIN"):
        monkeypatch.delenv(name, raising=False)
    settings = kind.load(path)
    assert settings.keys == tmp_path / "keys"  # type: ignore[attr-defined]  # all three have keys
    assert settings.policies is None or kind is KitSettings  # type: ignore[attr-defined]  # and policies
