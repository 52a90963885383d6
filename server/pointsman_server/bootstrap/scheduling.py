"""The scheduling policy of the server's threads."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal, TypeAlias

from pointsman_server.core.errors import SettingInvalid

SETTING = "POINTSMAN_SCHEDULING"
Scheduling: TypeAlias = Literal["normal", "batch"]


def schedule(policy: Scheduling) -> None:
    """Take a scheduling policy for all threads that run, and so for those that they start.

    `batch` is Linux's SCHED_BATCH (sched(7)): a thread that wakes up interrupts no other. gRPC's
    poller wakes up five times a call, and each time interrupts the very thread that answers calls;
    with this policy it waits until that thread is idle, and finds several events at once. Other
    processes on the same processor are not interrupted either. Raises `SettingInvalid` on systems
    other than Linux.
    """
    if policy == "normal":
        return
    if sys.platform != "linux":
        raise SettingInvalid(SETTING, "batch is a policy of Linux")
    for thread in Path("/proc/self/task").iterdir():
        try:
            os.sched_setscheduler(int(thread.name), os.SCHED_BATCH, os.sched_param(0))
        except ProcessLookupError:
            continue  # it has ended
        except OSError as error:
            raise SettingInvalid(SETTING, f"batch is not allowed here: {error.strerror}") from None
