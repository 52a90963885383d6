"""Known elements that agents and editors put around, before or after the user's words.

The table below is data, and so are those of `preambles`. To support another agent, add its rows
there and a body to `tests/data/agent_bodies.json`. The shapes are facts about each agent's
requests, observed in public transcripts and sources. Generic element names count only beside a
mark of their agent, because users write such XML too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """An element `<name ...>...</name>`; names compare without case unless they are upper-case."""

    agent: str
    names: tuple[str, ...]
    words: bool = False
    """The element holds the user's own words, which then win over everything around it."""
    beside: tuple[str, ...] = ()
    """If given, the element counts only in a text that holds one of these marks."""
    at_line_start: bool = False
    attributes: str = ""
    """If given, the element counts only with attributes that start like this."""


BLOCKS = (
    Block(
        agent="Claude Code",
        names=(
            "system-reminder",
            "command-name",
            "command-message",
            "command-args",
            "command-contents",
            "local-command-stdout",
            "local-command-stderr",
            "local-command-caveat",
            "bash-input",
            "bash-stdout",
            "bash-stderr",
            "user-memory-input",
            "ide_opened_file",
            "ide_selection",
            "ide_diagnostics",
            "new-diagnostics",
            "task-notification",
            "teammate-message",
            "user-prompt-submit-hook",
            "session-start-hook",
            "post-tool-use-hook",
        ),
    ),
    Block(
        agent="Codex",
        names=(
            "environment_context",
            "user_instructions",
            "INSTRUCTIONS",
            "turn_aborted",
            "user_shell_command",
            "skills_instructions",
            "plugins_instructions",
            "apps_instructions",
            "subagent_notification",
            "agent_message_board_notification",
            "goal_context",
            "codex_internal_context",
            "recommended_plugins",
            "hook_prompt",
            "user_action",
            "collaboration_mode",
            "personality_spec",
            "model_switch",
        ),
    ),
    Block(agent="Codex", names=("permissions",), attributes=" instructions"),
    Block(agent="Codex", names=("image",), attributes=" name="),
    Block(agent="Codex", names=("skill",), at_line_start=True, beside=("<path>", "SKILL.md")),
    Block(agent="Cursor", names=("user_query",), words=True),
    Block(
        agent="Cursor",
        names=(
            "additional_data",
            "attached_files",
            "open_and_recently_viewed_files",
            "recently_viewed_files",
            "current_file",
            "user_info",
            "project_layout",
            "git_status",
            "always_applied_workspace_rules",
            "agent_requestable_workspace_rules",
            "user_rules",
            "cursor_commands",
            "cursor_rules_context",
            "system_reminder",
            "linter_errors",
            "agent_transcripts",
            "agent_skills",
            "available_skills",
            "manually_attached_skills",
            "mcp_file_system",
            "image_files",
            "terminal_files_information",
            "memory_and_skills_reminder",
        ),
    ),
    Block(
        agent="Cursor",
        names=("rules", "memories", "timestamp", "edit_history"),
        beside=("<user_query", "<user_info", "<additional_data", "<user_rules"),
    ),
    Block(agent="Cline, Roo Code, Kilo Code", names=("task",), words=True),
    Block(
        agent="Cline, Roo Code, Kilo Code",
        names=("feedback", "user_message", "answer"),
        words=True,
        at_line_start=True,
    ),
    Block(
        agent="Cline, Roo Code, Kilo Code",
        names=(
            "environment_details",
            "file_content",
            "final_file_content",
            "folder_content",
            "url_content",
            "git_working_state",
            "workspace_diagnostics",
            "terminal_output",
            "explicit_instructions",
            "thinking",
            "read_file",
            "search_files",
            "file",
        ),
    ),
    Block(
        agent="Cline, Roo Code, Kilo Code",
        names=("notice", "error", "git_commit"),
        beside=("<environment_details",),
    ),
    Block(
        agent="Gemini CLI",
        names=(
            "session_context",
            "hook_context",
            "loaded_context",
            "global_context",
            "extension_context",
        ),
    ),
    Block(agent="Copilot Chat", names=("userRequest",), words=True),
    Block(
        agent="Copilot Chat",
        names=(
            "reminderInstructions",
            "environment_info",
            "workspace_info",
            "editorContext",
            "attachments",
            "repoContext",
            "toolReferences",
            "availableDeferredTools",
            "importantReminders",
            "modeInstructions",
            "userMemory",
            "sessionMemory",
            "todoList",
        ),
    ),
    Block(
        agent="Copilot Chat",
        names=("context", "attachment", "instructions"),
        beside=("<userRequest", "<reminderInstructions", "<editorContext", "<environment_info"),
    ),
    Block(
        agent="OpenHands",
        names=(
            "RUNTIME_INFORMATION",
            "REPOSITORY_INFO",
            "REPOSITORY_INSTRUCTIONS",
            "CONVERSATION_INSTRUCTIONS",
            "WORKSPACE_FILES",
            "EXTRA_INFO",
            "uploaded_files",
        ),
    ),
)

BLOCK_OF: Mapping[str, Block] = {
    name if name.isupper() else name.lower(): block for block in BLOCKS for name in block.names
}

_NAMES = "|".join(sorted((re.escape(name) for name in BLOCK_OF), key=len, reverse=True))
TAG = re.compile(
    rf"<(?P<close>/?)(?P<name>{_NAMES})(?=[\s/>])(?P<attributes>[^<>]*)>", re.IGNORECASE
)
"""An opening or closing tag of a known block."""


def block_named(name: str) -> Block | None:
    """The row of an element, as its tag spells the name."""
    return BLOCK_OF.get(name) or BLOCK_OF.get(name.lower())


def mark_of(block: Block, *, text: str, seen: dict[Block, bool]) -> bool:
    """Whether a mark that `block` needs stands in `text`; `seen` remembers it per text."""
    if not block.beside:
        return True
    if block not in seen:
        seen[block] = any(mark in text for mark in block.beside)
    return seen[block]
