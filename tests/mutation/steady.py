# SPDX-License-Identifier: EUPL-1.2
"""The profile of hypothesis for mutants: the same examples in every run, and no time spent on a failing one.

As a plugin of pytest it is loaded before the tests are: `-p tests.mutation.steady`.
"""

import hypothesis

hypothesis.settings.register_profile(
    "mutation",
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    derandomize=True,
    database=None,
)
hypothesis.settings.load_profile("mutation")
