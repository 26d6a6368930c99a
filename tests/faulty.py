"""A chat-completions server on loopback that goes wrong on purpose: the prompt says how, as `[[fault]]`."""

import json
import random
import re
import threading
import time
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from spillover.run.reach import HELLO

FAULTS = (
    "429",
    "500",
    "malformed",
    "truncated",
    "empty_choices",
    "no_logprobs",
    "null_logprobs",
    "empty_logprobs",
    "text_logprobs",
    "nan_logprobs",
    "content_filter",
    "refusal_text",
    "prose",
    "out_of_range",
    "hang",
)


def body(content="95", finish="stop", logprobs=None):
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content},
        "finish_reason": finish,
        "logprobs": logprobs,
    }
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return {"id": "x", "object": "chat.completion", "created": 1, "model": "grader", "choices": [choice], "usage": usage}


def position(token, logprob=-0.01, tops=True):
    top = [{"token": token, "logprob": logprob, "bytes": None}] if tops else None
    return {"content": [{"token": token, "logprob": logprob, "bytes": None, "top_logprobs": top}]}


def reply(fault, content):
    """JSON of a reply with a fault that is well-formed HTTP."""
    shapes = {
        "empty_choices": {**body(), "choices": []},
        "no_logprobs": body(content, logprobs=None),
        "null_logprobs": body(content, logprobs={"content": None}),
        "empty_logprobs": body(content, logprobs={"content": []}),
        "text_logprobs": body(content, logprobs=position(content, "likely")),
        "nan_logprobs": body(content, logprobs=position(content, float("nan"))),
        "content_filter": body("", "content_filter"),
        "refusal_text": body("I am sorry, but I cannot grade this."),
        "prose": body("I would say that 100 of 100 people might like it, but 3 would not."),
        "out_of_range": body("101", logprobs=position("101")),
    }
    return shapes.get(fault) or body(content, logprobs=position(content))


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    hang_s = 30.0

    def __init__(self, delay=0.0, content="95", spread=0.0):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.delay = Counter(), delay
        self.content = content  # of every reply, or a function of the prompt
        self.spread = spread  # share by which the delay of a reply is shorter or longer
        self.down = ""  # a status that every request is answered with
        self.greets = False  # whether the first call of a run, which only asks whether anybody is there, is answered even so
        self.hellos = 0
        self.tells = False  # whether `content` is told the headers too, and says so in errors as well
        self.cut_for, self.lost = 0.0, 0  # seconds, from the tenth question on, in which no connection holds; those lost
        self.cut_at = None
        self.flips, self.failed = False, 0  # whether every other question is answered with a 500, the first time
        self.tools = True  # whether requests may offer any

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"

    def grader(self, patch):
        """Inspect's name for it, a service of its own: Inspect keeps models by name, with the address of a dead server."""
        service = f"loopback{self.server_port}"
        patch.setenv(f"{service.upper()}_API_KEY", "x")
        patch.setenv(f"{service.upper()}_BASE_URL", self.url)
        return f"openai-api/{service}/grader"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_):
        pass

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = request["messages"][-1]["content"]
        if prompt == HELLO:
            self.server.hellos += 1
        else:
            self.server.asked[prompt] += 1
        if self._cut():
            self.server.lost += 1
            self.close_connection = True
            return
        found = re.search(r"\[\[(\w+)\]\]", prompt)
        fault = ("" if prompt == HELLO and self.server.greets else self.server.down) or (found.group(1) if found else "")
        if self.server.flips and prompt != HELLO and len(self.server.asked) % 2 and self.server.asked[prompt] == 1:
            self.server.failed += 1
            fault = "500"
        time.sleep(
            self.server.hang_s
            if fault == "hang"
            else self.server.delay * random.uniform(1 - self.server.spread, 1 + self.server.spread)
        )
        if request.get("tools") and not self.server.tools:
            fault = "400"
        try:
            if fault in ("400", "401", "429", "500"):
                told = self._said(prompt) if self.server.tells else "no"
                self._send(json.dumps({"error": {"message": told, "type": "fault"}}).encode(), int(fault))
            elif fault == "malformed":
                self._send(b'{"choices": [{"message": {"content": "95"')
            elif fault == "truncated":
                whole = json.dumps(body()).encode()
                self._send(whole[: len(whole) // 2], length=len(whole))
                self.close_connection = True
            else:
                self._send(json.dumps(reply(fault, self._said(prompt))).encode())
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client went away, as it should from a server that hangs

    def _cut(self):
        if not self.server.cut_for or self.server.asked.total() < 10:
            return False
        self.server.cut_at = self.server.cut_at or time.monotonic()
        return time.monotonic() - self.server.cut_at < self.server.cut_for

    def _said(self, prompt):
        said = self.server.content
        if prompt == HELLO and not self.server.tells:
            return "yes"
        if not callable(said):
            return said
        return said(prompt, self.headers) if self.server.tells else said(prompt)

    def _send(self, data, status=200, length=None):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(length or len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def serving(**options):
    server = Server(**options)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
