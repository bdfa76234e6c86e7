"""A model hub on loopback, as far as huggingface_hub asks it, which can be told to misbehave."""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from huggingface_hub import close_session

COMMIT = "c" * 40


class StubHub:
    """files: repository -> file name -> bytes, each kept as LFS keeps it.

    asked: "GET NAME" for each file, with " from BYTE" where it is resumed, and "list REPOSITORY". sent: bytes of files.
    """

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.gated: set[str] = set()
        self.asked: list[str] = []
        self.sent = 0
        self.cut_after: int | None = None  # the next answer with a file ends behind so many bytes
        self.reset = False  # ... not by an ordinary end of the connection but by a reset
        self.seconds_per_mb = 0.0  # how slowly files come
        self.damaged = False  # the bytes of files are not those of their checksums
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign] - a client that went away
        self._server.hub = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """From here on connections are refused, and the client's open ones are closed."""
        self._server.shutdown()
        self._server.server_close()
        close_session()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def hub(self) -> StubHub:
        return self.server.hub  # type: ignore[attr-defined]

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].removeprefix("/api/models").strip("/").split("/")
        repository, way, revision, name = "/".join(path[:2]), path[2:3], "".join(path[3:4]), "/".join(path[4:])
        if repository not in self.hub.files:
            self._refuse(404, "RepoNotFound")
        elif revision not in ("", "main", "v1", COMMIT):
            self._refuse(404, "RevisionNotFound")
        elif way == ["tree"]:
            files = self.hub.files[repository].items()
            self._json([{"type": "file", "path": name, "size": len(data), "oid": "b"} for name, data in files])
        elif way != ["resolve"]:
            self._list(repository)
        elif repository in self.hub.gated:
            self._refuse(403, "GatedRepo")
        else:
            self._file(name, self.hub.files[repository][name])

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _list(self, repository: str) -> None:
        self.hub.asked.append(f"list {repository}")
        siblings = [
            {"rfilename": name, "size": len(data), "blobId": "b", "lfs": _lfs(data)}
            for name, data in self.hub.files[repository].items()
        ]
        self._json({"id": repository, "sha": COMMIT, "siblings": siblings})

    def _json(self, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _file(self, name: str, data: bytes) -> None:
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if "Range" in self.headers else 200)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("X-Linked-Size", str(len(data)))
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if self.command == "HEAD":
            return
        self.hub.asked.append(f"GET {name}" + (f" from {start}" if start else ""))
        body = (bytes(len(data)) if self.hub.damaged else data)[start:]
        cut, self.hub.cut_after = self.hub.cut_after, None
        self.hub.sent += len(body[:cut])
        for begin in range(0, len(body[:cut]), 1_000_000):
            self.wfile.write(body[begin:cut][:1_000_000])
            time.sleep(self.hub.seconds_per_mb)
        if cut is not None:
            self._cut()

    def _cut(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        if self.hub.reset:
            time.sleep(0.1)  # a reset overtakes what is still on its way
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()


def _lfs(data: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
