"""Known texts without tags that agents put before or after the user's words.

Like the elements of `wrappers`, the tables are data: facts about the requests of each agent.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Preamble:
    """Text that begins a part of a message and that the user did not write."""

    agent: str
    starts: str
    ends: str = ""
    """The text before the user's words; empty: the whole part belongs to the preamble."""
    optional: bool = False
    """Without `ends` in the part, the part is the user's."""
    resets_context: bool = False
    """A summary follows: the agent rebuilt the context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trailer:
    """A mark at the start of a line; the agent appends it and everything after it."""

    agent: str
    starts: str


PREAMBLES = (
    Preamble(agent="Claude Code", starts="Caveat: The messages below were", ends="\n"),
    Preamble(agent="Claude Code", starts="[Request interrupted by user", ends="]"),
    Preamble(
        agent="Claude Code",
        starts="This session is being continued from a previous",
        resets_context=True,
    ),
    Preamble(agent="Codex", starts="# AGENTS.md instructions", ends="</INSTRUCTIONS>"),
    Preamble(
        agent="Codex",
        starts="# Context from my IDE setup:",
        ends="## My request for Codex:",
        optional=True,
    ),
    Preamble(
        agent="Codex",
        starts="# Files mentioned by the user:",
        ends="## My request for Codex:",
        optional=True,
    ),
    Preamble(
        agent="Codex",
        starts="Another language model started to solve this problem",
        resets_context=True,
    ),
    Preamble(
        agent="Cline, Roo Code, Kilo Code",
        starts="[ERROR] You did not use a tool in your previous response",
    ),
    Preamble(agent="Cline, Roo Code, Kilo Code", starts="[TASK RESUMPTION]"),
    Preamble(
        agent="Gemini CLI",
        starts="This is the Gemini CLI. We are setting up the context",
        ends="I will provide my first command in the next turn.",
    ),
    Preamble(
        agent="Gemini CLI",
        starts="This is the Qwen Code. We are setting up the context",
        ends="I will provide my first command in the next turn.",
    ),
    Preamble(agent="Gemini CLI", starts="Here is the user's editor context as a JSON object"),
    Preamble(agent="Gemini CLI", starts="Here is a summary of changes in the user's editor"),
    Preamble(
        agent="Gemini CLI",
        starts="<state_snapshot>",
        ends="</state_snapshot>",
        resets_context=True,
    ),
    Preamble(
        agent="Copilot Chat",
        starts="<conversation-summary>",
        ends="</conversation-summary>",
        resets_context=True,
    ),
    Preamble(agent="aider", starts="I have *added these files to the chat*"),
    Preamble(agent="aider", starts="Here are summaries of some files present in my git repo"),
    Preamble(agent="aider", starts="I am not sharing any files that you can edit yet"),
    Preamble(agent="aider", starts="I am not sharing the full contents of any files"),
    Preamble(agent="aider", starts="I am working with you on code in a git repository"),
    Preamble(agent="aider", starts="Don't try and edit any existing code without asking me"),
    Preamble(agent="aider", starts="Here are some READ ONLY files, provided for your reference"),
    Preamble(agent="aider", starts="I switched to a new code base."),
    # The turns of its few-shot example, which it sends as if the user had written them.
    Preamble(agent="aider", starts="Change get_factorial() to use math.factorial"),
    Preamble(agent="aider", starts="Refactor hello() into its own file."),
    Preamble(agent="OpenCode", starts="Called the Read tool with the following input:"),
    Preamble(agent="OpenCode", starts="Called the List tool with the following input:"),
)

TRAILERS = (
    Trailer(agent="aider", starts="# *SEARCH/REPLACE block* Rules:"),
    Trailer(agent="aider", starts="# File editing rules:"),
)

ACKNOWLEDGED = frozenset(
    {
        # Gemini CLI and Qwen Code write it for the model, behind the summary of a compression.
        "Got it. Thanks for the additional context!",
    }
)
"""Answers that an agent writes itself: the model has not answered yet."""

QUEUED = (
    "The user sent the following message:",
    "The user sent a new message while you were working:",
)
"""The start of a reminder in which Claude Code and OpenCode pass on words typed meanwhile."""
QUEUED_ENDS = ("\n\nPlease address this message", "\n\nIMPORTANT:")
