import gzip
import hashlib
import http.server
import threading
import types
from pathlib import Path

import pytest

from jaxlayers._files import cache_folder
from jaxlayers.data import fetch as fetching
from jaxlayers.data.fetch import fetch

CONTENT = b"some bytes " * 1000


def md5(content):
    return hashlib.md5(content).hexdigest()


@pytest.fixture
def published(server):
    (server.folder / "a.bin").write_bytes(CONTENT)
    return server


def files(cache):
    return [path for path in cache.rglob("*") if path.is_file()]


def test_a_file_is_downloaded_into_the_cache(published, cache):
    path = fetch(published.url + "a.bin", "kind/a.bin", md5(CONTENT))
    assert path == cache / "kind" / "a.bin"
    assert path.read_bytes() == CONTENT
    assert files(cache) == [path]


def test_a_file_is_downloaded_once(published):
    for _ in range(3):
        fetch(published.url + "a.bin", "a.bin", md5(CONTENT))
    assert published.requests == ["/a.bin"]


def test_a_damaged_file_in_the_cache_is_downloaded_again(published):
    path = fetch(published.url + "a.bin", "a.bin", md5(CONTENT))
    path.write_bytes(CONTENT[:-1])
    assert fetch(published.url + "a.bin", "a.bin", md5(CONTENT)).read_bytes() == CONTENT
    assert len(published.requests) == 2


def test_a_file_with_a_wrong_checksum_is_refused_and_deleted(published, cache):
    with pytest.raises(ValueError, match="the download was deleted") as error:
        fetch(published.url + "a.bin", "a.bin", "0" * 32)
    for expected in (published.url + "a.bin", "0" * 32, md5(CONTENT)):
        assert expected in str(error.value)
    assert files(cache) == []


def test_the_checksum_can_be_of_the_decompressed_content(server):
    for level in (1, 9):
        (server.folder / "a.gz").write_bytes(gzip.compress(CONTENT, level))
        path = fetch(server.url + "a.gz", f"{level}.gz", md5(CONTENT), unpacked=True)
        assert gzip.decompress(path.read_bytes()) == CONTENT


def test_a_file_that_is_not_gzip_has_no_checksum_of_decompressed_content(published):
    with pytest.raises(ValueError, match="got none, since it is not a whole gzip file"):
        fetch(published.url + "a.bin", "a.bin", md5(CONTENT), unpacked=True)


def test_a_missing_page_raises_a_connection_error_with_advice(server, cache):
    with pytest.raises(ConnectionError, match=r"could not fetch http://.*404.* use mnist-5k, or"):
        fetch(server.url + "b.bin", "b.bin", md5(CONTENT))
    assert files(cache) == []


def test_a_missing_network_raises_a_connection_error_with_the_url(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(ConnectionError, match=r"could not fetch http://127.0.0.1:9/a .*Connection"):
        fetch("http://127.0.0.1:9/a", "a", md5(CONTENT))


def serve(respond):
    """Runs a server that answers one request with `respond`; returns it and its thread."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            respond(self)

        def log_message(self, *args):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    return server, thread


def test_an_incomplete_download_raises_a_connection_error(monkeypatch, cache):
    monkeypatch.setenv("no_proxy", "*")

    def respond(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"only this")

    server, thread = serve(respond)
    with server, pytest.raises(ConnectionError, match="ended after 9 of 100 bytes"):
        fetch(f"http://127.0.0.1:{server.server_port}/a", "a", md5(CONTENT))
    thread.join()
    assert files(cache) == []


def test_an_unresponsive_server_times_out(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(fetching, "_TIMEOUT", 0.1)
    finished = threading.Event()
    server, thread = serve(lambda handler: finished.wait(10))
    with server, pytest.raises(ConnectionError, match="timed out"):
        fetch(f"http://127.0.0.1:{server.server_port}/a", "a", md5(CONTENT))
    finished.set()
    thread.join()


def test_an_interrupted_download_is_deleted(published, cache, monkeypatch):
    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(fetching, "shutil", types.SimpleNamespace(copyfileobj=stop))
    with pytest.raises(KeyboardInterrupt):
        fetch(published.url + "a.bin", "a.bin", md5(CONTENT))
    assert files(cache) == []


def test_the_error_for_a_read_only_cache_names_the_environment_variable(
    published, tmp_path, monkeypatch
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("JAXLAYERS_CACHE", str(tmp_path / "file"))
    with pytest.raises(OSError, match=r"cache folder .* cannot be written .*set JAXLAYERS_CACHE"):
        fetch(published.url + "a.bin", "a.bin", md5(CONTENT))
    assert published.requests == []


def test_the_cache_folder_is_set_by_environment_variables(monkeypatch):
    monkeypatch.setenv("JAXLAYERS_CACHE", "~/own")
    monkeypatch.setenv("XDG_CACHE_HOME", "/shared")
    assert cache_folder() == Path.home() / "own"
    monkeypatch.delenv("JAXLAYERS_CACHE")
    assert cache_folder() == Path("/shared/jaxlayers")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "jaxlayers"


def test_concurrent_fetches_are_independent(published, cache):
    contents = []

    def run():
        contents.append(fetch(published.url + "a.bin", "a.bin", md5(CONTENT)).read_bytes())

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert contents == 8 * [CONTENT]
    assert files(cache) == [cache / "a.bin"]
