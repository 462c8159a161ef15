# SPDX-License-Identifier: EUPL-1.2
"""What a change of the rules does, and what a set of rules can never do: by running the engine over its domain."""
