# SPDX-License-Identifier: EUPL-1.2
"""Exits 0 when a broker or an evaluator answers SERVING (grpc.health.v1), else 1 with a line that says why.

    python deploy/health.py HOST:PORT KEYS [NAME]

KEYS is a folder with tls.key, tls.crt and ca.crt: the services speak to nobody without a certificate. NAME is
the name in the server's certificate; without it, the first name in KEYS/tls.crt, as when a service asks itself.
"""

import sys
from pathlib import Path

import grpc
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc

SECONDS = 5


def own_name(certificate: bytes) -> str:
    """The first DNS name in a certificate, or its common name."""
    leaf = x509.load_pem_x509_certificates(certificate)[0]
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return names.get_values_for_type(x509.DNSName)[0]
    except (x509.ExtensionNotFound, IndexError):
        return str(leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)


def status(address: str, keys: Path, name: str = "") -> str:
    """Ask once; return the status by name."""
    certificate = (keys / "tls.crt").read_bytes()
    credentials = grpc.ssl_channel_credentials(
        (keys / "ca.crt").read_bytes(), (keys / "tls.key").read_bytes(), certificate
    )
    options = [("grpc.ssl_target_name_override", name or own_name(certificate))]
    with grpc.secure_channel(address, credentials, options) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def main(arguments: list[str]) -> int:
    """Tell whether the service is well."""
    if len(arguments) not in (2, 3):
        print(f"usage: {__doc__}", file=sys.stderr)
        return 2
    try:
        found = status(arguments[0], Path(arguments[1]), *arguments[2:])
    except grpc.RpcError as error:
        found = error.code().name
    except (OSError, ValueError) as error:
        found = str(error)
    print(found)
    return 0 if found == "SERVING" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
