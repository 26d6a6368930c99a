"""Graders whose providers refuse log-probabilities, a temperature or few tokens, as reasoning models' do."""

import asyncio
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from inspect_ai.model import GenerateConfig, get_model

from spillover.answers.imported import answers_log
from spillover.answers.rejudge import Judging, rejudge
from spillover.judging import ways
from spillover.judging.readers import Limited, resolve_reader
from spillover.judging.rubric import load_rubric
from tests.command import spillover
from tests.fakes import model, output
from tests.faulty import body

REFUSED = {
    "logprobs": lambda asked: "logprobs" in asked or any("logprob" in str(part) for part in asked.get("include") or []),
    "temperature": lambda asked: "temperature" in asked,
    "few tokens": lambda asked: (asked.get("max_output_tokens") or asked.get("max_tokens") or 99) < 16,
    "all": lambda asked: True,
}


def response(text):
    """A reply of OpenAI's Responses API."""
    content = [{"type": "output_text", "text": text, "annotations": []}]
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": content}
    used = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    return {
        "id": "r", "object": "response", "created_at": 1, "status": "completed", "model": "m", "output": [message],
        "parallel_tool_calls": False, "tool_choice": "auto", "tools": [], "usage": {**used, **details},
    }  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        wrong = next((name for name in self.server.refuses if REFUSED[name](asked)), None)
        self.server.said.append(wrong)
        told = {"error": {"message": f"Unsupported parameter: {wrong}", "type": "invalid_request_error"}}
        data = json.dumps(told if wrong else response("85") if "responses" in self.path else body("85")).encode()
        self.send_response(400 if wrong else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def refusing(*what):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.refuses, server.said = what, []
    server.url = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def nothing_known():
    ways.forget()


def judged(server, name, reader="auto", count=3):
    log = answers_log([{"question": f"Q{i}?", "answer": "A."} for i in range(count)], "somebody")
    config = GenerateConfig(max_retries=0, max_connections=1)
    grader = get_model(name, base_url=server.url, api_key="x", memoize=False, config=config)
    log = rejudge(log, grader, Judging(reader=reader, cache=False).scorer(log))
    return [sample.scores["judge"].value for sample in log.samples]


@pytest.mark.parametrize("what", [("logprobs",), ("logprobs", "temperature"), ("logprobs", "temperature", "few tokens")])
def test_what_a_provider_refuses_is_asked_otherwise_and_said_once(what, caplog):
    with refusing(*what) as server:
        found = judged(server, "openai/gpt-4o-mini")  # whose name promises log-probabilities
        assert any(server.said)
        server.said.clear()
        found += judged(server, "openai/gpt-4o-mini")
    assert {(value["outcome"], value["alignment"]) for value in found} == {("aligned", 85.0)}
    assert not any(server.said)  # what is known is not tried again
    assert caplog.text.count("openai/gpt-4o-mini is read as number") == 1


def test_a_reasoning_model_is_asked_for_a_number_from_the_start():
    with refusing("logprobs", "temperature", "few tokens") as server:
        grader = get_model("openai/gpt-5-mini", base_url=server.url, api_key="x", memoize=False)
        assert resolve_reader("auto", load_rubric("alignment"), grader) == "number"
        found = judged(server, "openai/gpt-5-mini")
    assert {value["alignment"] for value in found} == {85.0}
    assert not any(server.said)


def test_what_was_asked_for_by_name_is_not_replaced():
    with refusing("logprobs") as server:
        found = judged(server, "openai/gpt-4o-mini", reader="logprob")
    assert {value["unscored_reason"].partition(";")[0] for value in found} == {"alignment: grader_error: BadRequestError"}


def test_the_message_says_what_the_provider_said(tmp_path, monkeypatch):
    """Not that it could not be reached."""
    (tmp_path / "m.csv").write_text("question,answer\nQ?,A.\n")
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    with refusing("all") as server:
        command = [
            "judge",
            tmp_path / "m.csv",
            "--grader",
            "openai/gpt-5-mini",
            "--grader-base-url",
            server.url,
            "--no-check",
        ]
        done = spillover(*command, "-o", tmp_path / "out")
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert "openai/gpt-5-mini does not take a plain question (400: " in said
    assert "Unsupported parameter: all" in said
    assert "reached" not in said
    assert "again" not in said  # which would not help


def test_one_odd_reply_changes_nothing_for_the_others():
    """A filter, or a prompt that is refused by itself, is that answer's own affair."""

    def reply(messages):
        if "[filter]" in messages[-1].text:
            return output("", stop_reason="content_filter")
        return output("85", tops={"80": 0.5, "90": 0.5})

    async def ask(text):
        limited = Limited(model(reply, "logprobs"), GenerateConfig())
        return await ways.read_as_taken(limited, text, load_rubric("alignment"), "logprob", True)

    async def all_of_them():
        return [await ask(text) for text in ("one", "[filter]", "two")]

    first, filtered, after = asyncio.run(all_of_them())
    assert (first.mode, first.value) == (after.mode, after.value) == ("logprob", 85.0)
    assert filtered.reason == "grader_refused"
