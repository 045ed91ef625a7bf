"""`ask`: one question, or conversations line by line."""

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.bot import Bot
from app.commands import ask as command
from tests import fakes

FIELDS = {"kind", "text", "fact_ids", "error_ids", "notice_ids", "care", "ms"}


@pytest.fixture
def run(tiny: Bot, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run the command on the tiny base."""
    monkeypatch.setattr(command, "open_bot", lambda *_: tiny)
    return lambda *arguments, **more: CliRunner().invoke(command.app, list(arguments), **more)


def jsonl(run: Callable[..., Any], *lines: bytes) -> list[dict[str, Any]]:
    """Feed lines to `ask --jsonl` and return what it prints, parsed."""
    result = run("--jsonl", input=b"\n".join(lines) + b"\n")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_every_conversation_gets_one_line_in_order(run: Callable[..., Any]) -> None:
    """Ids come back in the order they went in, each reply with the agreed fields."""
    lines = [json.dumps({"id": f"c{i}", "turns": ["how does cocaine work"]}).encode() for i in range(5)]
    results = jsonl(run, *lines)
    assert [result["id"] for result in results] == [f"c{i}" for i in range(5)]
    for result in results:
        (reply,) = result["replies"]
        assert set(reply) == FIELDS
        assert (reply["kind"], reply["fact_ids"]) == ("answer", ["cocaine-blocks-reuptake"])
        assert reply["ms"] >= 0


def test_later_turns_lean_on_earlier_ones(run: Callable[..., Any]) -> None:
    """ "and lsd?" is asked of the question before it."""
    (result,) = jsonl(run, b'{"id": 1, "turns": ["how does cocaine work", "and lsd?"]}')
    assert [reply["fact_ids"] for reply in result["replies"]] == [
        ["cocaine-blocks-reuptake"],
        ["lsd-turns-receptors-on"],
    ]


BAD = {
    "turns is a number": b'{"turns": 3}',
    "turns is a number, with id": b'{"id": "x", "turns": 3}',
    "a turn is a number": b'{"id": "x", "turns": ["hi", 3]}',
    "no id": b'{"turns": ["hi"]}',
    "broken JSON": b'{"id": "x", "turns": ["hi"',
    "not an object": b"[1, 2]",
    "bare word": b"hello",
    "too many turns": json.dumps({"id": "x", "turns": ["hi"] * 10_001}).encode(),
    "deep nesting": b"[" * 50_000,
    "huge number": b'{"id": ' + b"9" * 5_000 + b', "turns": []}',
    "invalid UTF-8": b'{"id": "\xff", "turns": 7}',
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_yields_an_error_and_the_rest_go_on(run: Callable[..., Any], name: str) -> None:
    """The error names the line; the conversations around it are answered."""
    good = b'{"id": "good", "turns": ["hi"]}'
    first, bad, last = jsonl(run, good, BAD[name], good)
    assert set(bad) == {"id", "line", "error"}
    assert (bad["id"], bad["line"]) == (None, 2)
    assert first["replies"][0]["kind"] == last["replies"][0]["kind"] == "greeting"


def test_invalid_utf8_inside_a_turn_stops_nothing(run: Callable[..., Any]) -> None:
    """Bytes that are no text neither end the run nor make a line that is not JSON in UTF-8."""
    good = b'{"id": "good", "turns": ["hi"]}'
    results = jsonl(run, good, b'{"id": "bad\xff", "turns": ["how does \xff\xfe cocaine work"]}', good)
    assert [result["id"] for result in results] == ["good", "bad\ufffd", "good"]


def test_half_a_character_in_an_id_comes_back_as_it_was(run: Callable[..., Any]) -> None:
    """JSON can carry a lone surrogate, UTF-8 cannot: the id goes out escaped, in a line that is UTF-8."""
    (result,) = jsonl(run, b'{"id": "\\ud800 \xc3\xa9", "turns": ["\\udfff how does cocaine work"]}')
    assert result["id"] == "\ud800 é"
    assert result["replies"][0]["fact_ids"] == ["cocaine-blocks-reuptake"]


def test_blank_lines_and_empty_conversations_are_fine(run: Callable[..., Any]) -> None:
    """A blank line is no conversation, and one without turns has no replies."""
    assert jsonl(run, b"", b"  ", b'{"id": "x", "turns": []}') == [{"id": "x", "replies": []}]


def test_a_hundred_turns_are_answered(run: Callable[..., Any]) -> None:
    """Long conversations cost time, not correctness."""
    (result,) = jsonl(run, json.dumps({"id": "long", "turns": ["how does cocaine work", "why?"] * 50}).encode())
    assert len(result["replies"]) == 100


def test_one_question_prints_the_signed_answer(run: Callable[..., Any]) -> None:
    """The kind, the text and the sources are printed."""
    result = run("how does cocaine work")
    assert result.exit_code == 0
    assert fakes.COCAINE["answer"] in " ".join(result.stdout.split())
    assert "An Atlas of Messengers" in result.stdout


def test_explain_prints_every_stage(run: Callable[..., Any]) -> None:
    """Maintainers see signals, entities, candidates and the decision."""
    result = run("--explain", "Is LSD a serotonin antagonist?")
    assert result.exit_code == 0
    for word in ("heard:", "signals:", "entities:", "decision:", "error:lsd-blocks-serotonin"):
        assert word in result.stdout


def test_explain_survives_a_crisis(run: Callable[..., Any]) -> None:
    """A message that stops at the first gate has little to explain, and no crash."""
    assert run("--explain", "i want to die").exit_code == 0


def test_without_a_question_the_command_says_what_to_do(run: Callable[..., Any]) -> None:
    """Exit code 2 and an example."""
    result = run()
    assert result.exit_code == 2
    assert "ask" in result.stderr


def test_markup_in_a_question_is_not_interpreted(run: Callable[..., Any]) -> None:
    """Square brackets mean something to the console library; a visitor's do not."""
    assert run("--explain", "[bold]cocaine[/nonsense] work").exit_code == 0


def test_a_base_that_cannot_be_served_is_one_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback: the message says which command to run, and the exit code is 2."""
    (home / "notices.yaml").unlink()
    monkeypatch.setenv("KNOWLEDGE_DIR", str(home))
    result = CliRunner().invoke(command.app, ["hello"])
    assert result.exit_code == 2
    assert "knowledge check" in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


def test_log_lines_do_not_mix_with_the_answers(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """When the index is broken, standard output still holds one JSON object a line and nothing else."""
    (tmp_path / "blocked").write_text("a file, not a folder")
    monkeypatch.setenv("KNOWLEDGE_DIR", str(home))
    monkeypatch.setenv("INDEX_DIR", os.fspath(tmp_path / "blocked"))
    stdin = io.TextIOWrapper(io.BytesIO(b'{"id": 1, "turns": ["how does cocaine work"]}\n'))
    monkeypatch.setattr(sys, "stdin", stdin)
    command.app(["--jsonl"], standalone_mode=False)
    captured = capfd.readouterr()
    assert [json.loads(line)["id"] for line in captured.out.splitlines()] == [1]
    logged = [json.loads(line) for line in captured.err.splitlines() if line.startswith("{")]
    assert "engine_unavailable" in [line["event"] for line in logged]
    assert all({"level", "timestamp"} <= set(line) for line in logged)
