# SPDX-License-Identifier: EUPL-1.2
"""The building blocks of pages: what they say to eyes, to a keyboard and to a screen reader."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError

from broker.console.figures import bar_chart
from broker.console.listing import Column, Kind, Listing
from broker.console.render import TEMPLATES, Renderer, grouped, term_element
from broker.console.texts import Language
from sluis.errors import Defect


def rendered(folder: Path, body: str, **values: Any) -> str:
    """Render one line that uses the macros."""
    shutil.copy(TEMPLATES / "macros.html", folder)
    head = '{% from "macros.html" import listing, facets, chart, pager, message, form, field with context %}'
    (folder / "x.html").write_text(head + body, "utf-8")
    return Renderer(folder).render("x.html", Language.DUTCH, values).decode()


def test_a_facet_is_a_link_that_says_whether_it_is_on(tmp_path: Path) -> None:
    items = [
        {"label": "<Aan>", "href": "/x?a=1&b=2", "count": 1200, "active": True},
        {"label": "Uit", "href": "/x", "count": 0, "active": False},
    ]
    text = rendered(tmp_path, "{{ facets(groups) }}", groups=[{"title": "Zender", "items": items}])
    assert text.count('aria-current="true"') == 1
    assert 'href="/x?a=1&amp;b=2"' in text
    assert "&lt;Aan&gt;" in text
    assert "1.200" in text


def test_a_chart_tells_its_numbers_in_words_and_as_a_table(tmp_path: Path) -> None:
    figure = bar_chart(name="c", caption="Wat", unit="Aantal", values=[("A", 4), ("B", 1), ("C", 0)])
    text = rendered(tmp_path, "{{ chart(figure) }}", figure=figure)
    assert re.findall(r'width="([0-9.]+)%" height="14" class="bar', text) == ["100.0", "25.0", "0.0"]
    assert re.findall(r'<th scope="row">(\w)</th><td class="number" data-label="Aantal">(\d)</td>', text) == [
        ("A", "4"),
        ("B", "1"),
        ("C", "0"),
    ]
    assert "style=" not in text


def test_a_chart_of_nothing_is_drawn() -> None:
    figure = bar_chart(name="c", caption="Wat", unit="Aantal", values=[("A", 0)])
    assert [bar.percent for bar in figure.bars] == [0.0]


def test_a_list_leads_to_a_rows_own_page_and_to_what_is_older(tmp_path: Path) -> None:
    columns = (Column(key="log_index", heading="page.reads.log_index", kind=Kind.NUMBER),)
    rows = [{"log_index": 7, "href": "/x/7"}]
    values = {"list": Listing(columns=columns, rows=rows, older="/x?before=7")}
    text = rendered(tmp_path, "{{ listing(list, 'Lijst') }}{{ pager(list) }}", **values)
    assert re.search(r'<a href="/x/7">\s*7\s*</a>', text)
    assert '<a class="button" rel="next" href="/x?before=7">' in text
    empty = rendered(
        tmp_path, "{{ listing(list, 'Lijst') }}{{ pager(list) }}", list=Listing(columns=(), rows=())
    )
    assert "Er is niets om te tonen." in empty
    assert "<nav" not in empty


def test_a_form_carries_the_sessions_token_and_labels_its_fields(tmp_path: Path) -> None:
    body = "{% call form('/x', 'Doen', session) %}{{ field('why', 'Reden', 'kort') }}{% endcall %}"
    text = rendered(tmp_path, body, session={"csrf": "abc"})
    assert '<input type="hidden" name="csrf" value="abc">' in text
    assert '<label for="field-why">Reden</label>' in text
    assert 'aria-describedby="hint-why"' in text


def test_a_message_says_its_kind_in_words(tmp_path: Path) -> None:
    text = rendered(tmp_path, "{{ message('Dit.', 'error') }}")
    assert 'role="alert"' in text
    assert "<strong>Fout:</strong> Dit." in text


def test_a_name_that_is_missing_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UndefinedError):
        rendered(tmp_path, "{{ nothing }}")
    with pytest.raises(Defect):
        rendered(tmp_path, "{{ t('nothing') }}")


def test_a_term_of_the_law_says_what_it_means() -> None:
    assert 'title="Algemene verordening' in term_element("avg", Language.DUTCH)
    assert [grouped(1234567, language) for language in Language] == ["1.234.567", "1,234,567"]
