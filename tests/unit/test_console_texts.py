# SPDX-License-Identifier: EUPL-1.2
"""The texts of the console: both languages, the same names in both, and every text that is used."""

import re
from pathlib import Path

import pytest

from broker.console import texts
from broker.console.render import TEMPLATES
from broker.console.texts import FOLDER, Language, all_texts, has_text, text_of
from broker.console.views import PAGES
from sluis.errors import Defect


def test_every_text_has_both_languages_and_the_same_names() -> None:
    found = all_texts()
    assert len(found) > 60
    for key, text in found.items():
        names = {language: set(re.findall(r"\{(\w+)\}", text[language])) for language in Language}
        assert names[Language.DUTCH] == names[Language.ENGLISH], key


def test_a_text_without_a_language_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path
    (folder / "a.yaml").write_text("a.b: {nl: Ja}\n", "utf-8")
    monkeypatch.setattr(texts, "FOLDER", folder)
    all_texts.cache_clear()
    try:
        with pytest.raises(Defect):
            all_texts()
    finally:
        monkeypatch.setattr(texts, "FOLDER", FOLDER)
        all_texts.cache_clear()


def test_every_text_of_a_template_and_of_the_table_exists() -> None:
    used = {page.title for page in PAGES}
    for path in TEMPLATES.rglob("*.html"):
        used |= set(re.findall(r"\bt\(['\"]([a-z0-9_.]+[a-z0-9_])['\"]\s*[,)]", path.read_text("utf-8")))
    assert len(used) > 40
    assert {key for key in used if not has_text(key)} == set()
    with pytest.raises(Defect):
        text_of(Language.DUTCH, "no.such.text")
