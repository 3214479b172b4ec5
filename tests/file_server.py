"""A local HTTP server of files that can break off, answers ranges or not, and notes what it was asked for."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """What is served.

    Attributes
    ----------
    files : dict
        Content by path, such as ``/a.zip``.
    break_after : int or None
        Bytes after which the next answer breaks off, once.
    ranges : bool
        Whether it answers requests for a part with that part.
    shift : int
        By how much it misstates where a part begins.
    asked : list
        (path, Range header) of every request.
    checksums : dict
        Of what was published, by name.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    break_after: int | None = None
    ranges: bool = True
    shift: int = 0
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    checksums: dict[str, str] = field(default_factory=dict)

    def count(self, path: str) -> int:
        """Return how often a path was asked for."""
        return [asked for asked, _ in self.asked].count(path)


def publish(server: FileServer, record: str, files: dict[str, bytes], **changes: object) -> None:
    """Put files on the server, and what describes them, as Zenodo has it and as a mirror does.

    Parameters
    ----------
    changes
        Of what the record says about each file.
    """
    described = []
    for name, content in files.items():
        server.files[f"/files/{record}/{name}"] = server.files[f"/mirror/{record}/{name}"] = content
        server.checksums[name] = f"md5:{hashlib.md5(content).hexdigest()}"
        links = {"self": f"{server.url}/files/{record}/{name}"}
        about = {"key": name, "size": len(content), "checksum": server.checksums[name], "links": links}
        described.append({**about, **changes})
    text = json.dumps({"id": record, "files": described}).encode()
    server.files[f"/api/{record}"] = server.files[f"/mirror/{record}/record.json"] = text


@contextlib.contextmanager
def serve() -> Iterator[FileServer]:
    """Serve on a free port of this machine until the block ends."""
    state = FileServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.asked.append((self.path, wanted))
            content = state.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and state.ranges else 0
            if wanted and state.ranges and start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if wanted and state.ranges else 200)
            self.send_header("Content-Length", str(len(content) - start))
            if wanted and state.ranges:
                shown = start + state.shift
                self.send_header("Content-Range", f"bytes {shown}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            body = content[start:]
            if state.break_after is not None:
                body, state.break_after = body[: state.break_after], None
                self.close_connection = True
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
