"""TLS certificates of the gRPC addresses, reloaded on change; the last valid set stays in force.

gRPC asks for the certificates at every handshake, on a thread of gRPC's. Changes are detected by
content: a file moved over another, one written in place and Kubernetes' swap of a mounted folder
all count. A new set takes effect only after a test handshake in memory. A new certificate whose key
has not arrived yet therefore changes nothing.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import grpc

from pointsman_server.core.errors import SettingInvalid
from pointsman_server.lib.watched_file import LIST_BYTES, FileUnreadable, read_file

SETTLING = 0.5
"""Seconds that new handshakes wait, once, when certificates change. gRPC frees the old context at
once, even if a thread is about to use it (grpc/grpc#36693). The wait, under gRPC's lock, gives
such a thread the time to start."""

_NO_CHECK_TIME = 0x20_0000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which the module `ssl` does not name."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PemFile:
    """A file, and the setting that names it."""

    path: Path
    setting: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Pems:
    """The contents of the files at one time."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None


class Certificates:
    """The certificates of both addresses; with `client_ca`, only its clients are accepted."""

    def __init__(
        self, *, certificate: PemFile, key: PemFile, client_ca: PemFile | None = None
    ) -> None:
        """Raises `SettingInvalid` where they would not serve."""
        self._certificate = certificate
        self._key = key
        self._client_ca = client_ca
        self._lock = threading.Lock()
        self._problem = ""
        self._taken = self._refused = 0
        self._seen = self._in_force = self._read()
        self._expiry = self._checked(self._seen)

    def credentials(self) -> grpc.ServerCredentials:
        """For one address; follows the files from now on."""
        given = self._in_force

        def fetch() -> grpc.ServerCertificateConfiguration | None:
            nonlocal given
            current = self._refreshed()
            if current is given:
                return None
            time.sleep(SETTLING)
            given = current
            return _configuration(current)

        # The stubs do not know that `None` means no change.
        follow = cast("Callable[[], grpc.ServerCertificateConfiguration]", fetch)
        with_clients = self._client_ca is not None
        return grpc.dynamic_ssl_server_credentials(_configuration(given), follow, with_clients)

    def ssl_context(self) -> ssl.SSLContext:
        """Build a context for an HTTP address; each handshake takes the certificates in force."""
        current, made = self._context(), self._in_force

        def follow(connection: ssl.SSLObject, _name: str | None, _outer: ssl.SSLContext) -> None:
            nonlocal current, made
            if self._refreshed() is not made:
                current, made = self._context(), self._in_force
            connection.context = current

        outer = self._context()
        outer.sni_callback = follow
        return outer

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._certificate.path, self._key.path, password=_refuse_password)
        if self._in_force.client_ca is not None:
            context.load_verify_locations(cadata=self._in_force.client_ca.decode("ascii"))
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def expiry(self) -> int:
        """When the certificate in force expires, in seconds since the epoch. Looks for a newer."""
        self._refreshed()
        return int(self._expiry)

    def reloaded(self) -> bool:
        """Whether the last change was taken."""
        return not self._problem

    def reloads(self) -> Mapping[str, int]:
        """Counts of changed files: `taken` and `refused`."""
        return {"taken": self._taken, "refused": self._refused}

    def _refreshed(self) -> _Pems:
        with self._lock:
            try:
                found = self._read()
                if found == self._in_force:
                    self._seen, self._problem = found, ""
                elif found != self._seen:
                    self._swap(found)
            except SettingInvalid as error:
                self._refuse(str(error))
            return self._in_force

    def _swap(self, found: _Pems) -> None:
        self._seen = found
        expiry = self._checked(found)
        if self._read() != found:
            self._seen = self._in_force  # still being written: the checked version is outdated
            return
        self._in_force, self._expiry, self._problem = found, expiry, ""
        self._taken += 1
        _log.info("new TLS certificates are in force")

    def _refuse(self, problem: str) -> None:
        """Once for each problem: handshakes come by the thousand."""
        if problem != self._problem:
            self._refused += 1
            _log.warning("keeping the TLS certificates read last: %s", problem)
        self._problem = problem

    def _read(self) -> _Pems:
        client_ca = self._client_ca
        return _Pems(
            certificate=_content(self._certificate),
            key=_content(self._key),
            client_ca=_content(client_ca) if client_ca is not None else None,
        )

    def _checked(self, pems: _Pems) -> float:
        """The expiry. Raises `SettingInvalid`, which names the file that does not serve."""
        chain = _certificates(pems.certificate, self._certificate)
        if pems.client_ca is not None and self._client_ca is not None:
            _certificates(pems.client_ca, self._client_ca)
        try:
            return _rehearse(self._certificate.path, self._key.path, chain=chain)
        except ssl.SSLCertVerificationError as error:
            raise SettingInvalid(self._certificate.setting, error.verify_message) from None
        except ssl.SSLError as error:
            why = "is not the key of the certificate"
            if error.reason != "KEY_VALUES_MISMATCH":
                why = f"holds no key in PEM ({error.reason or 'unreadable'})"
            raise SettingInvalid(self._key.setting, why) from None
        except (OSError, ValueError) as error:
            raise SettingInvalid(self._key.setting, str(error)) from None


def _configuration(pems: _Pems) -> grpc.ServerCertificateConfiguration:
    pair = (pems.key, pems.certificate)
    return grpc.ssl_server_certificate_configuration([pair], root_certificates=pems.client_ca)


def _content(file: PemFile) -> bytes:
    try:
        return read_file(file.path, most=LIST_BYTES)
    except FileUnreadable as error:
        raise SettingInvalid(file.setting, f"{file.path}: {error}") from None


def _certificates(pem: bytes, file: PemFile) -> str:
    """The file's text. Raises `SettingInvalid` where it holds no certificate."""
    try:
        text = pem.decode("ascii")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ValueError, ssl.SSLError):
        raise SettingInvalid(file.setting, f"{file.path}: no certificate in PEM") from None
    return text


def _rehearse(certificate: Path, key: Path, *, chain: str) -> float:
    """Test a certificate in memory and return its expiry, in seconds since the epoch.

    `chain` is the content of the file `certificate`. Raises `ssl.SSLError`, `OSError`, or
    `ValueError` for an encrypted key.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key, password=_refuse_password)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(cadata=chain)
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VerifyFlags(_NO_CHECK_TIME)
    shown = _handshake(client, server)
    return float(ssl.cert_time_to_seconds(str(shown["notAfter"])))


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> dict[str, object]:
    """The server's certificate as the client received it."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(down, up)
    left = [asking, server.wrap_bio(up, down, server_side=True)]
    while left:
        for side in tuple(left):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            left.remove(side)
    return dict(asking.getpeercert() or {})


def _refuse_password() -> str:
    # Without a callback OpenSSL would ask for the password on the terminal.
    raise ValueError("the key is encrypted")
