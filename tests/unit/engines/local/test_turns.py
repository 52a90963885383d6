"""Turns without a task, in the languages of users; what is a task stays one."""

from __future__ import annotations

import pytest
from pointsman_server.core.model import Prompt
from pointsman_server.core.turn import Turn, turn_of
from pointsman_server.engines.local.turns import LexicalTurnReader

READER = LexicalTurnReader()

LOG = """2026-11-30 12:00:01,123 ERROR pool: connection refused
2026-11-30 12:00:02,456 WARN pool: retrying
2026-11-30 12:00:04,001 ERROR pool: gave up after 3 attempts"""
TRACE = """Traceback (most recent call last):
  File "app.py", line 12, in <module>
    main()
  File "app.py", line 8, in main
    raise ValueError("no")
ValueError: no"""
TESTS = """FAILED tests/test_a.py::test_one
FAILED tests/test_a.py::test_two
===== 2 failed, 3 passed in 0.12s ====="""

JEST = """$ npm test

> app@1.0.0 test
> jest

PASS src/a.test.js
FAIL src/b.test.js
Tests: 1 failed, 1 passed, 2 total"""
JSON_LOG = """{"level":"error","ts":1732969,"msg":"refused"}
{"level":"warn","ts":1732970,"msg":"retry"}
{"level":"error","ts":1732971,"msg":"gave up"}"""
SYSLOG = """Nov 30 12:00:01 host sshd[123]: Failed password for root
Nov 30 12:00:02 host sshd[123]: Failed password for root
Nov 30 12:00:03 host sshd[124]: Connection closed"""
PANIC = """panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.main()
\t/tmp/x.go:8 +0x1d
exit status 2"""
RUSTC = """error[E0382]: borrow of moved value: `x`
 --> src/main.rs:4:20
  |
2 |     let x = String::new();
  |         - move occurs because `x` has type `String`
error: aborting due to previous error"""
SERVICE = """2026-11-30 12:00:01 INFO server starting
2026-11-30 12:00:02 INFO pool has four workers
2026-11-30 12:00:04 INFO server listening on port 8080"""
GIT = """On branch main
Your branch is up to date with 'origin/main'.

Changes not staged for commit:
\tmodified:   a.py"""
CODE = """queue.put(1)
queue.put(2)
print(queue.get())"""

NO_TASK = (
    "yes", "Yes!", "YES, do it", "go on", "continue", "Continue.", "ok", "OK 👍", "hi", "Hello!",
    "quota", "Warmup", "thanks", "sounds good",
    "thanks, are you there?", "ok. go on!", "да", "продолжай", "继续", "好的", "はい", "続けて",
    "계속해", "oui", "vas-y", "sí", "ja", "weiter", "sim", "devam et", "نعم", "ठीक है", "1", "2.",
    "👍", "...", "?", LOG, TRACE, TESTS, JEST, JSON_LOG, SYSLOG, PANIC, RUSTC, GIT,
    "mach weiter bitte", "bitte weiter", "continue s'il te plaît", "продолжай, пожалуйста",
    "хорошо, продолжай", "ok mach das", "carry on then", "go for it", "looks good to me",
    "continue where you left off", "great work", "Hallo, wie geht's?", "hola, ¿cómo estás?",
    "जारी रखो", "pode seguir",
    "ok then please continue now thanks",
)  # fmt: skip
TASKS = (
    "Rename the variable `foo` to `userCount` in utils.py.", "Sort these imports.",
    "Transcribe this.", "What does HTTP status 418 mean?", "yes, and rename foo to bar",
    "continue with the parser: add tests", "Напиши функцию сортировки.", "hi, sort this list",
    "写一个快速排序", "バグを直してください: ログインできない", "Prove it.", "Refactor the cache.",
    "2+2", "test the login page", "Schreibe einen Parser", "ok so now make the queue lock-free",
    f"Why does this fail?\n{TRACE}", f"{LOG}\nWhich of these is the cause?",
    "ok, now redesign the queue", "please sort this", "ja, und dann benenne foo in bar um", CODE,
    "да, и исправь ошибку в парсере", "go on with the migration of the users table",
    f"{GIT}\nCommit this with a good message.", f"Explain:\n{RUSTC}", f"{PANIC}\n\nWhy?",
    "- add a button\n- fix the footer\n- write tests for both of them, please",
)  # fmt: skip
PASTES = (LOG, TRACE, TESTS, JEST, JSON_LOG, SYSLOG, PANIC, RUSTC, GIT, SERVICE)
VAGUE = (
    "fix it",
    "Fix this!",
    "make it better somehow",
    "it doesn't work",
    "help",
    "не работает",
    "please fix it",
    "bitte reparier das",
)


