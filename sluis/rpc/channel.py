# SPDX-License-Identifier: EUPL-1.2
"""The calling side: a grpc.aio channel with mTLS. Deadlines are set per call, never in a service config."""

from typing import Any

import grpc

from sluis.rpc.server import MAX_MESSAGE, TlsFiles


def open_channel(address: str, tls: TlsFiles, *, server_name: str = "") -> grpc.aio.Channel:
    """Open a channel; the server's certificate must chain to `tls.roots` and carry its host name.

    `server_name` replaces the host name to check, for servers reached by another name than their own.
    """
    credentials = grpc.ssl_channel_credentials(
        root_certificates=tls.roots.read_bytes(),
        private_key=tls.key.read_bytes(),
        certificate_chain=tls.certificate.read_bytes(),
    )
    options: list[tuple[str, Any]] = [
        ("grpc.max_receive_message_length", 4 * MAX_MESSAGE),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2_000),
    ]
    if server_name:
        options.append(("grpc.ssl_target_name_override", server_name))
    return grpc.aio.secure_channel(address, credentials, options=options)
