# SPDX-License-Identifier: EUPL-1.2
"""Examining and changing the rules: cases, differences, analysis, replay, activation."""
