# SPDX-License-Identifier: EUPL-1.2
"""The wire: code generated from `proto/sluis/v1`. Regenerate with `python3 proto/generate.py`."""