def turn(text: str, **fields) -> Turn:
    return turn_of(Prompt(latest=text, **fields), READER.read(text))


@pytest.mark.parametrize("text", NO_TASK)
def test_a_turn_without_a_task_is_none(text):
    assert turn(text) is Turn.NO_TASK


@pytest.mark.parametrize("text", TASKS)
def test_a_task_is_one_in_any_language(text):
    assert turn(text) is Turn.TASK


def on_one_line(text: str) -> str:
    """As clients send it."""
    return " ".join(text.split())


@pytest.mark.parametrize("paste", PASTES, ids=range(len(PASTES)))
def test_a_paste_without_its_line_breaks_is_no_task(paste):
    assert turn(on_one_line(paste)) is Turn.NO_TASK


@pytest.mark.parametrize("paste", PASTES, ids=range(len(PASTES)))
@pytest.mark.parametrize(
    "wish",
    [
        "Why?",
        "please fix this",
        "Fix it.",
        "why does this fail",
        "почему",
        "これは何ですか",
        "was ist das",
    ],
)
def test_a_wish_behind_or_before_such_a_paste_is_a_task(paste, wish):
    assert turn(f"{on_one_line(paste)} {wish}") is Turn.TASK
    assert turn(f"{wish} {on_one_line(paste)}") is Turn.TASK


@pytest.mark.parametrize(
    "text",
    [
        "ERROR: a WARN: b INFO: c are the three levels that I want to have printed in colours",
        "error handling: add it to the parser, the lexer and the command line of this tool",
        "2026-11-30 12:00 is the date of the release, so move the milestone of the project there",
    ],
)
def test_prose_that_begins_like_a_log_is_a_task(text):
    assert turn(text) is Turn.TASK


@pytest.mark.parametrize(
    "text",
    [
        "TypeError: x is undefined at foo(a.js:1:2) at bar(b.js:3:4) at c(c.js:5:6) add a check",
        "panic: nil map goroutine 1 [running]: main.main() exit status 2 write a test for this",
        "[ERROR] db timeout [WARN] retry 1 [ERROR] db timeout implement a retry wrapper",
        "npm ERR! code E404 npm ERR! 404 not found npm ERR! pkg left-pad, replace the package",
        "FAIL src/a.test.ts FAIL src/b.test.ts FAIL src/c.test.ts make them pass",
        "On branch main Changes not staged: modified: a.py modified: b.py write the changelog",
    ],
)
def test_words_behind_the_last_record_of_a_paste_are_a_task(text):
    assert turn(text) is Turn.TASK


@pytest.mark.parametrize("task", ["", "handle it", "ajoute un test"])
@pytest.mark.parametrize(
    "message", ["ZeroDivisionError: division by zero", "OSError: Connection reset by peer"]
)
def test_a_well_known_message_ends_a_trace(message, task):
    trace = TRACE.replace("ValueError: no", message)
    expected = Turn.TASK if task else Turn.NO_TASK
    assert turn(f"{on_one_line(trace)} {task}".strip()) is expected


