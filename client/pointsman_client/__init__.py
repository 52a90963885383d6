"""The Python client of Pointsman: asks which language model should serve a prompt.

`RoutingClient` asks, `normalise` reads request bodies, `identify` finds the user and the session
in them, `routing_from` and `plan_mirror` help a gateway, and `pointsman_client.testing` has a fake
service. Names listed here and there are public; the other modules are private.
"""

from pointsman_client.bodies.gemini import read_generate_content
from pointsman_client.bodies.identity import (
    BodySession,
    BodyUser,
    Identity,
    IdentitySources,
    identify,
    split_user_id,
)
from pointsman_client.bodies.normalise import normalise, read_body
from pointsman_client.bodies.response_chains import ResponseChains
from pointsman_client.channel import Keepalive, Tls
from pointsman_client.client import DECIDE_TIMEOUT, ROUTE_TIMEOUT, RoutingClient
from pointsman_client.client import RoutingClient as AsyncRoutingClient
from pointsman_client.description import (
    EngineDescription,
    EngineState,
    Mode,
    ModelDescription,
    PolicyProblem,
    ProfileDescription,
    ProfileShare,
    PurposeDescription,
    RoutingDescription,
    Stickiness,
    TierDescription,
)
from pointsman_client.error_kinds import UnusableResponse
from pointsman_client.errors import (
    ClientClosed,
    ClientFault,
    DeadlineExceeded,
    Denied,
    ErrorFacts,
    Fallback,
    FieldViolation,
    InvalidRequest,
    NotFound,
    Overloaded,
    RoutingError,
    ServiceFault,
    Unavailable,
    Unsupported,
    UnusableBody,
)
from pointsman_client.fallback import FailedAttempt, NoAttempts, failed_attempts
from pointsman_client.gateway import (
    MirrorPlan,
    MirrorSkip,
    TierRequest,
    plan_mirror,
    routing_from,
    tier_request,
    usable_id,
)
from pointsman_client.mirror import Mirror, MirrorCounts, MirrorLimits
from pointsman_client.model import (
    ApiKind,
    Constraints,
    DataPolicy,
    Modality,
    NormalisedPrompt,
    RouteRequest,
    Routing,
)
from pointsman_client.results import (
    Choice,
    Classification,
    ClassificationHead,
    ConversationSource,
    Decision,
    DroppedCandidate,
    DropReason,
    EngineFailure,
    Outcome,
    RankedCandidate,
    Reason,
    RouteResult,
    Source,
    SwitchReason,
)
from pointsman_client.routes import Attempt, ResolvedRoute
from pointsman_client.served_models import (
    ConversationKey,
    Served,
    ServedModels,
    conversation_key,
)
from pointsman_client.sync_client import SyncRoutingClient
from pointsman_client.tokens import TokenFile
from pointsman_client.trace import in_trace_of
from pointsman_client.transports import Transport

__all__ = [
    "DECIDE_TIMEOUT",
    "ROUTE_TIMEOUT",
    "ApiKind",
    "AsyncRoutingClient",
    "Attempt",
    "BodySession",
    "BodyUser",
    "Choice",
    "Classification",
    "ClassificationHead",
    "ClientClosed",
    "ClientFault",
    "Constraints",
    "ConversationKey",
    "ConversationSource",
    "DataPolicy",
    "DeadlineExceeded",
    "Decision",
    "Denied",
    "DropReason",
    "DroppedCandidate",
    "EngineDescription",
    "EngineFailure",
    "EngineState",
    "ErrorFacts",
    "FailedAttempt",
    "Fallback",
    "FieldViolation",
    "Identity",
    "IdentitySources",
    "InvalidRequest",
    "Keepalive",
    "Mirror",
    "MirrorCounts",
    "MirrorLimits",
    "MirrorPlan",
    "MirrorSkip",
    "Modality",
    "Mode",
    "ModelDescription",
    "NoAttempts",
    "NormalisedPrompt",
    "NotFound",
    "Outcome",
    "Overloaded",
    "PolicyProblem",
    "ProfileDescription",
    "ProfileShare",
    "PurposeDescription",
    "RankedCandidate",
    "Reason",
    "ResolvedRoute",
    "ResponseChains",
    "RouteRequest",
    "RouteResult",
    "Routing",
    "RoutingClient",
    "RoutingDescription",
    "RoutingError",
    "Served",
    "ServedModels",
    "ServiceFault",
    "Source",
    "Stickiness",
    "SwitchReason",
    "SyncRoutingClient",
    "TierDescription",
    "TierRequest",
    "Tls",
    "TokenFile",
    "Transport",
    "Unavailable",
    "Unsupported",
    "UnusableBody",
    "UnusableResponse",
    "conversation_key",
    "failed_attempts",
    "identify",
    "in_trace_of",
    "normalise",
    "plan_mirror",
    "read_body",
    "read_generate_content",
    "routing_from",
    "split_user_id",
    "tier_request",
    "usable_id",
]
