# SPDX-License-Identifier: EUPL-1.2
"""The reading version: up to date, complete, and text stays text."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from broker.policy.cases import run_cases
from sluis.errors import InvalidInput
from sluis.policy import dutch
from sluis.policy.bundle import Bundle, default_directory, load_bundle
from sluis.policy.cases import Case, load_cases
from sluis.policy.catalog import SORTS
from sluis.policy.markdown import Markdown, bullets, code, link, numbered, page, small, strong, table, text
from sluis.policy.reading import FOLDER, INDEX, pages, rule_text, stale, write
from sluis.policy.reading_rules import RuleText, address
from sluis.policy.rules import Agreement, Rule, RuleEffect, Status
from tests.unit.reading_samples import wide

BUNDLE = load_bundle(default_directory())
CASES = load_cases(default_directory(), BUNDLE)
PAGES = pages(BUNDLE, CASES)
WIDE, WIDE_CASES = wide()
WIDE_PAGES = pages(WIDE, WIDE_CASES)
READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def leaves(markdown: str) -> Iterator[Token]:
    """All tokens of a page, those within lines too."""
    for token in READER.parse(markdown):
        if token.type == "inline":
            yield from token.children or ()
        yield token


def shape(markdown: str) -> list[str]:
    """The mark-up without the words."""
    kinds = [token.content if token.type.startswith("html") else token.type for token in leaves(markdown)]
    return [kind for kind in kinds if kind != "text"]


def plain(markdown: str) -> str:
    """The words without the mark-up, one line for each block or line of a cell."""
    words = []
    for token in leaves(markdown):
        if token.type in ("text", "code_inline"):
            words.append(token.content)
        elif token.type == "inline" or token.content == "<br>":
            words.append("\n")
    return "".join(words)


def section(rule: Rule, found: str) -> str:
    """The part of a page that is about one rule."""
    return found.split(f'<a id="{rule.id}"></a>')[1].split('<a id="')[0]


def spaced(words: str) -> str:
    """The words as a page has them: white space of any kind is one space."""
    return " ".join("".join(char if char.isprintable() else " " for char in words).split())


def due(rule: Rule, bundle: Bundle) -> Iterator[str]:
    """What the page must say of a rule."""
    catalog = bundle.catalog
    yield from (dutch.capital(rule.title), rule.explanation, rule.id, *rule.exchanges)
    for sort, names in (
        (catalog.roles, rule.sender_roles | rule.recipient_roles),
        (catalog.kinds, rule.kinds),
        (catalog.purposes, rule.purposes),
    ):
        yield from (dutch.capital(sort[name].dutch) for name in names)
    for name, spec in catalog.fields.items():
        if name in rule.fields or spec.category in rule.categories:
            yield spec.dutch
    for basis in rule.legal_basis:
        yield from (catalog.laws[basis.law].title, basis.citation, basis.reference, dutch.gdpr(basis.gdpr))
        yield from (
            dutch.sentence(basis.explanation),
            dutch.article(basis.article, basis.paragraph, basis.part),
        )
    for condition in rule.conditions:
        yield dutch.sentence(condition.dutch)
        if rule.effect is RuleEffect.PERMIT:
            yield catalog.reasons[condition.otherwise].dutch
    if rule.code:
        yield catalog.reasons[rule.code].dutch
    if rule.obligations:
        yield dutch.period(rule.obligations.retention)
        yield dutch.HANDLING[rule.obligations.handling]
        yield from (dutch.DELAY_GROUND[ground[-2]] for ground in rule.obligations.delay_grounds)
    yield dutch.capital(dutch.days(rule.valid_from, rule.valid_until))
    yield dutch.capital(dutch.STATUS[rule.status])


@pytest.mark.parametrize(
    ("bundle", "found", "agreement"),
    [(BUNDLE, PAGES, agreement) for agreement in BUNDLE.agreements.values()]
    + [(WIDE, WIDE_PAGES, WIDE.agreements["proef"])],
    ids=lambda value: value.id if isinstance(value, Agreement) else "",
)
def test_the_page_of_an_agreement_says_all_that_its_rules_hold(
    bundle: Bundle, found: dict[str, str], agreement: Agreement
) -> None:
    whole = found[f"{agreement.id}.md"]
    assert spaced(agreement.explanation) in plain(whole)
    for rule in agreement.rules:
        part = section(rule, whole)
        words = plain(part)
        assert [item for item in due(rule, bundle) if spaced(item) not in words] == [], rule.id
        targets = {str(token.attrs["href"]) for token in leaves(part) if token.type == "link_open"}
        assert {READER.normalizeLink(address(basis)) for basis in rule.legal_basis} <= targets


def test_the_committed_pages_are_up_to_date() -> None:
    folder = default_directory().joinpath(FOLDER)
    assert stale(PAGES, folder) == [], "run `sluis policy read` and commit the pages"


def test_the_index_has_a_row_for_each_permit_and_leads_to_it() -> None:
    for found, bundle in ((PAGES, BUNDLE), (WIDE_PAGES, WIDE)):
        permits = [
            f"{agreement.id}.md#{rule.id}"
            for agreement in bundle.agreements.values()
            for rule in agreement.rules
            if rule.effect is RuleEffect.PERMIT
        ]
        rows = [line for line in found[INDEX].splitlines() if line.startswith("| ") and ".md#" in line]
        assert len(rows) == len(permits)
        assert all(f"({target})" in "".join(rows) for target in permits)


def test_drafts_stand_apart_in_the_index() -> None:
    permitted, _, drafts = WIDE_PAGES[INDEX].partition("## Wat nog niet mag")
    assert "proef.md#proef-permit" in permitted
    assert "proef.md#proef-draft" not in permitted
    assert "proef.md#proef-draft" in drafts.partition("## Wat nooit mag")[0]


def test_every_link_within_the_pages_leads_somewhere() -> None:
    for found in (PAGES, WIDE_PAGES):
        for name, content in found.items():
            for token in leaves(content):
                target = str(token.attrs.get("href", "https:"))
                if not target.startswith("https:"):
                    file, _, anchor = target.partition("#")
                    assert f'<a id="{anchor}"></a>' in found[file or name] or (not anchor and file in found)


def test_every_page_ends_with_the_digest_of_the_rules() -> None:
    for content in PAGES.values():
        assert f"`{BUNDLE.digest}`" in content.splitlines()[-1]


def test_the_pages_are_the_same_every_time_and_do_not_depend_on_the_order_of_files() -> None:
    bundle, cases = wide()
    assert pages(bundle, cases) == WIDE_PAGES
    turned = replace(bundle, agreements=dict(reversed(bundle.agreements.items())))
    assert pages(turned, cases) == WIDE_PAGES


def test_the_words_for_every_sort_of_condition() -> None:
    words = plain(section(WIDE.rules["proef-permit"], WIDE_PAGES["proef.md"]))
    for sentence in (
        "De afzender noemt de overtreden bepaling.",
        "Het gaat om: WML artikel 7 of WML artikel 13.",
        "De afzender noemt de stand van het bezwaar. Het gaat om: geen.",
        "Die ligt ten hoogste 3 jaar terug.",
        "De afzender noemt de dag waarop het dossier vervalt. Die dag is vandaag of later.",
        "Daarna zijn ten minste 10 werkdagen verstreken.",
        "Dit moet blijken uit een register. De afzender kan het niet zelf verklaren.",
        "Twee verschillende medewerkers van de afzender verklaren: de persoon wordt niet onevenredig geschaad."
        " De verklaring telt 7 dagen.",
        "Bevoegd is: functionaris voor gegevensbescherming.",
        "De reden is een van deze: het is nodig voor het toezicht of de inbreuk is klein.",
        "Een medewerker van de afzender verklaart: er is haast. De verklaring telt 1 dag.",
        "Afzender en ontvanger zijn dezelfde organisatie.",
        "Het signaal ligt klaar tot de ontvanger ernaar vraagt en er een treffer is.",
        "Afzender en ontvanger nemen allebei deel aan: Landelijke Stuurgroep Interventieteams (LSI).",
        "De broker telt zelf: hoeveel personen vandaag zijn gemeld."
        " Ten hoogste 50 op een dag, per afzender en ontvanger samen.",
        "Een verzoek gaat over ten hoogste 1 persoon of onderneming.",
        "Bewaren: ten hoogste 1 jaar, en ten hoogste 30 dagen nadat het certificaat is vervallen.",
        "De ontvanger licht de betrokkene in, binnen 1 maand.",
        "Inlichten mag wachten zolang dat nodig en evenredig is voor:"
        " het voorkomen, onderzoeken of vervolgen van strafbare feiten;"
        " of toezicht of inspectie door een overheidsorgaan (UAVG artikel 41, eerste lid).",
    ):
        assert sentence in words, sentence


def test_an_enumeration_is_clear_when_an_item_enumerates_itself() -> None:
    assert dutch.series([]) == ""
    assert dutch.series(["a"]) == "a"
    assert dutch.series(["a", "b", "c"]) == "a, b en c"
    assert dutch.series(["a", "b, c"]) == "a; en b, c"
    assert dutch.series(["a of b", "c"], "of") == "a of b; of c"


def test_a_draft_and_an_assumption_stand_in_a_box_and_the_rest_does_not() -> None:
    for rule in WIDE.rules.values():
        name = next(item.id for item in WIDE.agreements.values() if rule in item.rules)
        part = section(rule, WIDE_PAGES[f"{name}.md"])
        assert ("blockquote_open" in shape(part)) is (rule.status is not Status.IN_FORCE)
        assert ("Deze regel geldt niet." in plain(part)) is (rule.status is Status.DRAFT)


def test_the_prohibitions_that_can_meet_a_permit_stand_with_it_and_no_others() -> None:
    words = plain(section(WIDE.rules["proef-permit"], WIDE_PAGES["proef.md"]))
    assert "geen boete zonder haast. Dan gaat er niets door. Dat hangt van voorwaarden af" in words
    assert "geen namen" not in words  # begins when the permit has ended
    assert "Geen burgerservicenummer naar een private partij" not in words  # the recipient is public
    fine = plain(section(BUNDLE.rules["fine-to-foundation-from-2026-07-01"], PAGES["waadi-14b.md"]))
    assert "Geen burgerservicenummer naar een private partij. Die gegevens blijven achter." in fine


def test_the_examples_are_those_of_the_rule_in_a_sentence() -> None:
    assert [item.differences for item in run_cases(WIDE_CASES, WIDE)] == [()] * len(WIDE_CASES)
    words = plain(section(WIDE.rules["proef-permit"], WIDE_PAGES["proef.md"]))
    assert "23 november 2026: Alles klopt. Toegestaan." in words
    assert (
        "De velden. Toegestaan, maar zonder: bedrag van de boete. Reden: het veld staat niet op de lijst"
        in words
    )
    assert "Nog 50 ervoor. Geweigerd." in words
    assert "Niemand verklaart haast" not in words
    words = plain(section(WIDE.rules["proef-prohibit"], WIDE_PAGES["proef.md"]))
    assert "Niemand verklaart haast. Geweigerd." in words
    assert "Alles klopt" not in words


# staleness


def test_a_page_that_was_changed_removed_or_left_behind_is_stale(tmp_path: Path) -> None:
    assert stale(PAGES, tmp_path / "none") == sorted(PAGES)
    write(PAGES, tmp_path)
    assert stale(PAGES, tmp_path) == []
    tmp_path.joinpath(INDEX).write_text("anders")
    tmp_path.joinpath("00-algemeen.md").unlink()
    tmp_path.joinpath("oud.md").write_text("van een afspraak die weg is")
    assert stale(PAGES, tmp_path) == ["00-algemeen.md", INDEX, "oud.md"]
    write(PAGES, tmp_path)
    assert stale(PAGES, tmp_path) == []


def test_a_changed_rule_makes_its_page_stale(tmp_path: Path) -> None:
    write(WIDE_PAGES, tmp_path)
    agreement = WIDE.agreements["proef"]
    rules = (agreement.rules[0].model_copy(update={"title": "anders"}), *agreement.rules[1:])
    changed = WIDE.with_agreements(
        {**WIDE.agreements, "proef": agreement.model_copy(update={"rules": rules})}
    )
    assert {"proef.md", INDEX} <= set(stale(pages(changed, WIDE_CASES), tmp_path))


def test_an_agreement_called_index_is_refused() -> None:
    with pytest.raises(InvalidInput, match="index"):
        pages(WIDE.with_agreements({"index": WIDE.agreements["proef"]}), ())


def test_one_rule_reads_as_on_its_page() -> None:
    for rule in BUNDLE.agreements["waadi-14b"].rules:
        shown = rule_text(rule.id, BUNDLE, CASES)
        assert shown.strip() in PAGES["waadi-14b.md"]


# text stays text

HOSTILE = [
    "a | b || c", "<script>alert(1)</script>", "[hier](http://kwaad.nl)", "![x](y)", "**vet** _schuin_ ~~weg~~",
    "`code` ``", "\\", "\\|", "1. een", "12) twee", "- drie", "+ vier", "# vijf #", "> zes", "---", "===",
    "&lt;b&gt; &amp;", "http://kwaad.nl www.kwaad.nl a@b.nl", "een\n\n# twee\n| a | b |\n|---|---|",
    "$x$", "a\u2028b\u0085c\u202ed",
    "</sub>", "<br>", "    code", "\t", "a  \nb", "[^1]: noot", ":::", "<a id=\"x\"></a>",
]  # fmt: skip


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_text_comes_out_as_it_stands(words: str) -> None:
    check_everywhere(words)


@settings(max_examples=200, deadline=None)
@given(words=st.text(max_size=40) | st.text(alphabet="\\|`*_[]<>&#-+=.1) \n~!a:/@$", max_size=20))
@example(words="\\\\|")
@example(words="0" * 12 + ".")
def test_any_text_comes_out_as_it_stands(words: str) -> None:
    check_everywhere(words)


def check_everywhere(words: str) -> None:
    """In a paragraph, heading, cell, list, bold, small print and link: the words, and no other mark-up."""
    made, due = text(words), spaced(words)
    if not due:
        assert made == ""
        return
    for markdown, expected in (
        (page([made]), ["paragraph_open", "inline", "paragraph_close"]),
        (page([Markdown(f"## {made}")]), ["heading_open", "inline", "heading_close"]),
    ):
        assert shape(markdown) == expected
        assert plain(markdown).strip("\n") == due
    simple, other = text("PLACE"), text("k")
    for make in (
        lambda cell: table((other, cell), [(cell, other), (cell, cell)]),
        lambda item: bullets([item, other, item]),
        lambda item: numbered([[item, item], [item]]),
        lambda item: strong(item),
        lambda item: small(item),
        lambda item: link(item, "https://wetten.overheid.nl/x"),
    ):
        assert shape(make(made)) == shape(make(simple))
        assert plain(make(made)) == plain(make(simple)).replace("PLACE", due)
    assert "\n" not in made


@pytest.mark.parametrize("word", ["a b", "x", "jci1.3:c:BWBR1&artikel=2:1", "a`b", "", "<b>", "a|b"])
def test_an_identifier_is_code_or_else_text(word: str) -> None:
    cell = table((Markdown("x"),), [(code(word),)])
    assert plain(cell).split("\n")[1:2] == [word]


@pytest.mark.parametrize("target", ["a b", "x)y", "(x", "<x>", "", "a\nb", "x'y"])
def test_a_target_that_could_end_the_link_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match="no target"):
        link(text("x"), target)


def test_a_row_with_a_cell_too_many_is_refused() -> None:
    with pytest.raises(ValueError, match="as many cells"):
        table((text("a"),), [(text("b"), text("c"))])


def spoiled(value: Any, words: str) -> Any:
    """An entry of a file with `words` behind all its Dutch texts."""
    prose = {name: getattr(value, name) for name in ("dutch", "title", "explanation") if hasattr(value, name)}
    changes: dict[str, Any] = {name: f"{old} {words}" for name, old in prose.items()}
    if isinstance(value, Rule):
        changes["conditions"] = tuple(spoiled(item, words) for item in value.conditions)
        changes["legal_basis"] = tuple(spoiled(item, words) for item in value.legal_basis)
    if isinstance(value, Agreement):
        changes["rules"] = tuple(spoiled(rule, words) for rule in value.rules)
    if reasons := getattr(value, "reasons", None):
        changes["reasons"] = {name: spoiled(item, words) for name, item in reasons.items()}
    return value.model_copy(update=changes)


@settings(max_examples=25, deadline=None)
@given(words=st.sampled_from(HOSTILE) | st.text(max_size=20))
def test_no_text_of_rules_catalogue_or_cases_changes_the_mark_up_of_a_page(words: str) -> None:
    catalog = replace(
        WIDE.catalog,
        **{
            sort: {name: spoiled(item, words) for name, item in getattr(WIDE.catalog, sort).items()}
            for sort in SORTS
            if sort != "follow_ups"  # no page of the rules shows them
        },
    )
    agreements = {name: spoiled(WIDE.agreements[name], words) for name in ("00-algemeen", "proef")}
    bundle = replace(WIDE, catalog=catalog).with_agreements(agreements)
    cases = [case.model_copy(update={"name": f"{case.name} {words}"}) for case in WIDE_CASES]
    clean = replace(WIDE, agreements={name: WIDE.agreements[name] for name in agreements})
    assert shape(pages(bundle, cases)["proef.md"]) == shape(pages(clean, WIDE_CASES)["proef.md"])


def test_an_example_without_a_mark_of_an_exchange_keeps_its_whole_name() -> None:
    words = RuleText(WIDE, WIDE_CASES)
    case: Case = WIDE_CASES[0]
    assert "Alles klopt" in words.example(case)
    assert "E10" not in words.example(case)
    assert "Een zaak" in words.example(case.model_copy(update={"name": "Een zaak"}))
