# SPDX-License-Identifier: EUPL-1.2
"""What the broker says over HTTP: the AuthZEN decision point, and the log as tiles."""
