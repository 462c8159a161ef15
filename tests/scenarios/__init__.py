# SPDX-License-Identifier: EUPL-1.2
"""The promises of issue 2 on real processes over mTLS on loopback."""
