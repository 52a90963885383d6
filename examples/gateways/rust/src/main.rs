//! A gateway that serves OpenAI chat completions and asks Pointsman which model a tier means.

mod chat;
mod routing;
mod rules;
mod secrets;
mod tracing;

/// Generated from the contract by build.rs.
mod pointsman {
    tonic::include_proto!("pointsman.v1");
}

use std::env;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::signal::unix::{SignalKind, signal};

use chat::Chat;
use routing::{Choice, Router};
use rules::Requested;

const BODY_LIMIT: usize = 32 << 20;
const PATH: &str = "/v1/chat/completions";
const SENT: [HeaderName; 3] = [header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT];
const OF_THE_CONNECTION: [HeaderName; 3] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
];

/// Chooses a model for each request and forwards it.
struct Gateway {
    router: Router,
    provider: reqwest::Client,
    completions: String,
    serves: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let spans = tracing::start()?;
    let app = axum::Router::new()
        .route(PATH, post(chat_completions))
        .route("/health", get(async || r#"{"status":"ok"}"#))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(Arc::new(Gateway::from_environment()?));
    let listener =
        tokio::net::TcpListener::bind(format!("127.0.0.1:{}", var("PORT", "8080"))).await?;
    println!("gateway listening on http://{}", listener.local_addr()?);
    let mut terminated = signal(SignalKind::terminate())?;
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            terminated.recv().await;
        })
        .await?;
    spans.shutdown()?;
    Ok(())
}

async fn chat_completions(
    State(gateway): State<Arc<Gateway>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answered = gateway.chat_completions(&headers, body);
    tracing::in_server_span("POST /v1/chat/completions", &headers, answered)
        .await
        .unwrap_or_else(IntoResponse::into_response)
}

impl Gateway {
    fn from_environment() -> Result<Self, Box<dyn Error>> {
        let mode = var("MODE", "shadow");
        if !["shadow", "serve"].contains(&mode.as_str()) {
            return Err(format!("MODE is {mode}, not shadow or serve").into());
        }
        let timeout = Duration::from_millis(var("POINTSMAN_TIMEOUT_MS", "250").parse()?);
        let upstream = env::var("UPSTREAM_URL").map_err(|_| "UPSTREAM_URL is not set")?;
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        Ok(Self {
            router: Router::new(&var("POINTSMAN_ADDRESS", "127.0.0.1:50051"), timeout)?,
            provider: reqwest::Client::builder()
                .connect_timeout(Duration::from_secs(10))
                .build()?,
            completions: format!("{}/chat/completions", upstream.trim_end_matches('/')),
            serves: mode == "serve",
        })
    }

    async fn chat_completions(
        &self,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Response, Refused> {
        let chat = Chat::read(&body).ok_or(Refused(
            StatusCode::BAD_REQUEST,
            "the body is not a chat completion request",
        ))?;
        let (choice, sent) = match rules::requested(&chat.model) {
            Requested::Concrete => (
                Choice {
                    model: chat.model,
                    why: "concrete",
                },
                body,
            ),
            Requested::UnknownTier => return Err(Refused(StatusCode::NOT_FOUND, "no such tier")),
            Requested::Tier(tier) => {
                let choice = self.choose(&chat, tier, headers, body.len()).await;
                let sent = chat.with_model(&choice.model).into();
                (choice, sent)
            }
        };
        let mut response = self.forward(sent, headers).await?;
        let said = response.headers_mut();
        said.insert("x-gateway-why", HeaderValue::from_static(choice.why));
        if let Ok(model) = HeaderValue::try_from(choice.model) {
            said.insert("x-gateway-model", model);
        }
        Ok(response)
    }

    /// Serves the decision, or mirrors the question and serves the static pick.
    async fn choose(
        &self,
        chat: &Chat,
        tier: &rules::Tier,
        headers: &HeaderMap,
        body_bytes: usize,
    ) -> Choice {
        let pick = tier.pick(routing::header(headers, "x-mode"));
        let question = routing::question(chat, tier, pick, headers, body_bytes);
        if self.serves {
            return self.router.decide(question, pick).await;
        }
        self.router.mirror(question);
        Choice {
            model: pick.to_owned(),
            why: "shadow",
        }
    }

    /// Forwards the request to the provider and streams its answer.
    async fn forward(&self, body: Bytes, received: &HeaderMap) -> Result<Response, Refused> {
        let mut headers = HeaderMap::new();
        for name in SENT {
            if let Some(value) = received.get(&name) {
                headers.insert(name, value.clone());
            }
        }
        let answer = tracing::in_client_span("POST", async |trace| {
            trace.inject(&mut headers);
            self.provider
                .post(&self.completions)
                .headers(headers)
                .body(body)
                .send()
                .await
        })
        .await
        .map_err(|_| Refused(StatusCode::BAD_GATEWAY, "the provider does not answer"))?;
        let (status, mut said) = (answer.status(), answer.headers().clone());
        for name in OF_THE_CONNECTION {
            said.remove(name);
        }
        Ok((status, said, Body::from_stream(answer.bytes_stream())).into_response())
    }
}

/// A request that this gateway refuses itself, answered in the shape of OpenAI's errors.
struct Refused(StatusCode, &'static str);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let error = serde_json::json!({"message": self.1, "type": "invalid_request_error"});
        (self.0, axum::Json(serde_json::json!({"error": error}))).into_response()
    }
}

fn var(name: &str, otherwise: &str) -> String {
    env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}
