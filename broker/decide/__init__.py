# SPDX-License-Identifier: EUPL-1.2
"""The decision: a pure function of a request and the rules; `explain` puts it in words."""
