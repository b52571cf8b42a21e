import functools
import http.server
import threading

import pytest
from sample_files import write_idx_folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A temporary cache folder, which replaces the user's."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("JAXLAYERS_CACHE", str(folder))
    return folder


class _Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
        super().do_GET()

    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A web server at `server.url` for `server.folder`, which records `server.requests`."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(_Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        running.folder, running.requests = folder, []
        running.url = f"http://127.0.0.1:{running.server_port}/"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def idx_folder(tmp_path):
    """A folder of IDX files, and its arrays by split."""
    return tmp_path / "digits", write_idx_folder(tmp_path / "digits")
