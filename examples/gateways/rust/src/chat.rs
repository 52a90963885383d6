//! An OpenAI chat completion request, as far as routing needs to know it.

use serde_json::{Map, Value};

use crate::pointsman::{ApiKind, Constraints, DataPolicy, Modality, Prompt};

/// The number of code points of a prompt that leave the gateway.
const PREFIX_LIMIT: usize = 1000;

pub struct Chat {
    body: Map<String, Value>,
    pub model: String,
}

impl Chat {
    /// The body as a request; none if it is none. The provider judges the rest of it.
    pub fn read(body: &[u8]) -> Option<Self> {
        let body: Map<String, Value> = serde_json::from_slice(body).ok()?;
        let model = body.get("model")?.as_str()?.to_owned();
        Some(Self { body, model })
    }

    /// The body with another model and all else as the client sent it.
    pub fn with_model(&self, model: &str) -> Vec<u8> {
        let mut body = self.body.clone();
        body.insert("model".into(), model.into());
        Value::Object(body).to_string().into_bytes()
    }

    /// The user id that the client claims.
    pub fn user(&self) -> Option<&str> {
        self.body.get("user")?.as_str()
    }

    /// The first and the latest words of the user and the start of the system prompt, bounded.
    pub fn prompt(&self) -> Prompt {
        let mut users = self.texts(&["user"]);
        Prompt {
            latest_user_prompt_prefix: users.clone().last(),
            user_prompt_prefix: users.next(),
            system_prompt_prefix: self.texts(&["system", "developer"]).next(),
            api_kind: ApiKind::ChatCompletions.into(),
            message_count: Some(self.messages().len() as u32),
            has_tools: self.has_tools(),
            stream: self.body.get("stream") == Some(&Value::Bool(true)),
            max_output_tokens: self.max_output_tokens(),
            ..Default::default()
        }
    }

    /// What the request lets the model write: a probe of a few tokens decides nothing.
    fn max_output_tokens(&self) -> Option<u32> {
        ["max_completion_tokens", "max_tokens"]
            .iter()
            .find_map(|name| self.body.get(*name)?.as_u64())
            .and_then(|most| u32::try_from(most).ok())
    }

    /// Requirements that a model must meet to serve this request.
    pub fn constraints(&self) -> Constraints {
        let images = self.messages().iter().any(|message| {
            parts(message)
                .iter()
                .any(|part| part["type"] == "image_url")
        });
        Constraints {
            required_inputs: images
                .then_some(Modality::Image.into())
                .into_iter()
                .collect(),
            requires_tools: self.has_tools(),
            ..Default::default()
        }
    }

    /// Keeps the prompt of a client that opted out of data collection from third parties.
    pub fn data_policy(&self) -> DataPolicy {
        match self.body.get("provider") {
            Some(provider) if provider["data_collection"] == "deny" => DataPolicy::ThirdPartyDenied,
            _ => DataPolicy::Unspecified,
        }
    }

    fn messages(&self) -> &[Value] {
        list(self.body.get("messages"))
    }

    fn has_tools(&self) -> bool {
        !list(self.body.get("tools")).is_empty()
    }

    /// The prefixes of the messages of some roles, without blank ones.
    fn texts(&self, roles: &'static [&str]) -> impl Iterator<Item = String> + Clone {
        self.messages()
            .iter()
            .filter(|message| message["role"].as_str().is_some_and(|r| roles.contains(&r)))
            .map(|message| prefix(&text(message)))
            .filter(|text| !text.is_empty())
    }
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn parts(message: &Value) -> &[Value] {
    list(message.get("content"))
}

/// The content of a message, which is a string or a list of parts.
fn text(message: &Value) -> String {
    if let Some(text) = message["content"].as_str() {
        return text.to_owned();
    }
    let texts = parts(message).iter().filter(|part| part["type"] == "text");
    let texts: Vec<_> = texts.filter_map(|part| part["text"].as_str()).collect();
    texts.join("\n")
}

/// The start of a text without blanks around it, cut between code points.
fn prefix(text: &str) -> String {
    let start: String = text.trim().chars().take(PREFIX_LIMIT).collect();
    start.trim_end().to_owned()
}
