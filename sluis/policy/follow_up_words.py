# SPDX-License-Identifier: EUPL-1.2
"""The words of follow-ups in the catalogue (`policies/catalog/follow_ups.yaml`), and whether a statement keeps to them.

Each act carries certain sorts of code and no others; a word that is not listed does not exist. The code `function`
of `attend` takes its words from `functions.yaml`.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from sluis.errors import InvalidInput
from sluis.followup import Act, FollowUp
from sluis.policy.schema import Entry, Labelled
from sluis.policy.yaml_strict import Document

# Which sorts of code an act carries.
SORTS: Mapping[Act, frozenset[str]] = {
    Act.ASK: frozenset({"question"}),
    Act.ANSWER: frozenset({"answer"}),
    Act.FEEDBACK: frozenset({"outcome", "usability", "reason", "measure"}),
    Act.CORRECT: frozenset({"reason"}),
    Act.RECTIFY: frozenset({"reason"}),
    Act.RECALL: frozenset({"reason"}),
    Act.DESTROY: frozenset({"reason"}),
    Act.FULFIL: frozenset({"done"}),
    Act.ATTEND: frozenset({"function"}),
}
FUNCTION = "function"
# What the code itself relies on.
NEEDED = {
    (Act.FULFIL, "done"): frozenset({"MARKED", "DESTROYED", "NOT_FOUND"}),
    (Act.DESTROY, "reason"): frozenset({"RETENTION_ENDED", "CERTIFICATE_LOST"}),
}
_TERM = re.compile(r"P([1-9][0-9]{0,3})D|PT([1-9][0-9]{0,3})([HS])")
_DAY_MS = 86_400_000
_UNIT_MS = {"H": 3_600_000, "S": 1_000}  # seconds: for trials


def _term(value: str) -> str:
    if not _TERM.fullmatch(value):
        raise ValueError("a term such as `P7D` or `PT4H` is due")
    return value


Word = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9_]{0,39}$")]
TermOfDays = Annotated[str, AfterValidator(_term)]


class FollowUpWord(Labelled):
    """A word; `final` closes the duty to give feedback."""

    final: Literal["yes", "no"] = "no"


class CodeSort(Entry):
    """A sort of code: whether an act must carry one, and its words."""

    due: Literal["yes", "no"] = "no"
    words: dict[Word, FollowUpWord] = Field(default_factory=dict)


class Terms(Entry):
    """Within what time an act is due where no law says so."""

    fulfil: TermOfDays
    answer: TermOfDays
    attend: TermOfDays

    def due_at_ms(self, act: str, now_ms: int) -> int:
        """When an act is due that was asked for now."""
        match = _TERM.fullmatch(str(getattr(self, act)))
        if match is None:
            raise InvalidInput("malformed-rule", where=act)
        days, number, unit = match.groups()
        return now_ms + (int(days) * _DAY_MS if days else int(number) * _UNIT_MS[unit])


class FollowUpWords(Entry):
    """All words of follow-ups."""

    terms: Terms
    acts: dict[Act, dict[str, CodeSort]]

    def words(self, act: Act, sort: str) -> Mapping[str, FollowUpWord]:
        """The words of a sort of code; none when the act has no such sort."""
        found = self.acts[act].get(sort)
        return found.words if found else {}

    def is_final(self, statement: FollowUp) -> bool:
        """Whether a statement closes the duty that it answers."""
        return any(
            word.final == "yes"
            for sort, name in statement.codes.items()
            if (word := self.words(statement.act, sort).get(name)) is not None
        )

    def check(self, statement: FollowUp, functions: Iterable[str]) -> None:
        """Insist on codes of this catalogue. Raises InvalidInput `unknown-code`; the message holds no word."""
        sorts = self.acts[statement.act]
        for sort, name in statement.codes.items():
            if sort not in sorts:
                raise InvalidInput("unknown-code", where=statement.act)
            if name not in (functions if sort == FUNCTION else sorts[sort].words):
                raise InvalidInput("unknown-code", where=f"{statement.act}.{sort}")
        for sort, spec in sorts.items():
            if spec.due == "yes" and sort not in statement.codes:
                raise InvalidInput("unknown-code", where=f"{statement.act}.{sort}")


def check_words(words: FollowUpWords, document: Document) -> None:
    """Check that every act has its sorts of code. Raises InvalidInput `malformed-rule`."""
    for act, due in SORTS.items():
        here = ("follow_ups", "acts", act.value)
        if act not in words.acts:
            raise document.refusal(f"the act `{act}` is missing", here[:2])
        given = words.acts[act].keys()
        if given != due:
            strange = min(given ^ due)
            raise document.refusal(
                f"`{act}` carries exactly: {', '.join(sorted(due))} (not `{strange}`)", here
            )
        for sort, spec in words.acts[act].items():
            if (sort == FUNCTION) is bool(spec.words):
                raise document.refusal(
                    f"`{sort}` {'takes its words from functions.yaml' if spec.words else 'has no words'}",
                    (*here, sort),
                )
            if missing := NEEDED.get((act, sort), frozenset()) - spec.words.keys():
                raise document.refusal(f"the word `{min(missing)}` is missing", (*here, sort, "words"))
