"""A server in the manner of vLLM's on loopback, and a bar that shows nothing."""

import http.server
import json
import threading
from contextlib import contextmanager, nullcontext

from spillover._inspect import forget_server
from tests.faulty import body, position


def silent(_):
    return nullcontext(lambda *_: None)


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
        forget_server("base")
