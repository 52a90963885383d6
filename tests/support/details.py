"""Reading the details of a refused call."""

from __future__ import annotations

from typing import Any

from grpc_status import rpc_status


def detail(error: Any, kind: type[Any]) -> Any:
    """The detail message of one kind; fails where the status has none."""
    status = rpc_status.from_call(_Trailers(error))
    for packed in status.details if status else ():
        if packed.Is(kind.DESCRIPTOR):
            found = kind()
            packed.Unpack(found)
            return found
    raise AssertionError(f"no {kind.__name__} in {status}")


class _Trailers:
    """What `rpc_status` reads of a call."""

    def __init__(self, error: Any) -> None:
        self._error = error

    def trailing_metadata(self) -> Any:
        return tuple(self._error.trailing_metadata() or ())

    def code(self) -> Any:
        return self._error.code()

    def details(self) -> Any:
        return self._error.details()
