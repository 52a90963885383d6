"""Which certificates are put in force, which are not, and what an operator is told."""

from __future__ import annotations

import os
import subprocess

import pytest
from pointsman_server.core.errors import SettingInvalid
from pointsman_server.transport.security.tls_certificates import Certificates, PemFile
from support.certificates import Authority, Pair

HOUR = 3_600


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def one(authority):
    return authority.issue()


@pytest.fixture(scope="module")
def other(authority):
    return authority.issue(days=9)


def certificates(files: Pair, *, with_clients=False):
    return Certificates(
        certificate=PemFile(files.certificate, "CERT_FILE"),
        key=PemFile(files.key, "KEY_FILE"),
        client_ca=PemFile(files.ca, "CLIENT_CA_FILE") if with_clients else None,
    )


def damage(file, kind):
    match kind:
        case "missing":
            file.unlink()
        case "empty":
            file.write_text("")
        case "half written":
            file.write_bytes(file.read_bytes()[:150])
        case "no text":
            file.write_bytes(b"\xff\xfe\x00")


@pytest.mark.parametrize("kind", ["missing", "empty", "half written", "no text"])
@pytest.mark.parametrize("setting", ["CERT_FILE", "KEY_FILE", "CLIENT_CA_FILE"])
def test_a_file_that_does_not_serve_keeps_a_server_from_starting_and_is_named(
    one, tmp_path, setting, kind
):
    files = one.put(tmp_path)
    damage(
        dict(zip(("CERT_FILE", "KEY_FILE", "CLIENT_CA_FILE"), files.files(), strict=True))[setting],
        kind,
    )
    with pytest.raises(SettingInvalid) as caught:
        certificates(files, with_clients=True)
    assert caught.value.setting == setting


def test_a_key_of_another_certificate_is_told(one, other, tmp_path):
    files = one.put(tmp_path)
    files.key.write_bytes(other.key.read_bytes())
    with pytest.raises(SettingInvalid, match="KEY_FILE: is not the key of the certificate"):
        certificates(files)


def test_an_encrypted_key_is_told_and_nobody_is_asked_for_its_password(one, tmp_path):
    files = one.put(tmp_path)
    command = ["openssl", "pkcs8", "-topk8", "-passout", "pass:x", "-in", str(one.key)]
    files.key.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
    with pytest.raises(SettingInvalid, match="KEY_FILE: the key is encrypted"):
        certificates(files)


def test_a_certificate_that_no_client_would_take_for_a_servers_is_told(authority, tmp_path):
    files = authority.issue(use="clientAuth").put(tmp_path)
    with pytest.raises(SettingInvalid, match=r"CERT_FILE: .*purpose"):
        certificates(files)


def test_an_error_never_quotes_what_a_file_holds(one, tmp_path):
    files = one.put(tmp_path)
    files.key.write_text("canary-" + "-----BEGIN EC PRIVATE KEY-----canary")
    with pytest.raises(SettingInvalid) as caught:
        certificates(files)
    assert "canary" not in str(caught.value)


def test_the_expiry_is_the_certificates_own_even_when_it_has_passed(authority, one, other):
    lasting = certificates(other).expiry() - certificates(one).expiry()
    assert abs(lasting - 7 * 24 * HOUR) < HOUR
    assert certificates(authority.issue(days=-1)).expiry() < certificates(one).expiry()


def test_a_new_pair_is_taken_once(one, other, tmp_path):
    held = certificates(one.put(tmp_path))
    before = held.expiry()
    other.put(tmp_path)
    assert held.expiry() > before
    assert held.expiry() > before
    assert held.reloads() == {"taken": 1, "refused": 0}


