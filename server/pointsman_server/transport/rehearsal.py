"""Whether a certificate and a key would serve, found out by a handshake in memory.

Everything a client could object to, except the date and the name, shows here rather than in the
first call: a key of another certificate, a chain in the wrong order, a certificate for clients.
"""

from __future__ import annotations

import ssl
from pathlib import Path

_NO_CHECK_TIME = 0x20_0000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which the module `ssl` does not name."""


def rehearse(certificate: Path, key: Path, *, chain: str) -> float:
    """When the certificate expires, in seconds since the epoch.

    `chain` is what the file `certificate` holds. Raises `ssl.SSLError`, `OSError`, or `ValueError`
    for a key that is encrypted.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key, password=_refuse)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(cadata=chain)
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VerifyFlags(_NO_CHECK_TIME)
    shown = _handshake(client, server)
    return float(ssl.cert_time_to_seconds(str(shown["notAfter"])))


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> dict[str, object]:
    """What the client saw of the server's certificate."""
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


def _refuse() -> str:
    # Without a callback OpenSSL would ask for the password on the terminal.
    raise ValueError("the key is encrypted")
