//! The gateway's static rule table. Pointsman is asked about the tiers in it; whatever becomes of
//! that, the table has an answer.

/// One pseudo-model that users may ask for.
pub struct Tier {
    pub name: &'static str,
    /// The models that may serve it, best first.
    pub candidates: &'static [&'static str],
    /// This gateway's own pick for a client that is planning.
    planning: &'static str,
    /// Its pick for every other client.
    otherwise: &'static str,
}

const TIERS: &[Tier] = &[
    Tier {
        name: "kilo-auto/frontier",
        candidates: &[
            "anthropic/claude-opus-4.8",
            "anthropic/claude-sonnet-4.6",
            "openai/gpt-5.5",
            "google/gemini-3.1-pro-preview",
        ],
        planning: "anthropic/claude-opus-4.8",
        otherwise: "anthropic/claude-sonnet-4.6",
    },
    Tier {
        name: "kilo-auto/balanced",
        candidates: &[
            "anthropic/claude-haiku-4.5",
            "google/gemini-3.5-flash",
            "deepseek/deepseek-v4-pro:discounted",
        ],
        planning: "google/gemini-3.5-flash",
        otherwise: "anthropic/claude-haiku-4.5",
    },
];

/// The meaning of a requested model.
pub enum Requested {
    Tier(&'static Tier),
    UnknownTier,
    Concrete,
}

/// Tiers are compared in lower case; any other model is concrete.
pub fn requested(model: &str) -> Requested {
    let name = model.trim().to_lowercase();
    if !name.starts_with("kilo-auto/") {
        return Requested::Concrete;
    }
    TIERS
        .iter()
        .find(|tier| tier.name == name)
        .map_or(Requested::UnknownTier, Requested::Tier)
}

impl Tier {
    /// The gateway's own choice for a client in this mode.
    pub fn pick(&self, mode: Option<&str>) -> &'static str {
        match mode.map(str::to_lowercase).as_deref() {
            Some("plan" | "architect") => self.planning,
            _ => self.otherwise,
        }
    }
}
