# SPDX-License-Identifier: EUPL-1.2
"""The one subject of a data subject's request or of a legal hold, as it is given on the command line."""

import sys

from sluis.errors import InvalidInput
from sluis.identifiers import Identifier, IdentifierType
from sluis.persons import Person, person_keys


def read_subject(text: str, type: str) -> Identifier:
    """Read a number, or `given names;surname;YYYY-MM-DD` for type `persoon`; `-` reads it from standard input.

    A person without a number is then known by the first key alone, for which names and date must be spelt as they were
    sent: an answer or a hold about whoever has a similar name would be about somebody else. Raises InvalidInput.
    """
    given = (sys.stdin.readline() if text == "-" else text).strip()
    try:
        sort = IdentifierType(type)
    except ValueError:
        raise InvalidInput("malformed-request", "there is no such type of number", where="--type") from None
    if sort is not IdentifierType.PERSOON:
        return Identifier.parse(sort, given)
    parts = [part.strip() for part in given.split(";")]
    if len(parts) != 3:
        raise InvalidInput(
            "malformed-request", "given names;surname;YYYY-MM-DD are due", where="--type persoon"
        )
    return person_keys(Person(given=parts[0], surname=parts[1], born=parts[2]))[0]
