"""Fine-tuning of the default reader's heads on an operator's labelled requests."""

from pointsman_server.engines.local.tuning.lines import LabelledRequest, parse
from pointsman_server.engines.local.tuning.tune import Table, Tuned, tune

__all__ = ["LabelledRequest", "Table", "Tuned", "parse", "tune"]
