# SPDX-License-Identifier: EUPL-1.2
"""Measurements, each beside its own floor in the same run: `python -m bench.<name>`."""
