"""Imports of libraries without their optional parts, which would load other libraries."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(*modules: str) -> Iterator[None]:
    """Let `import` not find `modules` in this block, unless they are loaded already.

    Afterwards they can be imported as usual. Use it while a package is imported, on the main
    thread: other threads would not find them either.
    """
    hidden = [name for name in modules if name not in sys.modules]
    # Python's own way: an entry that is None raises ModuleNotFoundError.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
