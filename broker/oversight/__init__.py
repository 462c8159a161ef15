# SPDX-License-Identifier: EUPL-1.2
"""What a privacy officer does with the log: samples, findings, statistics, reports, answers to a data subject."""
