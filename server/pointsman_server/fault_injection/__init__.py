"""Fault injection for tests: scripted failures of the HTTP endpoints.

No endpoint imports it: tests pass a `FaultInjection` to `build_app`.
"""

from pointsman_server.fault_injection.routes import FaultInjection
from pointsman_server.fault_injection.script import Call, FaultScript

__all__ = ["Call", "FaultInjection", "FaultScript"]
