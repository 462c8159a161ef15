# SPDX-License-Identifier: EUPL-1.2
"""A plugin of pytest for mutants (`-p tests.mutation.steady`): each run of a test is like every other.

Hypothesis tries the same examples, and spends no time on making a failing one smaller. What the rules of a test
were compiled to is forgotten before the next test: mutmut asks which tests call a function, and the first would
call it for all.
"""

import sys

import hypothesis
import pytest

from sluis.policy.bundle import Bundle


def load_profile() -> None:
    """Make hypothesis try the same examples every time."""
    hypothesis.settings.register_profile(
        "mutation",
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
        derandomize=True,
        database=None,
    )
    hypothesis.settings.load_profile("mutation")


def pytest_configure() -> None:
    """Before the tests are read: each takes the profile of that moment."""
    load_profile()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Forget what earlier tests made of the rules that stand in a module of tests."""
    for name, module in list(sys.modules.items()):
        if name.startswith("tests."):
            for value in vars(module).values():
                for item in value if isinstance(value, list) else [value]:
                    if isinstance(item, Bundle):
                        item.memo.clear()
