"""A server of one page for browsers on the same machine."""

import errno
import json
import secrets
import socketserver
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

_MAX_REQUEST_BYTES = 2**16
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class LocalServer(socketserver.ThreadingTCPServer):
    """Serves a page, and the results of a function that the page calls.

    The port is opened by the constructor; requests wait until `serve`.

    Only this machine can connect. Pages of other sites in the same browser cannot read anything:
    every address contains a random token, and the host of each request must be this machine, so
    that no other name can be bound to its address.

    Args:
        port: The port; 0 for any that is free.

    Raises:
        ValueError: If the port cannot be used.
    """

    # On Windows, this option would allow a port that another process uses.
    allow_reuse_address = sys.platform != "win32"
    daemon_threads = True

    page: bytes
    call: Callable[[Any], bytes]

    def __init__(self, port: int) -> None:
        self.token = secrets.token_urlsafe(16)
        self.lock = threading.Lock()
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except (OSError, OverflowError) as error:
            if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
                message = f"port must be a port that is not in use, got {port}"
            else:
                message = f"port must be a port that this user may open, got {port} ({error})"
            raise ValueError(f"{message}; 0 selects one") from error

    @property
    def address(self) -> str:
        """The address of the page."""
        return f"http://127.0.0.1:{self.server_address[1]}/{self.token}/"

    def serve(self, page: str, call: Callable[[Any], bytes]) -> None:
        """Responds to requests until `shutdown` is called in another thread.

        Args:
            page: The page, HTML.
            call: A function from decoded JSON to the content of the response. It is not called by
                several threads at a time. A ValueError is a response with status 400.
        """
        self.page, self.call = page.encode(), call
        self.serve_forever(poll_interval=0.1)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Prints the traceback of an error, unless the browser closed the connection."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds without a request after which a connection is closed
    server: LocalServer

    def do_GET(self) -> None:
        if self._requested("") and self._is_allowed():
            self._respond(200, self.server.page, "text/html; charset=utf-8")

    def do_POST(self) -> None:
        if not (self._requested("images") and self._is_allowed()):
            return
        try:
            request = json.loads(self._body())
            with self.server.lock:
                content = self.server.call(request)
        except (ValueError, RecursionError) as error:
            self._respond(400, str(error).encode("utf-8", "replace"))
        else:
            self._respond(200, content, "application/octet-stream")

    def _requested(self, name: str) -> bool:
        """Returns whether the token and the name are right; otherwise responds with an error."""
        expected = f"/{self.server.token}/{name}"
        if secrets.compare_digest(self.path.encode(), expected.encode()):
            return True
        self._respond(404, b"not found: open the address that the command printed")
        return False

    def _is_allowed(self) -> bool:
        """Returns whether the host is this machine; otherwise responds with an error."""
        try:
            host = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        except ValueError:
            host = None
        if host in _LOOPBACK:
            return True
        self._respond(403, b"forbidden")
        return False

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MAX_REQUEST_BYTES:
            raise ValueError(f"the request must have at most {_MAX_REQUEST_BYTES} bytes")
        return self.rfile.read(int(length))

    def _respond(self, status: int, content: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        if status != 200:
            # The body of the request may not have been read. It also sets close_connection.
            self.send_header("Connection", "close")
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        """Prints nothing; requests are not logged."""
