# SPDX-License-Identifier: EUPL-1.2
"""What derived keys are worth: recall by kind of mistake, and precision, on a generated population.

    python -m bench.persons [--people 1000000] [--asked 20000] [--seed 1]

People are generated: names drawn with the skew of real ones from lists of six languages, dates of birth over fifty
years. Half of those asked are in the population, described with one mistake each (or none); the others are not
there at all. A hit is right when it is the same person. Beside ours: exact comparison of folded names and date, and
American Soundex with the date in full, what registers have often used. Nothing here is about real people.
"""

import argparse
import json
import random
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import yaml

from sluis.errors import InvalidInput
from sluis.persons import Person, person_keys
from sluis.persons.names import tokens

Keys = Callable[[Person], Iterable[str]]

NAMES = {
    language: {sort: words.split() for sort, words in lists.items()}
    for language, lists in yaml.safe_load(
        Path(__file__).with_name("person_names.yaml").read_text("utf-8")
    ).items()
}
LANGUAGES = tuple(NAMES)


def ours(person: Person) -> list[str]:
    """The derived keys."""
    return [key.value for key in person_keys(person)]


def exact(person: Person) -> list[str]:
    """Folded names and date."""
    return ["-".join((*tokens(person.surname), *tokens(person.given), person.born))]


def soundex(person: Person) -> list[str]:
    """Soundex of first given name and first surname, and the date."""
    return ["-".join((_soundex(tokens(person.surname)[0]), _soundex(tokens(person.given)[0]), person.born))]


_CODES = {
    letter: code
    for code, letters in enumerate(("bfpv", "cgjkqsxz", "dt", "l", "mn", "r"), 1)
    for letter in letters
}


def _soundex(word: str) -> str:
    codes, last = [], _CODES.get(word[0])
    for letter in word[1:]:
        code = _CODES.get(letter)
        if code and code != last:
            codes.append(str(code))
        if letter not in "hw":
            last = code
    return (word[0] + "".join(codes) + "000")[:4]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A generated person, with the language of the name."""

    language: str
    person: Person


class Population:
    """Draws people; the more frequent a name is, the sooner it is drawn again (Zipf, exponent 0.9)."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._weights = {
            (sort, language): [1 / (rank + 3) ** 0.9 for rank in range(len(NAMES[language][sort]))]
            for sort in ("given", "surnames")
            for language in LANGUAGES
        }

    def draw(self) -> Drawn:
        """One person."""
        language = self._rng.choice(LANGUAGES)
        surnames = [self._name("surnames", language)]
        if language == "spanish":
            surnames.append(self._name("surnames", language))
        given = [self._name("given", language)]
        if self._rng.random() < 0.25:
            given.append(self._name("given", language))
        born = date(1955, 1, 1) + timedelta(days=self._rng.randrange(365 * 50))
        return Drawn(
            language, Person(given=" ".join(given), surname=" ".join(surnames), born=born.isoformat())
        )

    def _name(self, sort: str, language: str) -> str:
        return self._rng.choices(NAMES[language][sort], self._weights[sort, language])[0]


