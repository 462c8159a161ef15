# SPDX-License-Identifier: EUPL-1.2
"""`python -m sluis` is the `sluis` command."""

from sluis.cli import main

main()
