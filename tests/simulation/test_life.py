# SPDX-License-Identifier: EUPL-1.2
"""Any sequence of what parties do, with crashes, a lossy network and time that passes: the guarantees hold.

What may happen is in `rules_*.py`, what must then be true in `guarantees.py` and `model.py`. Failures that were found
are in `test_found.py`, as steps that anyone can read.
"""

import os

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.simulation.rules_epochs import EpochRules
from tests.simulation.rules_follow_ups import FollowUpRules
from tests.simulation.rules_matching import MatchingRules
from tests.simulation.rules_signals import SignalRules
from tests.simulation.rules_world import WorldRules

EXAMPLES = int(os.environ.get("SLUIS_SIMULATION", "12"))  # more of them, when somebody has the time
# A failure shows the steps that led to it as they were drawn: shrinking them takes many minutes.
PHASES = tuple(phase for phase in Phase if phase is not Phase.shrink)


class Life(SignalRules, MatchingRules, FollowUpRules, EpochRules, WorldRules):
    """All of it."""


def test_the_guarantees_hold_whatever_happens() -> None:
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=PHASES,
            database=None,
        ),
    )
