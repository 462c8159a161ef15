# SPDX-License-Identifier: EUPL-1.2
"""gRPC as Sluis speaks it: mTLS with an OIN, errors with stable codes, bounded messages."""
