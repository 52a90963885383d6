package gateway;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.StringJoiner;
import pointsman.v1.RouteDecision.ApiKind;
import pointsman.v1.RouteDecision.Constraints;
import pointsman.v1.RouteDecision.DataPolicy;
import pointsman.v1.RouteDecision.Modality;
import pointsman.v1.RouteDecision.Prompt;

/** An OpenAI chat completion request, as far as routing needs to know it. */
record Chat(ObjectNode body) {
  /** How many code points of a prompt leave the gateway. */
  private static final int PREFIX_LIMIT = 1000;

  /** Numbers keep every digit that the client wrote. */
  private static final JsonMapper JSON =
      JsonMapper.builder()
          .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
          .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
          .build();

  /** The body as a request; empty if it is none. The provider judges the rest of it. */
  static Optional<Chat> read(byte[] body) {
    try {
      return JSON.readTree(body) instanceof ObjectNode fields && fields.path("model").isTextual()
          ? Optional.of(new Chat(fields))
          : Optional.empty();
    } catch (IOException notJson) {
      return Optional.empty();
    }
  }

  String model() {
    return body.path("model").textValue();
  }

  /** Who the client says its user is; empty if it does not. */
  String user() {
    return body.path("user").asText("");
  }

  /** The body with another model and all else as the client sent it. */
  byte[] withModel(String model) throws IOException {
    return JSON.writeValueAsBytes(body.deepCopy().put("model", model));
  }

  /** The first and the latest words of the user and the start of the system prompt, bounded. */
  Prompt prompt() {
    Prompt.Builder prompt =
        Prompt.newBuilder()
            .setApiKind(ApiKind.API_KIND_CHAT_COMPLETIONS)
            .setMessageCount(body.path("messages").size())
            .setHasTools(hasTools())
            .setStream(body.path("stream").asBoolean());
    // The newer name wins; a probe of a few tokens decides nothing for its conversation.
    long most = body.path("max_completion_tokens").asLong(body.path("max_tokens").asLong(-1));
    if (most >= 0 && most < 1L << 32) {
      prompt.setMaxOutputTokens((int) most);
    }
    List<String> users = texts(List.of("user"));
    if (!users.isEmpty()) {
      prompt.setUserPromptPrefix(users.get(0));
      prompt.setLatestUserPromptPrefix(users.get(users.size() - 1));
    }
    texts(List.of("system", "developer")).stream()
        .findFirst()
        .ifPresent(prompt::setSystemPromptPrefix);
    return prompt.build();
  }

  /** What a model must be able to do to serve this request. */
  Constraints constraints() {
    Constraints.Builder constraints = Constraints.newBuilder().setRequiresTools(hasTools());
    if (body.path("messages").findValuesAsText("type").contains("image_url")) {
      constraints.addRequiredInputs(Modality.MODALITY_IMAGE);
    }
    return constraints.build();
  }

  /** Keeps the prompt of a client that opted out of data collection from third parties. */
  DataPolicy dataPolicy() {
    return body.path("provider").path("data_collection").asText().equals("deny")
        ? DataPolicy.DATA_POLICY_THIRD_PARTY_DENIED
        : DataPolicy.DATA_POLICY_UNSPECIFIED;
  }

  private boolean hasTools() {
    return body.path("tools").isArray() && !body.path("tools").isEmpty();
  }

  /** The prefixes of the messages of some roles, without blank ones. */
  private List<String> texts(List<String> roles) {
    List<String> texts = new ArrayList<>();
    for (JsonNode message : body.path("messages")) {
      String text = prefix(text(message.path("content")));
      if (roles.contains(message.path("role").asText()) && !text.isEmpty()) {
        texts.add(text);
      }
    }
    return texts;
  }

  private static String text(JsonNode content) {
    if (content.isTextual()) {
      return content.textValue();
    }
    StringJoiner text = new StringJoiner("\n");
    for (JsonNode part : content) {
      if (part.path("type").asText().equals("text")) {
        text.add(part.path("text").asText());
      }
    }
    return text.toString();
  }

  /** The start of a text, cut between code points: a string's length counts UTF-16 units. */
  private static String prefix(String text) {
    String start = text.strip();
    int points = Math.min(PREFIX_LIMIT, start.codePointCount(0, start.length()));
    return start.substring(0, start.offsetByCodePoints(0, points)).strip();
  }
}
