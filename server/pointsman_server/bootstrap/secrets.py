"""Secrets: the key of the hashes of ids, and those that no log line may show."""

from __future__ import annotations

import logging
import secrets

from pointsman_server.core.errors import SettingInvalid
from pointsman_server.engines.remote.keys import KeySource
from pointsman_server.lib.watched_file import SECRET_BYTES, FileUnreadable, read_file
from pointsman_server.settings import Settings
from pointsman_server.supervisor.protocol import WorkerAssignment

KNOWN_SECRETS = 32
"""Keys that were rotated out are forgotten, oldest first."""
LEAST_BYTES = 16
"""A shorter key can be found by trying, and with it whose a hash is."""
RANDOM_BYTES = 32
_VARIABLE, _FILE = "POINTSMAN_HASH_KEY", "POINTSMAN_HASH_KEY_FILE"
_log = logging.getLogger(__name__)


class KnownSecrets:
    """The secrets known so far. Any thread may call it, for every line that it writes."""

    def __init__(self) -> None:
        self._secrets: tuple[str, ...] = ()

    def __call__(self) -> tuple[str, ...]:
        """Return the secrets, latest last."""
        return self._secrets

    def add(self, secret: str) -> None:
        """Add a secret; blank ones are ignored."""
        secret = secret.strip()
        if secret and secret not in self._secrets:
            self._secrets = (*self._secrets[1 - KNOWN_SECRETS :], secret)


class RecordingKeySource:
    """A key source whose keys get known as they are read."""

    def __init__(self, source: KeySource, known: KnownSecrets) -> None:
        self._source = source
        self._known = known
        self._last = ""

    def read(self) -> str:
        """The key that is in force. Raises `SourceUnreadable`."""
        key = self._source.read()
        if key is not self._last:
            self._known.add(key)
            self._last = key
        return key


def given_hash_key(settings: Settings, *, known: KnownSecrets) -> bytes | None:
    """The operator's; `None` where there is none. Raises `SettingInvalid`."""
    setting, key = _VARIABLE, b""
    if settings.hash_key is not None:
        key = settings.hash_key.get_secret_value().strip().encode()
        known.add(key.decode())
    if (path := settings.hash_key_file) is not None:
        setting = _FILE
        try:
            key = read_file(path, most=SECRET_BYTES).strip()
        except FileUnreadable as error:
            raise SettingInvalid(setting, f"{path}: {error}") from None
        known.add(key.decode(errors="replace"))
        if not key:
            raise SettingInvalid(setting, f"{path}: the file is empty")
    if key and len(key) < LEAST_BYTES:
        raise SettingInvalid(
            setting,
            f"a key under {LEAST_BYTES} bytes can be found by trying (this one has {len(key)}):"
            " openssl rand -hex 32 makes another",
        )
    return key or None


def random_hash_key(duty: WorkerAssignment | None) -> bytes:
    """Hashes hold for one run of the service only; of several workers one says so."""
    if duty is None or duty.index == 0:
        _log.warning(
            "POINTSMAN_HASH_KEY is not set: ids are hashed with a random key, so a shared cache and"
            " hashes in logs hold for this process only"
        )
    return bytes.fromhex(duty.hash_key) if duty else secrets.token_bytes(RANDOM_BYTES)
