# SPDX-License-Identifier: EUPL-1.2
"""The form of `policies/cases/*.yaml`: examples that a lawyer reads and writes, with the outcome that must follow.

    afspraak: waadi-14b            the agreement, unless a case names another
    standaard: {datum: ...}        what every case takes over
    zaken:
      - naam: X08 De boete is drie jaar oud
        beweringen: {provision: WML 7, decided_on: 2023-11-23}
        besluit: geweigerd
        reden: LOOKBACK

What goes in may be unknown to the catalogue: a case may be about just that. What must come out may not, nor may
the facts and counters, of which an unknown one would silently mean nothing.
It does *not* decide: see `broker.policy.cases`.
"""

from collections.abc import Collection
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError
from pydantic_core import ErrorDetails

from sluis.policy.bundle import Bundle
from sluis.policy.facts import CounterFact, RegisterFact, StatedFact
from sluis.policy.rules import Obligations, Operation
from sluis.policy.schema import PROBLEMS, Entry, IsoDate, Prose, Sequence, WholeNumber
from sluis.policy.yaml_strict import MAX_BYTES, Document, Tree, load, refusal
from sluis.policy.yaml_strict import Path as Steps


def _yes(value: object) -> bool:
    if value not in ("ja", "nee"):
        raise ValueError("write `ja` or `nee`")
    return value == "ja"


def _claims(value: object) -> object:
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ValueError("names with a text each are due, such as `{provision: WML 7}`")
    return value


YesNo = Annotated[bool, BeforeValidator(_yes)]
Texts = Annotated[dict[str, str], BeforeValidator(_claims)]


class Case(Entry):
    """One example, completed with what its file takes as given. `None` means: nothing is demanded of it."""

    name: Prose = Field(alias="naam")
    agreement: Prose = Field(alias="afspraak")
    day: IsoDate = Field(alias="datum")
    operation: Operation = Field(alias="handeling")
    sender: str = Field(alias="van")
    recipient: str = Field(alias="naar")
    same_party: YesNo = Field(False, alias="zelfde_partij")
    delivery: str = Field("", alias="aflevering")
    kind: str = Field(alias="soort")
    purpose: str = Field(alias="doel")
    fields: Sequence = Field(alias="velden")
    declared: Texts = Field({}, alias="opgegeven_categorie")
    claims: Texts = Field({}, alias="beweringen")
    proven: Sequence = Field((), alias="bewezen")
    disproven: Sequence = Field((), alias="weerlegd")
    asserted: Sequence = Field((), alias="beweerd_door_afzender")
    stated: Sequence = Field((), alias="verklaard")
    statements: Texts = Field({}, alias="verklaringen")
    subjects: WholeNumber = Field(1, alias="onderwerpen")
    counted: dict[str, WholeNumber] = Field({}, alias="geteld")
    strict: YesNo = Field(False, alias="streng")

    verdict: Literal["toegestaan", "geweigerd"] = Field(alias="besluit")
    reason: str | None = Field(None, alias="reden")
    rule: str | None = Field(None, alias="regel")
    assumed: YesNo | None = Field(None, alias="aangenomen")
    released: Sequence | None = Field(None, alias="doorgelaten")
    withheld: Texts | None = Field(None, alias="achtergehouden")
    duties: Texts | None = Field(None, alias="plichten")

    _where: str = PrivateAttr("")

    @property
    def where(self) -> str:
        """File and line, such as `cases/waadi-14b.yaml:22`."""
        return self._where

    @property
    def file(self) -> str:
        """The file's name without folder and ending, such as `waadi-14b`."""
        return self._where.partition("/")[2].partition(".yaml")[0]


class _CaseFile:
    """A file while it is read: finds the line of a key in the case itself, or else under `standaard`."""

    def __init__(self, document: Document) -> None:
        self._document = document
        content = document.value
        if not isinstance(content, dict):
            raise document.refusal("keys are due here: `afspraak`, `standaard` and `zaken`")
        for key in content:
            if key not in ("afspraak", "standaard", "zaken"):
                raise document.refusal(
                    f"`{key}`: this key is not known here; a file has `afspraak`, `standaard` and `zaken`",
                    (key,),
                )
        cases = content.get("zaken")
        if not isinstance(cases, list) or not cases:
            raise document.refusal("`zaken`: a list of at least one case is due", ("zaken",))
        standard = content.get("standaard", {})
        if not isinstance(standard, dict):
            raise document.refusal("`standaard`: keys and values are due here", ("standaard",))
        self.cases = cases
        self._standard = standard
        self._given: dict[str, Tree] = {key: content[key] for key in ("afspraak",) if key in content}
        self._check_standard()

    def _check_standard(self) -> None:
        """Refuse a wrong default even when every case overrides it."""
        if "naam" in self._standard:
            raise self._document.refusal("`naam`: every case has a name of its own", ("standaard", "naam"))
        try:
            Case.model_validate(self._standard)
        except ValidationError as error:
            wrong = [item for item in _errors(error) if item["type"] != "missing"]
            if wrong:
                raise self._document.refusal(_message(wrong[0]), ("standaard", *wrong[0]["loc"])) from None

    def case(self, index: int) -> Case:
        """One case with what it takes over."""
        own = self.cases[index]
        if not isinstance(own, dict):
            raise self._document.refusal("a case has keys and values", ("zaken", index))
        try:
            case = Case.model_validate({**self._given, **self._standard, **own})
        except ValidationError as error:
            first = _errors(error)[0]
            raise self._document.refusal(_message(first), self._path(index, tuple(first["loc"]))) from None
        case._where = f"{self._document.name}:{self._document.line(('zaken', index))}"
        return case

    def _path(self, index: int, steps: Steps) -> Steps:
        own = self.cases[index]
        if isinstance(own, dict) and steps[:1] and steps[0] in own:
            return ("zaken", index, *steps)
        if steps[:1] and steps[0] in self._standard:
            return ("standaard", *steps)
        return ("zaken", index)

    def insist(self, index: int, key: str, words: Collection[str], known: Collection[str], due: str) -> None:
        """Refuse the first word that is not known, at the line of its key."""
        if strange := [word for word in words if word not in known]:
            name = self.case(index).name
            message = f"`{key}` of `{name}`: `{strange[0]}` is not {due}"
            raise self._document.refusal(message, self._path(index, (key,)))

    def once(self, index: int, name: str, seen: Collection[str]) -> None:
        """Refuse a name that an earlier case of the file has."""
        if name in seen:
            raise self._document.refusal(f"`naam`: `{name}` is used twice", self._path(index, ("naam",)))


