"""Requests of eight agents: the user's words in the wrappers that each puts around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TIER = "kilo-auto/frontier"
PICTURE = "aGk="
DATA_URL = f"data:image/png;base64,{PICTURE}"
OPENING = "Read the repository."


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one request holds."""

    words: str
    session: str
    first: bool = False
    """Nothing was said before."""
    loop: int = 0
    """Steps of a tool loop behind the words."""
    reset: bool = False
    """A summary replaces what was said before."""
    image: bool = False
    bound: bool = False
    """The tool loop holds state that one provider alone can read."""
    probe: bool = False
    large: bool = False
    """The context with the output's reservation is so large that no switch saves enough."""

    @property
    def room(self) -> int:
        """Tokens of output, which the estimate of the context includes."""
        return 1 if self.probe else 64_000 if self.large else 4_096

    @property
    def opens(self) -> bool:
        """Whether the body has an earlier exchange."""
        return not self.first and not self.reset


def part(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


class ClaudeCode:
    path = "/v1/messages"
    summarizes = spawns = True
    reminder = (
        "<system-reminder>\nAs you answer the user's questions, you can use the following context:"
        "\n# claudeMd\nRun the tests after each edit.\n</system-reminder>"
    )

    def headers(self, session: str, agent: str | None) -> dict[str, str]:
        ids = {"x-claude-code-session-id": session}
        return ids | ({"x-claude-code-agent-id": agent} if agent else {})

    def body(self, said: Said) -> dict[str, Any]:
        messages: list[dict[str, Any]] = []
        if said.reset:
            summary = "This session is being continued from a previous conversation. Summary: x"
            messages.append({"role": "user", "content": [part(self.reminder), part(summary)]})
        if said.opens:
            messages.append({"role": "user", "content": [part(self.reminder), part(OPENING)]})
            messages.append({"role": "assistant", "content": [part("Done.")]})
        content: list[Any] = [part(self.reminder)] if said.first else []
        content.append(part(said.words))
        if said.image:
            source = {"type": "base64", "media_type": "image/png", "data": PICTURE}
            content.append({"type": "image", "source": source})
        messages.append({"role": "user", "content": content})
        for step in range(said.loop):
            thought = {"type": "thinking", "thinking": "x", "signature": "c2ln"}
            call = {"type": "tool_use", "id": f"t{step}", "name": "Read", "input": {}}
            result = {"type": "tool_result", "tool_use_id": f"t{step}", "content": "1 import x"}
            todo = part("<system-reminder>\nYour todo list is empty.\n</system-reminder>")
            calls = [thought, call] if said.bound else [call]
            messages.append({"role": "assistant", "content": calls})
            messages.append({"role": "user", "content": [result, todo]})
        billing = part(f"x-anthropic-billing-header: cc_version=2.1; cch={len(messages)};\n")
        system = [billing, part("You are Claude Code.")]
        return {"model": TIER, "max_tokens": said.room, "system": system, "messages": messages}


class Codex:
    path = "/v1/responses"
    summarizes = spawns = True

    def headers(self, session: str, agent: str | None) -> dict[str, str]:
        return {"x-openai-subagent": agent} if agent else {}

    def body(self, said: Said) -> dict[str, Any]:
        rules = "# AGENTS.md instructions for /repo\n\n<INSTRUCTIONS>\nUse tabs.\n</INSTRUCTIONS>"
        items: list[dict[str, Any]] = [
            _message("developer", "<permissions instructions>never</permissions instructions>"),
            _message("user", rules),
            _message("user", "<environment_context>\n  <cwd>/repo</cwd>\n</environment_context>"),
        ]
        if said.reset:
            start = "Another language model started to solve this problem and produced a summary"
            items.append(_message("user", f"{start} of its thinking process: x"))
        if said.opens:
            items += [_message("user", OPENING), _message("assistant", "Done.")]
        items.append(_message("user", said.words))
        if said.image:
            items[-1]["content"].append({"type": "input_image", "image_url": DATA_URL})
        for step in range(said.loop):
            if said.bound:
                items.append({"type": "reasoning", "id": "r", "encrypted_content": "gAAA"})
            named = {"call_id": f"c{step}"}
            items.append({"type": "function_call", "name": "shell", "arguments": "{}", **named})
            items.append({"type": "function_call_output", "output": "ok", **named})
        key = {"prompt_cache_key": said.session, "store": False}
        return {"model": TIER, "input": items, "max_output_tokens": said.room, **key}


def _message(role: str, text: str) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "role": role, "content": content}


