# SPDX-License-Identifier: EUPL-1.2
"""The rules as data: catalogue, agreements, and the bundle that loads them. `broker/decide` decides."""
