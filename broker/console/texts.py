# SPDX-License-Identifier: EUPL-1.2
"""The texts of the console in Dutch and English, from texts/*.yaml.

page.today.title:
  nl: Vandaag
  en: Today

A text may hold {names} that are filled in. A key stands in one file; both languages are due.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path

import yaml

from sluis.errors import Defect

FOLDER = Path(__file__).parent / "texts"


class Language(StrEnum):
    """The language of a page."""

    DUTCH = "nl"
    ENGLISH = "en"


@cache
def all_texts() -> Mapping[str, Mapping[str, str]]:
    """Every text by key and language. Raises Defect for a key that is there twice or lacks a language."""
    found: dict[str, Mapping[str, str]] = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        for key, text in yaml.safe_load(path.read_text("utf-8")).items():
            if key in found or set(text) != set(Language) or not all(text.values()):
                raise Defect("defect", f"the text `{key}` of {path.name} is there twice or lacks a language")
            found[key] = text
    return found


def text_of(language: Language, key: str, **values: object) -> str:
    """Give a text. Raises Defect for a key that is not there or a name that is not filled in."""
    try:
        text = all_texts()[key][language]
        return text.format(**values) if values else text
    except (KeyError, IndexError):
        raise Defect("defect", f"there is no text `{key}`, or it wants another name") from None


def has_text(key: str) -> bool:
    """Whether there is such a text."""
    return key in all_texts()
