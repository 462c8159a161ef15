# SPDX-License-Identifier: EUPL-1.2
"""The `sluis` command: `sluis <noun> <verb>`. Data on stdout, people's text on stderr.

Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 denied, 4 verification failed.
"""

import os
import sys

from sluis.cli.app import app
from sluis.cli.output import EXIT_FAILED, EXIT_VERIFICATION, say_error
from sluis.errors import NotAuthentic, SluisError


def main() -> None:
    """Run the command line; every error of ours becomes one sentence and an exit code."""
    try:
        app()
    except SluisError as error:
        say_error(error)
        sys.exit(EXIT_VERIFICATION if isinstance(error, NotAuthentic) else EXIT_FAILED)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
