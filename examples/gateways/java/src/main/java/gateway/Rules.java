package gateway;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * The gateway's static rule table. Pointsman is asked about the tiers in it; whatever becomes of
 * that, the table has an answer.
 */
final class Rules {
  private static final String TIER_PREFIX = "kilo-auto/";

  /**
   * One pseudo-model that users may ask for.
   *
   * @param candidates the models that may serve it, best first
   * @param planning this gateway's own pick for a client that is planning
   * @param otherwise its pick for every other client
   */
  record Tier(List<String> candidates, String planning, String otherwise) {
    /** The gateway's own choice for a client in this mode, which may be null. */
    String pick(String mode) {
      boolean plans = mode != null && List.of("plan", "architect").contains(lower(mode));
      return plans ? planning : otherwise;
    }
  }

  static final Map<String, Tier> TIERS =
      Map.of(
          "kilo-auto/frontier",
          new Tier(
              List.of(
                  "anthropic/claude-opus-4.8",
                  "anthropic/claude-sonnet-4.6",
                  "openai/gpt-5.5",
                  "google/gemini-3.1-pro-preview"),
              "anthropic/claude-opus-4.8",
              "anthropic/claude-sonnet-4.6"),
          "kilo-auto/balanced",
          new Tier(
              List.of(
                  "anthropic/claude-haiku-4.5",
                  "google/gemini-3.5-flash",
                  "deepseek/deepseek-v4-pro:discounted"),
              "google/gemini-3.5-flash",
              "anthropic/claude-haiku-4.5"));

  /** The tier that a requested model names, in lower case; empty for a concrete model. */
  static Optional<String> tierName(String model) {
    return Optional.of(lower(model.strip())).filter(name -> name.startsWith(TIER_PREFIX));
  }

  private static String lower(String text) {
    return text.toLowerCase(Locale.ROOT);
  }

  private Rules() {}
}
