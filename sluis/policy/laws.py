# SPDX-License-Identifier: EUPL-1.2
"""Laws and decrees with the dated texts of the articles on which rules rest (`policies/catalog/laws.yaml`)."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import StringConstraints, model_validator

from sluis.policy.schema import Entry, IsoDate, Prose

ArticleNumber = Annotated[
    str, StringConstraints(pattern=r"^[0-9]{1,3}[a-z]{0,2}([:.][0-9]{1,3}[a-z]{0,2})?$")
]


class Mark(StrEnum):
    """How well we know the text of an article: read today, read in a 2017 text, recalled, or assumed."""

    VERIFIED = "verified"
    TEXT_2017 = "2017"
    RECALLED = "recalled"
    ASSUMED = "assumed"


class ArticleVersion(Entry):
    """A text of an article, from and until which day, and where we read it."""

    article: ArticleNumber
    valid_from: IsoDate
    valid_until: IsoDate | None = None
    mark: Mark
    source: Prose
    note: Prose | None = None


class Law(Entry):
    """A Dutch law or decree (`bwb`), or a Union regulation (`celex`)."""

    bwb: Annotated[str, StringConstraints(pattern=r"^BWBR[0-9]{7}$")] | None = None
    celex: Annotated[str, StringConstraints(pattern=r"^3[0-9]{4}R[0-9]{4}$")] | None = None
    title: Prose
    articles: tuple[ArticleVersion, ...]

    @model_validator(mode="after")
    def _has_one_number(self) -> Self:
        if (self.bwb is None) == (self.celex is None):
            raise ValueError("a law has either a `bwb` or a `celex` number")
        return self

    def reference(self, article: str, paragraph: str | None) -> str:
        """How a reference to an article begins: juriconnect for a Dutch law, ELI for a regulation."""
        if self.bwb is not None:
            lid = f"&lid={paragraph}" if paragraph else ""
            return f"jci1.3:c:{self.bwb}&artikel={article}{lid}"
        celex = self.celex or ""
        eli = f"http://data.europa.eu/eli/reg/{celex[1:5]}/{int(celex[6:])}/art_{article}"
        return f"{eli}/par_{paragraph}" if paragraph else eli
