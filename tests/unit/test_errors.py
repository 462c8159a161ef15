# SPDX-License-Identifier: EUPL-1.2
"""The table of error codes: complete, in two languages, and as documented."""

import ast
import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import grpc
import pytest

from sluis import errors
from sluis.errors import CODES, Defect, InvalidInput, SluisError

ROOT = Path(__file__).parents[2]
PACKAGES = ("sluis", "broker", "evaluator", "witness", "adapters", "demo")
CLASSES = {
    name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, SluisError)
}


def texts(node: ast.expr) -> Iterator[str]:
    """The string constants in an expression."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def is_code(node: ast.expr) -> bool:
    """Whether an expression is somebody's `.code`."""
    return isinstance(node, ast.Attribute) and node.attr == "code"


def codes_in(tree: ast.AST) -> Iterator[str]:
    """Codes as literals: of raised errors, and those an error's code is compared with."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in CLASSES and node.args:
                # `"a" if test else "b"` gives two; a test may hold other texts.
                chosen = node.args[0]
                yield from texts(chosen.body) if isinstance(chosen, ast.IfExp) else ()
                yield from texts(chosen.orelse) if isinstance(chosen, ast.IfExp) else ()
                if isinstance(chosen, ast.Constant) and isinstance(chosen.value, str):
                    yield chosen.value
        elif isinstance(node, ast.Compare) and is_code(node.left):
            for other in node.comparators:
                yield from texts(other)


@cache
def sources() -> dict[Path, ast.Module]:
    """Our modules, generated code aside."""
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    return {
        file: ast.parse(file.read_text("utf-8"))
        for file in files
        if ROOT / "sluis" / "v1" not in file.parents
    }


def make_errors() -> ModuleType:
    """The script that makes the page."""
    spec = importlib.util.spec_from_file_location("make_errors", ROOT / "docs" / "make_errors.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_error_codes_is_current() -> None:
    made = make_errors()
    assert made.PAGE.read_text("utf-8") == made.page(), "run `python docs/make_errors.py`"


def test_every_code_that_is_raised_or_compared_stands_in_the_table() -> None:
    unlisted = {
        f"{file.relative_to(ROOT)}: {code}"
        for file, tree in sources().items()
        for code in codes_in(tree)
        if code not in CODES
    }
    assert not unlisted


def test_every_code_in_the_table_is_used_somewhere() -> None:
    """As a literal anywhere outside the table: some codes travel through a variable first."""
    table = ROOT / "sluis" / "errors.py"
    used = {
        text
        for file, tree in sources().items()
        if file != table
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for text in [node.value]
    }
    assert not CODES.keys() - used


def test_the_scan_sees_a_code_in_every_form_we_write() -> None:
    source = """
raise InvalidInput("one", "text")
raise errors.NotFound("two" if x == "no-code" else "three")
if error.code == "four" or error.code in ("five", "six"): pass
"""
    assert set(codes_in(ast.parse(source))) == {"one", "two", "three", "four", "five", "six"}


@pytest.mark.parametrize("code", CODES)
def test_a_code_has_both_languages_and_a_status(code: str) -> None:
    text = CODES[code]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
    assert text.grpc in grpc.StatusCode.__members__
    assert 400 <= text.http < 600
    assert text.english != text.dutch
    for sentence in (text.english, text.dutch):
        assert sentence
        assert not sentence.endswith((".", " "))
        assert not sentence[0].isupper() or sentence.startswith("OIN")
        assert "|" not in sentence


def test_an_unlisted_code_becomes_a_defect_and_still_says_which() -> None:
    error = InvalidInput("no-such-code", "what happened")
    assert error.code == "defect"
    assert "no-such-code" in error.message


def test_an_error_says_its_code_its_sentence_and_where() -> None:
    assert str(InvalidInput("date-order", where="certificaat_tot")) == (
        "date-order: the dates are in the wrong order (certificaat_tot)"
    )
    assert Defect("defect").message == CODES["defect"].english
