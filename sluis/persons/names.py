# SPDX-License-Identifier: EUPL-1.2
"""Names in one spelling, and how they sound, whatever office wrote them down.

    tokens("Абдел-Кадир Ibn Łukasz")  ('abd', 'kadir', 'lukasz')
    sound("lukasz")                   'LKS'

Labour migrants' names reach a register through several alphabets and clerks: Polish, Romanian, Bulgarian, Hungarian,
Spanish and Arabic names lose their marks, are transliterated in several ways, and are cut or joined. A sound is a
skeleton of consonant classes: what those spellings have in common. It is coarse on purpose; a date of birth stands
beside it. `bench/persons.py` measures what that is worth.
"""

import re
import unicodedata
from functools import lru_cache

from anyascii import anyascii

# Words that come and go with the clerk: prepositions, articles, "son of", and joining words.
_PARTICLES = frozenset(
    (
        *("van", "von", "de", "den", "der", "het", "ten", "ter"),
        *("di", "da", "do", "dos", "das", "del", "della", "la", "las", "los", "le", "y", "e", "i"),
        *("el", "al", "ul", "ad", "as", "ash", "at", "az", "ben", "bin", "ibn", "bint", "bou", "ould", "ait"),
        "oglu",
    )
)
_SERVANT = re.compile(r"abd(?:[aeuo]?l|[aeuo](?=[b-df-hj-np-tv-z]{2}))(.{3,})")
_BREATH = re.compile(r"^k?h(?=.)")
_WORD = re.compile(r"[a-z]+")

# Several letters for one sound, longest first; the right side is a class, not a letter.
_SOUNDS = (
    ("shch", "C"), ("szcz", "C"), ("tsch", "C"), ("dzsz", "J"),
    ("dzh", "J"), ("dzs", "J"), ("sch", "S"), ("tch", "C"), ("sht", "C"),
    ("cs", "C"), ("cz", "C"), ("ch", "C"), ("tz", "C"), ("ts", "C"), ("dz", "J"), ("dj", "J"),
    ("sz", "S"), ("zs", "S"), ("sh", "S"), ("zh", "S"), ("rz", "S"),
    ("kh", ""), ("gh", "K"), ("qu", "K"), ("ck", "K"), ("ph", "F"), ("th", "T"), ("dh", "T"),
    ("ll", "L"), ("x", "KS"),
)  # fmt: skip
_LETTERS = {
    **dict.fromkeys("szç", "S"),
    **dict.fromkeys("kgq", "K"),
    **dict.fromkeys("td", "T"),
    **dict.fromkeys("bvw", "B"),
    **{letter: letter.upper() for letter in "flmnpr"},
}
LONGEST_WORD, MOST_WORDS = 30, 5
_VOWELS = frozenset("aeiouy")


@lru_cache(maxsize=200_000)
def tokens(name: str) -> tuple[str, ...]:
    """The words of a name in small ASCII letters, without marks, particles and signs; in their order.

    `abdelkader`, `abd al-kader` and `abdul kader` all give `abd`, `kader`. A name that is nothing but particles keeps
    them.
    """
    folded = anyascii(unicodedata.normalize("NFKC", name)).lower().replace("'", "")
    words = [word[:LONGEST_WORD] for word in _WORD.findall(folded)[:MOST_WORDS]]
    found: list[str] = []
    for word in words:
        if match := _SERVANT.fullmatch(word):
            found += ["abd", match[1]]
        elif word in ("abdel", "abdul", "abdal", "abdol"):
            found.append("abd")
        elif word not in _PARTICLES:
            found.append(word)
    return tuple(found or words)


@lru_cache(maxsize=200_000)
def sound(word: str) -> str:
    """The skeleton of a word as `tokens` gives it: consonant classes, no vowel but a first one, nothing twice."""
    word = _BREATH.sub("", word)
    classes: list[str] = []
    at = 0
    while at < len(word):
        for letters, heard in _SOUNDS:
            if word.startswith(letters, at):
                classes.append(heard)
                at += len(letters)
                break
        else:
            classes.append(_letter(word, at))
            at += 1
    skeleton = "".join(classes)
    return re.sub(r"(.)\1+", r"\1", skeleton) or "A"


def _letter(word: str, at: int) -> str:
    letter, following = word[at], word[at + 1 : at + 2]
    if letter == "c":
        return "C" if following and following in "eiy" else "K"
    if at == 0 and letter in "jy" and following in _VOWELS:
        return "J"
    if letter in _VOWELS or letter in "jh":
        return "A" if at == 0 else ""
    return _LETTERS.get(letter, "")
