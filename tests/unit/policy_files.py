# SPDX-License-Identifier: EUPL-1.2
"""The installed rules with a change in their text, and a way to put them in force without officers."""

from broker.step import Step
from broker.storage.port import Activation
from sluis.policy.archive import pack
from sluis.policy.bundle import Bundle, read_bundle
from tests.unit.decide_samples import FILES
from tests.world import World

AGREEMENT = "agreements/waadi-14b.yaml"


def edited(old: str, new: str, name: str = AGREEMENT, files: dict[str, bytes] = FILES) -> dict[str, bytes]:
    """The files with every `old` in one of them replaced; it must be there."""
    text = files[name].decode()
    assert old in text
    return {**files, name: text.replace(old, new).encode()}


ONE_YEAR = edited("not_older_than_years: 2", "not_older_than_years: 1")
COUNTED = edited(
    "facts:\n",
    """facts:
  signals_today:
    dutch: signalen vandaag
    english: signals today
    source: counter
    per: sender
    window: day
""",
    "catalog/facts.yaml",
    edited(
        "      - fact: certificate_valid\n",
        """      - counter: signals_today
        at_most: 2
        dutch: Ten hoogste twee signalen op een dag.
        otherwise: TOO_MANY
      - fact: certificate_valid
""",
        AGREEMENT,
        edited(
            "reasons:\n",
            "reasons:\n  TOO_MANY:\n    dutch: te veel\n    english: too many\n",
            "catalog/reasons.yaml",
        ),
    ),
)


def put_in_force(world: World, files: dict[str, bytes]) -> Bundle:
    """Activate rules as the log would have it, without anybody's signature."""
    bundle = read_bundle(files)
    with world.store.transaction() as tx:
        step = Step(tx, world.clock(), [])
        logged = step.log({"operation": "policy.activate", "policy": bundle.digest})
        row = Activation(log_index=logged.index, digest=bundle.digest, at_ms=step.now_ms)
        tx.activate_policy(row, pack(files))
        tx.commit()
    return bundle
