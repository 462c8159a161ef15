# SPDX-License-Identifier: EUPL-1.2
"""gRPC at the broker: the only place in it that knows the transport."""
