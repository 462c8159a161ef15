# SPDX-License-Identifier: EUPL-1.2
"""Writes `docs/errors.md` from the table in `sluis/errors.py`: `python docs/make_errors.py`."""

from pathlib import Path

from sluis.errors import CODES

PAGE = Path(__file__).parent / "errors.md"

HEAD = """# Error codes

Made by `docs/make_errors.py` from `sluis/errors.py`; a test holds the two together.

An error of Sluis has one of these codes, which stay as they are: programs may rely on them. Over gRPC it comes with
the status of the second column and a `google.rpc.ErrorInfo`: domain `sluis`, the code as `metadata["code"]`, where it
went wrong as `metadata["where"]`, and as `reason` the code in capitals (`BUDGET_SPENT`). On the command line it stands
between brackets behind the sentence; exit code 4 when a signature, proof, certificate or log does not hold, else 1. In
a frame of many signals each wrong one has its own code, and the others go on.

A **denied** exchange is not an error. It is an answer, with reasons from `policies/catalog/reasons.yaml`, and it is
in the log.

| code | gRPC status | HTTP | English | Nederlands |
|---|---|---|---|---|
"""


def page() -> str:
    """Return the page, codes in alphabetical order."""
    rows = (
        f"| `{code}` | {text.grpc} | {text.http} | {text.english} | {text.dutch} |\n"
        for code, text in sorted(CODES.items())
    )
    return HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
