"""The Pointsman server: decides which language model should serve a prompt."""

import os

# Before numpy is loaded. The embedded engine's matrices are small: threads of OpenBLAS wait longer
# for each other than they multiply, and hold the event loop for it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
