import { ApiKind, DataPolicy, Modality, type Question } from "pointsman-client";

/** How many code points of a prompt leave the gateway. */
const PREFIX_LIMIT = 1000;

/** An OpenAI chat completion request, as far as a gateway may rely on it: hardly at all. */
export interface Chat {
  model: string;
  messages?: unknown;
  tools?: unknown;
  stream?: unknown;
  user?: unknown;
  max_tokens?: unknown;
  max_completion_tokens?: unknown;
  provider?: { data_collection?: unknown } | null;
}

/** The body as a request; undefined if it is none. The provider judges the rest of it. */
export function readChat(body: string): Chat | undefined {
  try {
    const document: unknown = JSON.parse(body);
    return isObject(document) && typeof document["model"] === "string"
      ? (document as unknown as Chat)
      : undefined;
  } catch {
    return undefined;
  }
}

/** The first and the latest words of the user and the start of the system prompt, bounded. */
export function promptOf(chat: Chat): Exclude<Question["prompt"], string> {
  const messages = messagesOf(chat);
  const users = texts(messages, ["user"]);
  return {
    userPromptPrefix: users[0],
    latestUserPromptPrefix: users.at(-1),
    systemPromptPrefix: texts(messages, ["system", "developer"])[0],
    apiKind: ApiKind.CHAT_COMPLETIONS,
    messageCount: messages.length,
    hasTools: hasTools(chat),
    stream: chat.stream === true,
    maxOutputTokens: maxOutputTokens(chat),
  };
}

/** What the request lets the model write: a probe of a few tokens decides nothing. */
function maxOutputTokens(chat: Chat): number | undefined {
  const most = chat.max_completion_tokens ?? chat.max_tokens;
  return typeof most === "number" && Number.isInteger(most) && most >= 0 && most < 2 ** 32
    ? most
    : undefined;
}

/** What a model must be able to do to serve this request. */
export function constraintsOf(chat: Chat): NonNullable<Question["constraints"]> {
  const images = messagesOf(chat).flatMap(partsOf).some((part) => part["type"] === "image_url");
  return { requiredInputs: images ? [Modality.IMAGE] : [], requiresTools: hasTools(chat) };
}

/** Keeps the prompt of a client that opted out of data collection from third parties. */
export function dataPolicyOf(chat: Chat): DataPolicy {
  return chat.provider?.data_collection === "deny"
    ? DataPolicy.THIRD_PARTY_DENIED
    : DataPolicy.UNSPECIFIED;
}

type Fields = Record<string, unknown>;

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function messagesOf(chat: Chat): Fields[] {
  return Array.isArray(chat.messages) ? chat.messages.filter(isObject) : [];
}

function partsOf(message: Fields): Fields[] {
  return Array.isArray(message["content"]) ? message["content"].filter(isObject) : [];
}

function hasTools(chat: Chat): boolean {
  return Array.isArray(chat.tools) && chat.tools.length > 0;
}

/** The prefixes of the messages of some roles, without blank ones. */
function texts(messages: Fields[], roles: string[]): string[] {
  return messages
    .filter(({ role }) => typeof role === "string" && roles.includes(role))
    .map((message) => prefix(textOf(message)))
    .filter((text) => text !== "");
}

function textOf(message: Fields): string {
  if (typeof message["content"] === "string") return message["content"];
  return partsOf(message)
    .filter((part) => part["type"] === "text" && typeof part["text"] === "string")
    .map((part) => part["text"])
    .join("\n");
}

/** The start of a text, cut between code points: a string's length counts UTF-16 units. */
function prefix(text: string): string {
  const start = text.trimStart().slice(0, 2 * PREFIX_LIMIT);
  return Array.from(start).slice(0, PREFIX_LIMIT).join("").trimEnd();
}