def test_a_pair_whose_folder_is_swapped_by_a_link_is_taken(one, other, tmp_path):
    """As Kubernetes mounts a secret: `tls.crt -> ..data/tls.crt`, and `..data` is swapped."""
    first, second = tmp_path / "..1", tmp_path / "..2"
    for folder, pair in ((first, one), (second, other)):
        folder.mkdir()
        pair.put(folder)
    (tmp_path / "..data").symlink_to(first.name)
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    held = certificates(Pair(tmp_path / "tls.crt", tmp_path / "tls.key", one.ca))
    before = held.expiry()
    (tmp_path / "..new").symlink_to(second.name)
    (tmp_path / "..new").replace(tmp_path / "..data")
    assert held.expiry() > before


def test_a_pair_written_in_place_within_one_tick_of_the_clock_is_taken(one, other, tmp_path):
    files = one.put(tmp_path)
    held = certificates(files)
    before = held.expiry()
    for source, target in zip(other.files(), files.files(), strict=True):
        seen = target.stat()
        target.write_bytes(source.read_bytes())
        os.utime(target, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert held.expiry() > before


@pytest.mark.parametrize("kind", ["missing", "empty", "half written", "no text"])
@pytest.mark.parametrize("name", ["tls.crt", "tls.key", "ca.crt"])
def test_a_new_pair_that_does_not_serve_keeps_the_old_and_is_told_once(
    one, other, tmp_path, caplog, *, name, kind
):
    held = certificates(one.put(tmp_path), with_clients=True)
    before = held.expiry()
    other.put(tmp_path)
    damage(tmp_path / name, kind)
    assert [held.expiry() for _ in range(3)] == [before] * 3
    assert held.reloads() == {"taken": 0, "refused": 1}
    [record] = [r for r in caplog.records if r.levelname == "WARNING"]
    assert "keeping the TLS certificates read last" in record.message
    other.put(tmp_path)
    assert held.expiry() > before
    assert held.reloads() == {"taken": 1, "refused": 1}


def test_a_new_pair_is_rehearsed_once_however_many_handshakes_ask(
    one, other, tmp_path, monkeypatch
):
    rehearsed = []
    real = Certificates._checked

    def checked(self, pems):
        rehearsed.append(pems)
        return real(self, pems)

    monkeypatch.setattr(Certificates, "_checked", checked)
    files = one.put(tmp_path)
    held = certificates(files)
    files.key.write_bytes(other.key.read_bytes())
    for _ in range(3):
        held.expiry()
    other.put(tmp_path)
    for _ in range(3):
        held.expiry()
    assert len(rehearsed) == 3  # at the start, of the broken pair, of the good one


def test_a_certificate_that_comes_before_its_key_waits_for_it(one, other, tmp_path):
    files = one.put(tmp_path)
    held = certificates(files)
    before = held.expiry()
    files.certificate.write_bytes(other.certificate.read_bytes())
    assert held.expiry() == before
    files.key.write_bytes(other.key.read_bytes())
    assert held.expiry() > before


def test_what_is_being_written_while_it_is_checked_is_not_taken_for_what_was_read(
    one, other, tmp_path, monkeypatch
):
    files = one.put(tmp_path)
    held = certificates(files)
    before = held.expiry()
    files.certificate.write_bytes(other.certificate.read_bytes())
    real = Certificates._checked

    def checked(self, pems):
        files.key.write_bytes(other.key.read_bytes())
        return real(self, pems)

    monkeypatch.setattr(Certificates, "_checked", checked)
    assert held.expiry() == before  # the key that was read is not the one that was checked
    assert held.expiry() > before
    assert held.reloads() == {"taken": 1, "refused": 0}


def test_going_back_to_the_pair_in_force_is_no_reload(one, tmp_path):
    files = one.put(tmp_path)
    held = certificates(files)
    files.key.write_text("half a k")
    held.expiry()
    one.put(tmp_path)
    held.expiry()
    assert held.reloads() == {"taken": 0, "refused": 1}
    files.key.write_text("half a k")
    held.expiry()
    assert held.reloads() == {"taken": 0, "refused": 2}


def test_a_key_is_not_printed(one, tmp_path):
    held = certificates(one.put(tmp_path))
    assert b"PRIVATE" not in repr(vars(held)).encode()
