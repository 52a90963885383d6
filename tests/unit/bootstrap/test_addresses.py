"""Where a worker listens."""

from __future__ import annotations

import pytest
from pointsman_server.bootstrap.addresses import admin_address, rpc_address
from pointsman_server.core.errors import SettingInvalid
from pointsman_server.settings import Settings
from pointsman_server.supervisor.protocol import WorkerAssignment


def duty(index: int) -> WorkerAssignment:
    return WorkerAssignment(index=index, port=40_000, hash_key="00ff")


@pytest.mark.parametrize(
    ("address", "index", "own"),
    [
        ("127.0.0.1:50052", None, "127.0.0.1:50052"),
        ("127.0.0.1:50052", 0, "127.0.0.1:50052"),
        ("127.0.0.1:50052", 3, "127.0.0.1:50055"),
        ("[::1]:50052", 1, "[::1]:50053"),
        ("127.0.0.1:0", 3, "127.0.0.1:0"),
        ("unix:/run/admin.sock", 0, "unix:/run/admin.sock"),
        ("unix:/run/admin.sock", 2, "unix:/run/admin.sock.2"),
        ("", 2, ""),
    ],
)
def test_each_worker_has_an_admin_address_of_its_own(
    address: str, index: int | None, own: str
) -> None:
    settings = Settings(admin_listen=address)
    assert admin_address(settings, None if index is None else duty(index)) == own


def test_a_worker_without_a_port_left_says_so() -> None:
    with pytest.raises(SettingInvalid, match="POINTSMAN_ADMIN_LISTEN: worker 2 has no port left"):
        admin_address(Settings(admin_listen="127.0.0.1:65534"), duty(2))


@pytest.mark.parametrize(
    ("address", "index", "shared"),
    [
        ("127.0.0.1:50051", None, "127.0.0.1:50051"),
        ("127.0.0.1:0", 1, "127.0.0.1:40000"),
        ("[::]:0", 1, "[::]:40000"),
    ],
)
def test_workers_listen_where_their_supervisor_keeps_a_port(
    address: str, index: int | None, shared: str
) -> None:
    settings = Settings(listen=address)
    assert rpc_address(settings, None if index is None else duty(index)) == shared
