"""The listening address. Whole request bodies arrive there, so beyond loopback it takes TLS."""

from __future__ import annotations

import argparse
import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

import grpc

_SOCKET_FILES = ("unix:", "unix-abstract:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """An address, `host:port` or `unix:path`, and the credentials of its connections."""

    address: str
    credentials: grpc.ServerCredentials | None = field(default=None, repr=False)

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace) -> Listen:
        """Read the named files; `OSError`, and `ValueError` for settings that expose bodies."""
        credentials = _credentials(
            arguments.tls_cert_file, arguments.tls_key_file, arguments.tls_client_ca_file
        )
        address: str = arguments.listen
        exposed = credentials is None and not _is_local(address)
        if exposed and not arguments.plaintext_beyond_loopback:
            raise ValueError(
                f"--listen {address} takes whole request bodies beyond this machine: give it "
                "--tls-cert-file and --tls-key-file, or say --plaintext-beyond-loopback"
            )
        return cls(address=address, credentials=credentials)


def _credentials(
    certificate: Path | None, key: Path | None, client_ca: Path | None
) -> grpc.ServerCredentials | None:
    if certificate is None and key is None and client_ca is None:
        return None
    if certificate is None or key is None:
        raise ValueError("TLS takes both --tls-cert-file and --tls-key-file")
    return grpc.ssl_server_credentials(
        [(key.read_bytes(), certificate.read_bytes())],
        root_certificates=client_ca.read_bytes() if client_ca else None,
        require_client_auth=client_ca is not None,
    )


def _is_local(address: str) -> bool:
    if address.startswith(_SOCKET_FILES):
        return True
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
