/** One pseudo-model that users may ask for. */
export interface Tier {
  /** The models that may serve it, best first. */
  readonly candidates: readonly string[];
  /** This gateway's own pick for a client that is planning. */
  readonly planning: string;
  /** Its pick for every other client. */
  readonly otherwise: string;
}

/**
 * The gateway's static rule table. Pointsman is asked about the tiers in it; whatever becomes of
 * that, the table has an answer.
 */
export const TIERS: ReadonlyMap<string, Tier> = new Map([
  [
    "kilo-auto/frontier",
    {
      candidates: [
        "anthropic/claude-opus-4.8",
        "anthropic/claude-sonnet-4.6",
        "openai/gpt-5.5",
        "google/gemini-3.1-pro-preview",
      ],
      planning: "anthropic/claude-opus-4.8",
      otherwise: "anthropic/claude-sonnet-4.6",
    },
  ],
  [
    "kilo-auto/balanced",
    {
      candidates: [
        "anthropic/claude-haiku-4.5",
        "google/gemini-3.5-flash",
        "deepseek/deepseek-v4-pro:discounted",
      ],
      planning: "google/gemini-3.5-flash",
      otherwise: "anthropic/claude-haiku-4.5",
    },
  ],
]);

/** The tier that a requested model names, in lower case; undefined for a concrete model. */
export function tierName(model: string): string | undefined {
  const name = model.trim().toLowerCase();
  return name.startsWith("kilo-auto/") ? name : undefined;
}

/** The gateway's own choice for a client in this mode. */
export function staticPick(tier: Tier, mode: string | undefined): string {
  return ["plan", "architect"].includes(mode?.toLowerCase() ?? "") ? tier.planning : tier.otherwise;
}
