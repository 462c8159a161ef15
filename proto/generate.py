# SPDX-License-Identifier: EUPL-1.2
"""Generate `sluis/v1` from `proto/sluis/v1`: run `python3 proto/generate.py` with the test extra installed.

Running it again gives no difference; a test compares. `--into DIR` writes elsewhere.
"""

import argparse
import sys
import sysconfig
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent


def generate(into: Path) -> None:
    """Write messages, stubs and their types below `into`."""
    sources = sorted(str(path) for path in (ROOT / "proto").rglob("*.proto"))
    plugin = Path(sysconfig.get_path("scripts")) / "protoc-gen-mypy_grpc"
    arguments = [
        "protoc",
        f"-I{ROOT / 'proto'}",
        f"--python_out={into}",
        f"--pyi_out={into}",
        f"--grpc_python_out={into}",
        f"--plugin=protoc-gen-mypy_grpc={plugin}",
        f"--mypy_grpc_out=quiet:{into}",
        *sources,
    ]
    if protoc.main(arguments) != 0:
        sys.exit("protoc failed")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=ROOT)
    generate(parser.parse_args().into)
