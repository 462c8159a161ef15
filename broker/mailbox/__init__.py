# SPDX-License-Identifier: EUPL-1.2
"""Mailboxes: releases that wait for their recipient, in the order of the log."""