@pytest.mark.parametrize("paste", PASTES, ids=range(len(PASTES)))
@pytest.mark.parametrize("task", ["implement a retry wrapper", "ajoute un test unitaire"])
def test_a_task_without_a_known_word_behind_a_paste_is_one(paste, task):
    assert turn(f"{on_one_line(paste)} {task}") is Turn.TASK


@pytest.mark.parametrize("text", VAGUE)
def test_a_wish_that_nobody_can_size_is_ambiguous(text):
    assert turn(text) is Turn.AMBIGUOUS


@pytest.mark.parametrize(
    ("tokens", "found"), [(0, Turn.NO_TASK), (16, Turn.NO_TASK), (17, Turn.TASK), (None, Turn.TASK)]
)
def test_a_request_with_no_room_for_an_answer_is_a_probe(tokens, found):
    assert turn("Prove it.", max_output_tokens=tokens) is found


PACKAGE = '{\n  "name": "app",\n  "version": "1.0.0",\n  "private": true\n}'


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"a": 1}',
        "[1, 2, 3]",
        PACKAGE,
        '[{"id": 1, "name": "ab"}, ' * 30,
        '{"city": "北京市", "名前": "田中"}',
        '{"error": "not found"}',
        '{"action": "created", "status": "ok"}',
        '{"prompt": "go on"}',
    ],
    ids=["empty", "object", "array", "of lines", "cut off", "Han", "output", "action", "phrase"],
)
def test_bare_json_is_no_task(text):
    assert turn(text) is Turn.NO_TASK


@pytest.mark.parametrize(
    "text",
    [
        '{"task": "write a poem about the sea"}',
        '{"task": "写一首关于大海的诗"}',
        '{"task": "sort imports"}',
        '{"cmd": "run tests"}',
        '{"steps": {"Tasks": ["lint b.py"]}}',
        '{"问题": "排序列表"}',
        '[{"role": "user", "content": "run it"}]',
        '{"context": {"files": ["a.py", "b.py", "c.py"]}, "task": "sort imp',
        '["このコードを書き直してください"]',
        '{"task": "เขียนบทกวีเกี่ยวกับทะเล"}',
        f"{PACKAGE}\nAdd a test script.",
        "{not json}",
        "[ ] add a test",
        "[" * 1_000,
    ],
)
def test_json_with_an_instruction_and_what_only_looks_like_json_is_a_task(text):
    assert turn(text) is Turn.TASK


@pytest.mark.parametrize(
    ("text", "wants"),
    [
        ("now in Rust", True),
        ("用Rust", True),
        ("auf Deutsch bitte", True),
        ("Rust", False),
        ("JSON.", False),
        ("javascripty things", False),
        ("go on", False),
        ("Translate all of the strings in these many files into German", False),
    ],
)
def test_the_same_in_another_form_is_wanted(text, wants):
    assert READER.wants_another_form(text) is wants


@pytest.mark.parametrize(
    ("text", "works"),
    [
        ("Sort b.py please, now.", True),
        ("now sort b.py", True),
        ("整理 b.py", True),
        ("b.pyをソートして", True),
        ("Sortiere src/b.py bitte, jetzt.", True),
        ("отсортируй b.py", True),
        ("fix the Makefile", True),
        ("ok, look at ./b.py", True),
        ("b.py", False),
        ("yes, b.py", False),
        ("ja, in der b.py bitte", False),
        ("да, в b.py", False),
        ("はい、b.pyです", False),
        ("continue with b.py", False),
        ("yes do it in b.py", False),
        ("not b.py, a.py", False),
        ("b.py looks good, thanks", False),
        ("yes, go on", False),
        ("ok.go on", False),
        ("Thanks! e.g. that", False),
    ],
)
def test_a_file_and_what_to_do_with_it_is_work(text, works):
    assert READER.works_on_a_file(text) is works
    assert READER.is_surely_task(text) is works
