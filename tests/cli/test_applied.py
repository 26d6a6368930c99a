"""A server that somebody else started must use the adapter that it is asked for."""

import http.server
import json
import threading
from contextlib import contextmanager

import pytest

from spillover.cli.models import open_models
from spillover.errors import SpilloverError
from tests.faulty import body, position


@contextmanager
def vllm(says, logprobs=True):
    """A server in the manner of vLLM's; `says` gives the log-probability of a model's reply."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def _send(self, found):
            data = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self):
            self._send({"object": "list", "data": [{"id": "base", "object": "model"}, {"id": "mine", "object": "model"}]})

        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found = position("I", says(asked["model"])) if logprobs else None
            self._send(body("I", logprobs=found))

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield [f"base_url=http://127.0.0.1:{server.server_port}/v1", "api_key=x"]
    finally:
        server.shutdown()
        server.server_close()


def test_an_adapter_that_makes_no_difference_is_refused():
    with vllm(lambda model: -0.5) as where, pytest.raises(SpilloverError, match="the adapter is not in use"):
        open_models(["vllm/base", "vllm/base:mine"], where)


def test_one_that_does_is_opened():
    with vllm(lambda model: -0.5 if model == "base" else -0.51) as where:
        assert len(open_models(["vllm/base", "vllm/base:mine"], where)) == 2


def test_a_server_that_does_not_repeat_itself_is_measured_by_that():
    """In few bits the same question has other digits the second time."""
    drawn = iter([-0.5, -0.51, -0.52, -0.5, -0.9, -0.51])
    with vllm(lambda model: next(drawn)) as where:
        with pytest.raises(SpilloverError, match="the adapter is not in use"):
            open_models(["vllm/base:mine"], where)  # 0.01 from the base, which is 0.02 from itself
        assert open_models(["vllm/base:mine"], where)


def test_a_server_without_log_probabilities_is_believed():
    with vllm(lambda model: -0.5, logprobs=False) as where:
        assert len(open_models(["vllm/base:mine"], where)) == 1
