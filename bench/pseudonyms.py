# SPDX-License-Identifier: EUPL-1.2
"""Pseudonyms per second on one core, beside a bare libsodium scalar multiplication in the same run.

    python -m bench.pseudonyms [--json] [--batch 2000] [--rounds 6]

Rounds of all steps are interleaved and the best of each is kept, so that a busy machine weighs on all
alike. `floor` is crypto_scalarmult_ristretto255 called in a loop: nobody can evaluate with less.
"finalise" is a client's work for one evaluator's answer, the steps of RFC 9497; "two evaluators" is all that
a client does after blinding (two proofs, addition, unblinding). It runs on one thread throughout.
"""

import argparse
import ctypes
import json
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from sluis import oprf
from sluis import ristretto255 as group
from sluis.libsodium import libsodium
from sluis.ristretto255 import SIZE, SecretScalars


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One step, in microseconds per element."""

    step: str
    microseconds: float
    ratio: float

    @property
    def per_second(self) -> float:
        """Elements per second and core."""
        return 1e6 / self.microseconds


def bare_loop(secret: SecretScalars, elements: bytes) -> None:
    """Multiply each element, with nothing around it but the loop."""
    source = (ctypes.c_char * len(elements)).from_buffer_copy(elements)
    out = (ctypes.c_char * SIZE)()
    multiply, key, target = libsodium().multiply, secret.address, ctypes.addressof(out)
    start = ctypes.addressof(source)
    for at in range(start, start + len(elements), SIZE):
        multiply(target, key, at)


def steps(batch: int) -> dict[str, Callable[[], object]]:
    """Prepare one batch and return what is timed, floor first."""
    inputs = [secrets.token_bytes(20) for _ in range(batch)]
    first, second = (oprf.derive_key_pair(secrets.token_bytes(32), b"bench") for _ in range(2))
    blinds, blinded = oprf.blind_batch(inputs)
    answers = []
    for keys in (first, second):
        evaluated = oprf.blind_evaluate(keys.secret, blinded)
        answers.append((keys, evaluated, oprf.generate_proof(keys, blinded, evaluated)))

    def evaluate_with_proof() -> None:
        oprf.generate_proof(first, blinded, oprf.blind_evaluate(first.secret, blinded))

    def finalise_verified() -> None:
        keys, evaluated, proof = answers[0]
        oprf.verify_proof(keys.public, blinded, evaluated, proof)
        oprf.finalize_batch(inputs, blinds, evaluated)

    def two_evaluators() -> None:
        for keys, evaluated, proof in answers:
            oprf.verify_proof(keys.public, blinded, evaluated, proof)
        oprf.finalize_batch(inputs, blinds, group.add_each(answers[0][1], answers[1][1]))

    return {
        "floor": lambda: bare_loop(first.secret, blinded),
        "blind": lambda: oprf.blind_batch(inputs),
        "evaluate": lambda: oprf.blind_evaluate(first.secret, blinded),
        "evaluate with proof": evaluate_with_proof,
        "finalise": lambda: oprf.finalize_batch(inputs, blinds, answers[0][1]),
        "finalise with verification": finalise_verified,
        "two evaluators, verified": two_evaluators,
    }


def measure(batch: int, rounds: int) -> list[Row]:
    """Time every step `rounds` times, interleaved; keep the best of each."""
    work = steps(batch)
    best = dict.fromkeys(work, float("inf"))
    for _ in range(rounds):
        for name, run in work.items():
            before = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - before)
    floor = best["floor"]
    return [
        Row(step=name, microseconds=seconds / batch * 1e6, ratio=seconds / floor)
        for name, seconds in best.items()
    ]


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.pseudonyms", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--batch", type=int, default=2000, help="elements per batch (1 to 65,535)")
    parser.add_argument("--rounds", type=int, default=6, help="rounds, of which the best counts")
    arguments = parser.parse_args()
    if not 1 <= arguments.batch <= oprf.MAX_BATCH or arguments.rounds < 1:
        parser.error("a batch has 1 to 65,535 elements, and one round at least is due")
    rows = measure(arguments.batch, arguments.rounds)
    if arguments.json:
        report = {
            row.step: {
                "microseconds": round(row.microseconds, 2),
                "per_second": round(row.per_second),
                "ratio": round(row.ratio, 3),
            }
            for row in rows
        }
        print(json.dumps({"batch": arguments.batch, "library": libsodium().path, "steps": report}))
        return
    print(f"batches of {arguments.batch}, one thread, {libsodium().path}", file=sys.stderr)
    print(f"{'step':28}{'us each':>10}{'per second':>12}{'x floor':>10}")
    for row in rows:
        print(f"{row.step:28}{row.microseconds:10.1f}{row.per_second:12,.0f}{row.ratio:10.2f}")


if __name__ == "__main__":
    main()
