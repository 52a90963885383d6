//! Asks Pointsman, and never makes a request worse: without an answer the static pick serves.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use opentelemetry::trace::FutureExt;
use tokio::sync::Semaphore;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};

use crate::chat::Chat;
use crate::pointsman::routing_service_client::RoutingServiceClient;
use crate::pointsman::{
    Caller, Prompt, RouteDecisionRequest, RouteDecisionResponse, RoutingContext,
};
use crate::rules::Tier;
use crate::secrets;
use crate::tracing;

const METHOD: &str = "pointsman.v1.RoutingService/RouteDecision";
const MIRROR_TIMEOUT: Duration = Duration::from_secs(5);
const MIRRORS_AT_ONCE: usize = 64;

#[derive(Clone)]
pub struct Router {
    client: RoutingServiceClient<Channel>,
    timeout: Duration,
    mirrors: Arc<Semaphore>,
}

/// The model to serve and whose it is: `routed` by Pointsman, or the static pick with (`static`) or
/// without (`fallback`) its word.
pub struct Choice {
    pub model: String,
    pub why: &'static str,
}

impl Router {
    /// Connects at the first call, and again at the next one whenever the connection is lost.
    pub fn new(address: &str, timeout: Duration) -> Result<Self, Box<dyn Error>> {
        let channel = match secrets::tls()? {
            Some(tls) => Endpoint::from_shared(format!("https://{address}"))?.tls_config(tls)?,
            None => Endpoint::from_shared(format!("http://{address}"))?,
        }
        .connect_lazy();
        Ok(Self {
            client: RoutingServiceClient::new(channel),
            timeout,
            mirrors: Arc::new(Semaphore::new(MIRRORS_AT_ONCE)),
        })
    }

    pub async fn decide(&self, question: RouteDecisionRequest, pick: &str) -> Choice {
        match ask(self.client.clone(), question, self.timeout).await {
            Ok(answer) => {
                let decided = answer.decision.map(|decision| decision.model);
                let routed = decided.as_ref() == Some(&answer.serve_model) && !answer.shadow;
                let model = Some(answer.serve_model).filter(|model| !model.is_empty());
                Choice {
                    model: model.unwrap_or_else(|| pick.to_owned()),
                    why: if routed { "routed" } else { "static" },
                }
            }
            Err(status) => {
                eprintln!("no decision, the static pick serves: {status:?}");
                Choice {
                    model: pick.to_owned(),
                    why: "fallback",
                }
            }
        }
    }

    /// Calls Pointsman in the background; requests beyond the queue are dropped.
    pub fn mirror(&self, question: RouteDecisionRequest) {
        let Ok(permit) = self.mirrors.clone().try_acquire_owned() else {
            eprintln!("mirror dropped");
            return;
        };
        let client = self.client.clone();
        let asking = async move {
            if let Err(status) = ask(client, question, MIRROR_TIMEOUT).await {
                eprintln!("mirror failed: {status:?}");
            }
            drop(permit);
        };
        // In the trace of the request, which it outlives.
        tokio::spawn(asking.with_current_context());
    }
}

/// The question about one request.
pub fn question(
    chat: &Chat,
    tier: &Tier,
    pick: &str,
    headers: &HeaderMap,
    body_bytes: usize,
) -> RouteDecisionRequest {
    let user = header(headers, "x-user-id").or(chat.user()).map(str::trim);
    RouteDecisionRequest {
        prompt: Some(Prompt {
            context_reset: header(headers, "x-context-reset") == Some("true"),
            ..chat.prompt()
        }),
        caller: Some(Caller {
            user_id: user
                .filter(|user| !user.is_empty())
                .unwrap_or("anonymous")
                .to_owned(),
            session_id: header(headers, "x-session-id").map(str::to_owned),
            agent_id: header(headers, "x-agent-id").map(str::to_owned),
            mode: header(headers, "x-mode").map(str::to_owned),
            ..Default::default()
        }),
        routing: Some(RoutingContext {
            auto_model: tier.name.to_owned(),
            candidate_models: tier.candidates.iter().map(ToString::to_string).collect(),
            resolved_model: Some(pick.to_owned()),
            incumbent_model: header(headers, "x-incumbent-model").map(str::to_owned),
        }),
        data_policy: chat.data_policy().into(),
        constraints: Some(chat.constraints()),
        requested_model: tier.name.to_owned(),
        body_bytes: body_bytes as u64,
        ..Default::default()
    }
}

/// A header without blanks around it; a blank one is none, since Pointsman refuses blank ids.
pub fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    (!value.is_empty()).then_some(value)
}

async fn ask(
    mut client: RoutingServiceClient<Channel>,
    question: RouteDecisionRequest,
    timeout: Duration,
) -> Result<RouteDecisionResponse, Code> {
    tracing::in_client_span(METHOD, async |trace| {
        let mut request = Request::new(question);
        request.set_timeout(timeout); // tells the server
        if let Some(token) = secrets::authorization()? {
            request.metadata_mut().insert("authorization", token);
        }
        trace.inject(request.metadata_mut().as_mut());
        match tokio::time::timeout(timeout, client.route_decision(request)).await {
            Ok(answered) => answered
                .map(|answer| answer.into_inner())
                .map_err(|s| s.code()),
            Err(_) => Err(Code::DeadlineExceeded),
        }
    })
    .await
}