def _errors(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_context=False, include_input=False)


def _message(error: ErrorDetails) -> str:
    key = ".".join(str(step) for step in error["loc"])
    if error["type"] == "missing":
        return f"`{key}`: this key is missing; write it in the case or under `standaard`"
    problem = PROBLEMS.get(error["type"], error["msg"].removeprefix("Value error, "))
    return f"`{key}`: {problem[:1].lower()}{problem[1:]}"


def read_cases(document: Document, bundle: Bundle) -> tuple[Case, ...]:
    """Read all cases of a file. Raises InvalidInput `malformed-rule` with file, line and key."""
    file = _CaseFile(document)
    cases: dict[str, Case] = {}
    for index in range(len(file.cases)):
        case = file.case(index)
        file.once(index, case.name, cases)
        _check_words(file, index, case, bundle)
        cases[case.name] = case
    return tuple(cases.values())


def _check_words(file: _CaseFile, index: int, case: Case, bundle: Bundle) -> None:
    facts = bundle.catalog.facts
    registered = {name for name, fact in facts.items() if isinstance(fact, RegisterFact)}
    stated = {name for name, fact in facts.items() if isinstance(fact, StatedFact)}
    counters = {name for name, fact in facts.items() if isinstance(fact, CounterFact)}
    codes, names = bundle.catalog.reasons, bundle.fields
    by_register = "a fact that a register proves (`policies/catalog/facts.yaml`); is `verklaard` meant?"
    by_person = "a fact that a person states (`policies/catalog/facts.yaml`); is `bewezen` meant?"
    rows: list[tuple[str, Collection[str], Collection[str], str]] = [
        ("bewezen", case.proven, registered, by_register),
        ("weerlegd", case.disproven, registered, by_register),
        ("beweerd_door_afzender", case.asserted, facts, "a fact of the catalogue"),
        ("verklaard", case.stated, stated, by_person),
        ("verklaringen", case.statements, stated, by_person),
        ("geteld", case.counted, counters, "a counter of the catalogue"),
        ("reden", [case.reason] if case.reason else [], codes, "a code of `policies/catalog/reasons.yaml`"),
        (
            "regel",
            [case.rule] if case.rule else [],
            bundle.rules,
            "the id of a rule in `policies/agreements/`",
        ),
        ("doorgelaten", case.released or (), names, "a field of the catalogue"),
        ("achtergehouden", case.withheld or (), names, "a field of the catalogue"),
        (
            "achtergehouden",
            (case.withheld or {}).values(),
            codes,
            "a code of `policies/catalog/reasons.yaml`",
        ),
        ("plichten", case.duties or (), Obligations.model_fields, "a duty that a rule can impose"),
    ]
    for key, words, known, due in rows:
        file.insist(index, key, words, known, due)


def load_cases(directory: Traversable | Path, bundle: Bundle) -> tuple[Case, ...]:
    """Read the cases below a directory of rules, in order of files. Raises InvalidInput `malformed-rule`."""
    cases: list[Case] = []
    try:
        for entry in sorted(directory.joinpath("cases").iterdir(), key=lambda entry: entry.name):
            if entry.name.startswith((".", "__")):
                continue
            name = f"cases/{entry.name}"
            if not entry.name.endswith(".yaml") or not entry.is_file():
                raise refusal("only files with cases (.yaml) belong here", name, 1)
            with entry.open("rb") as stream:
                cases += read_cases(load(stream.read(MAX_BYTES + 1), name), bundle)
    except OSError as error:
        raise refusal(f"the cases cannot be read: {error.strerror}", "cases", 1) from None
    if not cases:
        raise refusal("there is no file with cases here", "cases", 1)
    return tuple(cases)
