"""The listening address. Whole request bodies arrive there, so beyond loopback it takes TLS."""

from __future__ import annotations

import argparse
import errno
import ipaddress
import os
import socket
import stat
from dataclasses import dataclass, field
from pathlib import Path

import grpc

_UNIX = "unix:"
_SOCKET_FILES = (_UNIX, "unix-abstract:")
_NOBODY = frozenset({errno.ECONNREFUSED, errno.ENOENT})
_ABSENT = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""The machine lacks an address of a name, such as `::1` without IPv6; gRPC takes the others."""


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


def check_free(address: str) -> None:
    """Raise `OSError`, with the address and the reason, if nobody can listen there.

    gRPC takes a Unix socket away from the process that listens on it, and does not say why it
    cannot listen on a port.
    """
    try:
        if address.startswith(_UNIX):
            _check_socket(Path(address.removeprefix(_UNIX)))
        elif not address.startswith(_SOCKET_FILES):
            _check_port(address)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OSError(f"cannot listen on {address}: {reason}") from None


def _check_socket(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(errno.EEXIST, "the file there is not a socket")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)  # noqa: FBT003  # a full backlog has a listener as well
        found = probe.connect_ex(str(path))
    if found not in _NOBODY:
        taken = found in (0, errno.EAGAIN, errno.EINPROGRESS)
        raise OSError(found, "another process listens on it" if taken else os.strerror(found))


def _check_port(address: str) -> None:
    host, _, port = address.rpartition(":")
    kind = socket.SOCK_STREAM
    found = socket.getaddrinfo(host.strip("[]") or None, port, type=kind, flags=socket.AI_PASSIVE)
    absent: OSError | None = None
    bound = False
    for family, _, _, _, place in found:
        try:
            with socket.socket(family, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(place)
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
            absent = error
        else:
            bound = True
    if absent is not None and not bound:
        raise absent


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
