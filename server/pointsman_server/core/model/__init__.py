"""The values that a decision is made of: frozen, slotted, free of any library.

They cross every room. `transport.decode` and `policies.schema` validate and bound them; nothing
here checks again.
"""

from pointsman_server.core.model._catalog import (
    HEAVY_AXES,
    CatalogModel,
    SwitchRules,
    SwitchValues,
    Tier,
    provider_of,
)
from pointsman_server.core.model._engine import (
    Classification,
    EngineAnswer,
    EngineFailure,
    EngineQuery,
    Head,
    RankedModel,
)
from pointsman_server.core.model._outcome import (
    Decision,
    Dropped,
    Outcome,
)
from pointsman_server.core.model._request import (
    NO_CONSTRAINTS,
    PROMPT_CODE_POINTS,
    Caller,
    Constraints,
    Prompt,
    RouteRequest,
    RoutingContext,
)
from pointsman_server.core.model._words import (
    ApiKind,
    ConversationSource,
    DataPolicy,
    DropReason,
    Modality,
    Mode,
    Organizations,
    Reason,
    Retention,
    Source,
    Stickiness,
    SwitchReason,
    Verdict,
)

__all__ = [
    "HEAVY_AXES",
    "NO_CONSTRAINTS",
    "PROMPT_CODE_POINTS",
    "ApiKind",
    "Caller",
    "CatalogModel",
    "Classification",
    "Constraints",
    "ConversationSource",
    "DataPolicy",
    "Decision",
    "DropReason",
    "Dropped",
    "EngineAnswer",
    "EngineFailure",
    "EngineQuery",
    "Head",
    "Modality",
    "Mode",
    "Organizations",
    "Outcome",
    "Prompt",
    "RankedModel",
    "Reason",
    "Retention",
    "RouteRequest",
    "RoutingContext",
    "Source",
    "Stickiness",
    "SwitchReason",
    "SwitchRules",
    "SwitchValues",
    "Tier",
    "Verdict",
    "provider_of",
]