class Clerk:
    """Writes a person down with one mistake."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.mistakes: dict[str, Callable[[Drawn], Person]] = {
            "none": lambda drawn: drawn.person,
            "marks lost": lambda drawn: self._names(drawn.person, self._ascii),
            "other transliteration": self._transliterated,
            "given name mistyped": lambda drawn: self._with(
                drawn.person, given=self._typo(drawn.person.given)
            ),
            "surname mistyped": lambda drawn: self._with(
                drawn.person, surname=self._typo(drawn.person.surname)
            ),
            "names swapped": lambda d: self._with(d.person, given=d.person.surname, surname=d.person.given),
            "second name missing": lambda d: self._names(d.person, lambda name: name.split(" ")[0]),
            "day and month swapped": self._swapped,
            "digit of the date wrong": self._wrong_digit,
            "day unknown": lambda drawn: self._with(drawn.person, born=drawn.person.born[:8] + "00"),
        }

    def _with(self, person: Person, **changes: str) -> Person:
        values = {"given": person.given, "surname": person.surname, "born": person.born}
        return Person(**{**values, **changes})

    def _names(self, person: Person, change: Callable[[str], str]) -> Person:
        return self._with(person, given=change(person.given), surname=change(person.surname))

    def _ascii(self, name: str) -> str:
        return " ".join(tokens(name)).title()

    def _transliterated(self, drawn: Drawn) -> Person:
        rules = [pair.replace("_", " ").split("=") for pair in NAMES[drawn.language]["written_otherwise"]]

        def change(name: str) -> str:
            written = self._ascii(name).lower()
            fitting = [(old, new) for old, new in rules if old in written]
            for old, new in self._rng.sample(fitting, min(2, len(fitting))):
                written = written.replace(old, new)
            return written or name

        return self._names(drawn.person, change)

    def _typo(self, name: str) -> str:
        at = self._rng.randrange(max(len(name) - 1, 1))
        letter = self._rng.choice("abcdefghijklmnoprstuvwz")
        changed = self._rng.choice(
            (
                name[:at] + name[at + 1 :],
                name[:at] + letter + name[at:],
                name[:at] + letter + name[at + 1 :],
                name[:at] + name[at : at + 2][::-1] + name[at + 2 :],
            )
        )
        return changed if tokens(changed) else name

    def _swapped(self, drawn: Drawn) -> Person:
        year, month, day = drawn.person.born.split("-")
        return self._with(drawn.person, born=f"{year}-{day}-{month}") if int(day) <= 12 else drawn.person

    def _wrong_digit(self, drawn: Drawn) -> Person:
        born = drawn.person.born
        for _ in range(50):
            at = self._rng.choice([2, 3, 6, 8, 9])
            changed = born[:at] + str(self._rng.randrange(10)) + born[at + 1 :]
            try:
                if changed != born:
                    return self._with(drawn.person, born=changed)
            except InvalidInput:
                continue
        return drawn.person


def measure(
    people: list[Drawn], asked: list[tuple[str, int | None, Person]], keys: Keys
) -> dict[str, object]:
    """Recall by mistake and precision of one way to compare; None: not in the population."""
    began = time.process_time()
    index: dict[str, list[int]] = defaultdict(list)
    for number, drawn in enumerate(people):
        for key in keys(drawn.person):
            index[key].append(number)
    built = time.process_time() - began
    found: dict[str, list[bool]] = defaultdict(list)
    right = wrong = strangers = 0
    for mistake, number, described in asked:
        hits = {each for key in keys(described) for each in index.get(key, ())}
        if number is None:
            strangers += bool(hits)
            wrong += len(hits)
        else:
            found[mistake].append(number in hits)
            right += number in hits
            wrong += len(hits - {number})
    return {
        "recall": {mistake: round(sum(hits) / len(hits), 4) for mistake, hits in found.items()},
        "recall over all": round(sum(map(sum, found.values())) / sum(map(len, found.values())), 4),
        "precision": round(right / (right + wrong), 4),
        "absent persons with a hit": round(strangers / sum(number is None for _, number, _ in asked), 4),
        "keys per person": round(sum(map(len, index.values())) / len(people), 2),
        "keys computed per second": round(sum(map(len, index.values())) / built),
    }


def main() -> None:
    """Generate, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--asked", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    rng = random.Random(chosen.seed)
    population, clerk = Population(rng), Clerk(rng)
    people = [population.draw() for _ in range(chosen.people)]
    asked: list[tuple[str, int | None, Person]] = []
    for turn in range(chosen.asked // 2):
        mistake = list(clerk.mistakes)[turn % len(clerk.mistakes)]
        number = rng.randrange(len(people))
        asked.append((mistake, number, clerk.mistakes[mistake](people[number])))
        asked.append(("absent", None, population.draw().person))
    report: dict[str, object] = {"people": chosen.people, "asked": len(asked)}
    for name, keys in (("derived keys", ours), ("exact", exact), ("soundex and date", soundex)):
        report[name] = measure(people, asked, keys)
    report["peak memory MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(report, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
