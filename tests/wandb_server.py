"""As much of a W&B server as a run needs to begin, on this machine, which can be made to fail in several ways."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

ENTITY = {"id": "e", "name": "me"}
PROJECT = {"id": "p", "name": "genlab", "entity": ENTITY}
RUN = {"id": "r", "name": "r", "displayName": "r", "config": "{}", "project": PROJECT, "historyLineCount": 0}
ANSWERS: dict[str, Any] = {  # by what a query asks for
    "createRunFiles": {"createRunFiles": {"runID": "r", "uploadHeaders": [], "files": []}},
    "upsertBucket": {"upsertBucket": {"bucket": RUN, "inserted": True}},
    "viewer": {"viewer": {"id": "u", "entity": "me", "username": "me", "flags": "{}", "teams": {"edges": []}}},
    "serverInfo": {"serverInfo": {"features": [], "cliVersionInfo": {}}},
}


class Server:
    """Answers well, until it is told `nonsense`, or to `stall`, or goes away."""

    def __init__(self, http: ThreadingHTTPServer, behaviour: str) -> None:
        self.http, self.behaviour = http, behaviour
        self.url = f"http://127.0.0.1:{http.server_address[1]}"
        self.got_rows = Event()

    def go_away(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    def answer(self, path: str, body: str) -> bytes:
        if self.behaviour == "stall":
            time.sleep(600)
        if self.behaviour == "nonsense":
            return b"what?"
        if "file_stream" in path:
            self.got_rows.set()
            return b"{}"
        found = next((data for key, data in ANSWERS.items() if key in body), {})
        return json.dumps({"data": found}).encode()


@contextmanager
def serving(behaviour: str) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            content = server.answer(self.path, body.decode(errors="replace"))
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        http.block_on_close = False
        server = Server(http, behaviour)
        Thread(target=http.serve_forever, daemon=True).start()
        yield server
        http.shutdown()
