# SPDX-License-Identifier: EUPL-1.2
"""Derived keys of a person: two descriptions that share one are taken to be of one person.

    key   names                                          date of birth     bears
    E     all surnames and the first given name, as spelt  in full          nothing
    P     one given name and one surname, by sound         in full, day     other spellings, order, swapped or missing
                                                           and month alike  names, day and month swapped
    S     a surname by sound, a given name's first sound   in full          a given name mistyped, cut or replaced
    G     a given name by sound, a surname's first two     in full          a surname mistyped
    D     first given name and first surname, as spelt     with a gap       day or month mistyped or unknown, a digit
                                                                            of the year mistyped

A key is an identifier of the type `persoon`, so it becomes a pseudonym like any number, through both evaluators, and
nobody can compare persons who cannot compute it. Never nationality or origin. Precision and recall, on generated
names with realistic mistakes: `python -m bench.persons`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from sluis.errors import InvalidInput, NotPermitted
from sluis.identifiers import Identifier, IdentifierType
from sluis.persons.names import sound, tokens

MAX_KEYS = 12
MAX_NAME = 100
_GIVEN, _SURNAMES = 2, 2
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person as a document or a person describes them; nothing of it is in the repr.

    `given` and `surname` may have several words. `born` is `YYYY-MM-DD`; day, or day and month, are `00` when
    unknown. Raises InvalidInput `person-name` or `person-birth-date`.
    """

    given: str = field(repr=False)
    surname: str = field(repr=False)
    born: str = field(repr=False)

    def __post_init__(self) -> None:
        for part, name in (("given", self.given), ("surname", self.surname)):
            if len(name) > MAX_NAME or not tokens(name):
                raise InvalidInput(
                    "person-name", f"1 to {MAX_NAME} characters with a letter among them", where=part
                )
        if not _DATE.fullmatch(self.born) or not _is_date(self.born):
            raise InvalidInput("person-birth-date", "YYYY-MM-DD, with 00 for what is unknown", where="born")


def person_keys(person: Person) -> tuple[Identifier, ...]:
    """The keys of a person, the strictest first, each once; at most 12."""
    given, surnames = tokens(person.given), tokens(person.surname)
    year, month, day = person.born.split("-")
    swapped = year + "".join(sorted((month, day)))
    first, family = given[0], surnames[0]
    whole = year + month + day
    values = [
        f"E:{'-'.join(sorted(surnames))}-{first}:{whole}",
        *(
            f"P:{'-'.join(sorted((sound(one), sound(other))))}:{swapped}"
            for one in given[:_GIVEN]
            for other in surnames[:_SURNAMES]
        ),
        f"S:{sound(family)}-{sound(first)[0]}:{whole}",
        f"G:{sound(first)}-{sound(family)[:2]}:{whole}",
        *(f"D:{'-'.join(sorted((first, family)))}:{parts}" for parts in _with_a_gap(year, month, day)),
    ]
    return tuple(Identifier(type=IdentifierType.PERSOON, value=value) for value in dict.fromkeys(values))


def check_not_in_bulk(subjects: Iterable[Identifier]) -> None:
    """Refuse persons in what is about many at once, or stays. Raises NotPermitted `persons-not-in-bulk`."""
    if any(one.type is IdentifierType.PERSOON for one in subjects):
        raise NotPermitted("persons-not-in-bulk")


def _with_a_gap(year: str, month: str, day: str) -> tuple[str, ...]:
    """The date without its day, its month, and either of the last digits of its year.

    Without the whole year it would fit fifty times as many people, and did most harm to precision.
    """
    return (
        f"{year}{month}xx",
        f"{year}xx{day}",
        f"{year[:3]}x{month}{day}",
        f"{year[:2]}x{year[3]}{month}{day}",
    )


def _is_date(text: str) -> bool:
    year, month, day = (int(part) for part in text.split("-"))
    if day == 0:
        return year >= 1850 and 0 <= month <= 12
    try:
        return date(year, month, day).year >= 1850
    except ValueError:
        return False