class Chat:
    """An agent of chat completions; `wrap` and `before` are its own."""

    path = "/v1/chat/completions"
    summarizes = spawns = False
    header = "x-session-id"

    def headers(self, session: str, agent: str | None) -> dict[str, str]:
        assert agent is None
        return {self.header: session}

    def before(self, *, reset: bool) -> list[dict[str, Any]]:
        """The messages that open every request."""
        assert not reset
        return []

    def wrap(self, words: str, *, first: bool) -> list[dict[str, Any]]:
        """The messages of the user's words."""
        raise NotImplementedError

    def body(self, said: Said) -> dict[str, Any]:
        messages: list[dict[str, Any]] = [{"role": "system", "content": "You are an agent."}]
        messages += self.before(reset=said.reset)
        if said.opens:
            messages += self.wrap(OPENING, first=True)
            messages.append({"role": "assistant", "content": "Done."})
        messages += self.wrap(said.words, first=said.first)
        if said.image:
            content = messages[-1]["content"]
            parts = [part(content)] if isinstance(content, str) else content
            shown = {"type": "image_url", "image_url": {"url": DATA_URL}}
            messages[-1]["content"] = [*parts, shown]
        for step in range(said.loop):
            function = {"name": "read", "arguments": "{}"}
            call: dict[str, Any] = {"id": f"c{step}", "type": "function", "function": function}
            if said.bound:
                call["extra_content"] = {"google": {"thought_signature": "abc"}}
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
            messages.append({"role": "tool", "tool_call_id": f"c{step}", "content": "1 import x"})
        return {"model": TIER, "messages": messages, "max_tokens": said.room}


def user(*texts: str) -> dict[str, Any]:
    return {"role": "user", "content": [part(text) for text in texts]}


class Cursor(Chat):
    def wrap(self, words: str, *, first: bool) -> list[dict[str, Any]]:
        data = "<additional_data>\n<current_file>\nPath: a.py\n</current_file>\n</additional_data>"
        return [
            user("<user_info>\nOS: darwin\n</user_info>\n<rules>\nUse tabs.\n</rules>"),
            user(f"{data}\n<user_query>\n{words}\n</user_query>"),
        ]


class KiloCode(Chat):
    header = "x-kilocode-taskid"

    def wrap(self, words: str, *, first: bool) -> list[dict[str, Any]]:
        details = "<environment_details>\n# Current Time\n11/30/2026, 12:01\n</environment_details>"
        if first:
            return [user(f"<task>\n{words}\n</task>", details)]
        told = f"[attempt_completion] Result:\n<user_message>\n{words}\n</user_message>"
        return [user(told, details)]


class GeminiCli(Chat):
    summarizes = True

    def before(self, *, reset: bool) -> list[dict[str, Any]]:
        setup = "This is the Gemini CLI. We are setting up the context for our chat.\nLinux."
        opening = [user(setup), {"role": "assistant", "content": "Got it. Thanks for the context!"}]
        if not reset:
            return opening
        snapshot = "<state_snapshot>\n<overall_goal>sort</overall_goal>\n</state_snapshot>"
        known = {"role": "assistant", "content": "Got it. Thanks for the additional context!"}
        return [*opening, user(snapshot), known]

    def wrap(self, words: str, *, first: bool) -> list[dict[str, Any]]:
        return [{"role": "user", "content": words}]


class CopilotChat(Chat):
    summarizes = True
    header = "x-client-session-id"

    def before(self, *, reset: bool) -> list[dict[str, Any]]:
        opening = [user("<environment_info>\nThe user's current OS is: Linux\n</environment_info>")]
        if not reset:
            return opening
        summary = "<conversation-summary>\nSo far: logging.\n</conversation-summary>"
        return [*opening, user(summary)]

    def wrap(self, words: str, *, first: bool) -> list[dict[str, Any]]:
        around = (
            "<context>\nDate: x\n</context>\n<reminderInstructions>\nx\n</reminderInstructions>"
        )
        return [user(f"{around}\n<userRequest>\n{words}\n</userRequest>")]


class OpenHands(Chat):
    def before(self, *, reset: bool) -> list[dict[str, Any]]:
        return [user("<RUNTIME_INFORMATION>\n/workspace\n</RUNTIME_INFORMATION>")]

    def wrap(self, words: str, *, first: bool) -> list[dict[str, Any]]:
        return [user(words, "<EXTRA_INFO>\nTriggered by the keyword parser.\n</EXTRA_INFO>")]


class Aider(Chat):
    def before(self, *, reset: bool) -> list[dict[str, Any]]:
        files = "I have *added these files to the chat* so you can go ahead and edit them.\n\na.py"
        return [user(files), {"role": "assistant", "content": "Ok."}]

    def wrap(self, words: str, *, first: bool) -> list[dict[str, Any]]:
        return [{"role": "user", "content": f"{words}\n\n# *SEARCH/REPLACE block* Rules:\n\nx"}]


AGENTS: tuple[ClaudeCode | Codex | Chat, ...] = (
    ClaudeCode(),
    Codex(),
    Cursor(),
    KiloCode(),
    GeminiCli(),
    CopilotChat(),
    OpenHands(),
    Aider(),
)
