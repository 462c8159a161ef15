# SPDX-License-Identifier: EUPL-1.2
"""The mutants made by hand still fit the code; `tests/mutation/run.py` runs them."""

import ast

import pytest

from tests.mutation.mutants import MUTANTS, Mutant
from tests.mutation.run import EQUIVALENT, mutated


def test_there_are_enough_and_each_has_a_name_of_its_own() -> None:
    names = [(mutant.module, mutant.name) for mutant in MUTANTS]
    assert len(MUTANTS) >= 40
    assert len(set(names)) == len(names)
    assert {name for _, name in names} >= EQUIVALENT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_the_code_and_is_still_code(mutant: Mutant) -> None:
    ast.parse(mutated(mutant))
    assert mutant.right != mutant.wrong


def test_a_mutant_that_no_longer_fits_is_noticed() -> None:
    with pytest.raises(ValueError, match="stands 0 times"):
        mutated(Mutant("what", "engine", "this text is not there", ""))
