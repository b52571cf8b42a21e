import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
from contextlib import contextmanager

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import explore
from experiments.explorer import SAMPLES, Explorer
from experiments.generators import load_generator
from experiments.local_server import LocalServer
from jaxlayers.runs import latents
from tests.browser import run, with_script
from tests.experiments import commands, generators

UNMOVED = {"seed": 0, "truncation": 1, "shifts": [0, 0, 0, 0], "label": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a run with a conditional generator."""
    path = tmp_path_factory.mktemp("run")
    generators.save(path, generators.conditional())
    return path


@pytest.fixture(scope="module")
def explorer(folder):
    return Explorer(load_generator(folder), directions=4)


def images_of(explorer, **request):
    pixels = np.frombuffer(explorer.images(UNMOVED | request), np.uint8)
    return pixels.reshape(SAMPLES, *explorer.generator.image_shape)


@contextmanager
def served(page, call):
    """Serves a page in another thread, on a free port."""
    with LocalServer(0) as server:
        thread = threading.Thread(target=server.serve, args=(page, call))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


# Images


def test_images_are_those_of_the_same_seed_in_the_sample_command(explorer):
    vectors = latents.uniform(jax.random.key(7), 20, 5)[:SAMPLES]
    expected = explorer.generator.images(vectors, jnp.full(SAMPLES, 2))
    images = images_of(explorer, seed=7, label=2)
    assert np.abs(images - expected * 255).max() <= 0.51


def test_latent_vectors_are_truncated_and_then_moved_along_the_directions(explorer):
    vectors = 0.5 * latents.uniform(jax.random.key(0), SAMPLES, 5)
    # One standard deviation of the uniform distribution from -1 to 1.
    directions = explorer.vectors * 3**0.5
    np.testing.assert_allclose(directions @ directions.T, np.eye(4), atol=1e-5)
    moved = vectors + 3**-0.5 * (2 * directions[1] - 0.5 * directions[3])
    expected = explorer.generator.images(moved, jnp.zeros(SAMPLES, int))
    images = images_of(explorer, truncation=0.5, shifts=[0, 2, 0, -0.5])
    assert np.abs(images - expected * 255).max() <= 0.51
    assert np.abs(images_of(explorer) - expected * 255).max() > 5


def test_the_page_requires_no_other_files_and_no_other_server(explorer):
    page = explorer.page("run")
    assert not re.search(r"https?:|@import|url\(|\{\{", page)
    assert re.findall(r'(?:src|href)="([^"]*)"', page) == ["data:,"]


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"seed": -1}, r"seed must be an integer from 0 to 4294967295, got -1"),
        ({"seed": 0.5}, "seed must be"),
        ({"truncation": 1.1}, "truncation must be a number from 0 to 1, got 1.1"),
        ({"shifts": [0, 0, 0]}, "shifts must be a list of 4 numbers"),
        ({"shifts": [0, 0, 0, 4]}, "shifts must be a number from -3 to 3, got 4"),
        ({"shifts": [0, 0, 0, float("nan")]}, "shifts must be .* got nan"),
        ({"label": 3}, "label must be an integer from 0 to 2, got 3"),
        ({"label": None}, "label must be"),
    ],
)
def test_wrong_requests_are_refused(explorer, wrong, message):
    with pytest.raises(ValueError, match=message):
        explorer.images(UNMOVED | wrong)
    with pytest.raises(ValueError, match="seed must be"):
        explorer.images([])


def test_the_generator_must_return_images_with_1_or_3_channels(tmp_path):
    generators.save(tmp_path / "run", generators.unconditional(channels=2))
    with pytest.raises(ValueError, match=r"1 or 3 channels.* got images of shape \(4, 4, 2\)"):
        explore.main(explore.Config(tmp_path / "run", port=0))


def test_the_number_of_directions_is_at_most_the_latent_size(folder):
    with pytest.raises(ValueError, match="directions must be an integer from 1 to 5, got 6"):
        Explorer(load_generator(folder), 6)


# The server


@pytest.fixture(scope="module")
def server():
    def call(request):
        if request == "wrong":
            raise ValueError("wrong request")
        return json.dumps(request).encode()

    with served("<!DOCTYPE html><title>ü</title>", call) as server:
        yield server


def respond(server, method, path, body=None, **headers):
    """Returns the status, content and headers of the response of a server, or of one at a port."""
    port = server if isinstance(server, int) else server.server_address[1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read(), response.headers
    finally:
        connection.close()


def test_the_page_and_the_results_of_the_function_are_served(server):
    status, content, headers = respond(server, "GET", f"/{server.token}/")
    assert (status, content.decode()) == (200, "<!DOCTYPE html><title>ü</title>")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "http" not in headers["Content-Security-Policy"]
    status, content, _ = respond(server, "POST", f"/{server.token}/images", '{"a": [1]}')
    assert (status, json.loads(content)) == (200, {"a": [1]})
    assert server.address.startswith("http://127.0.0.1:") and server.token in server.address


def test_requests_without_the_token_are_refused(server):
    assert len(server.token) >= 20
    for path in ("/", "/images", f"/{server.token}", f"/{server.token[:-1]}x/", "/%s/x", "//"):
        assert respond(server, "GET", path)[0] == 404
        assert respond(server, "POST", path, "{}")[0] == 404


def test_other_hosts_are_refused(server):
    path, port = f"/{server.token}/", server.server_address[1]
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", "localhost:9999", f"[::1]:{port}"):
        assert respond(server, "GET", path, Host=host)[0] == 200
    for host in ("example.com", f"example.com:{port}", "127.0.0.1.example.com", "", "[", "@", "\t"):
        assert respond(server, "GET", path, Host=host)[0] == 403
        assert respond(server, "POST", path + "images", "{}", Host=host)[0] == 403


def test_only_this_machine_can_connect(server):
    assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize("body", ["{", '"wrong"', b"\xff", "[" * 50_000, "1" * 70_000, None])
def test_wrong_requests_are_responses_with_a_message(server, body):
    status, content, headers = respond(server, "POST", f"/{server.token}/images", body)
    assert status == 400 and content
    assert headers["Content-Type"] == "text/plain"
    assert respond(server, "POST", f"/{server.token}/images", "1")[0] == 200


def test_a_port_in_use_is_refused_before_anything_is_computed(folder, monkeypatch):
    monkeypatch.delattr(explore, "Explorer")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ValueError, match=f"not in use, got {port}; 0 selects one"):
            explore.main(explore.Config(folder, port=port, directions=1))
    with pytest.raises(ValueError, match="port must be from 0 to 65535, got 65536"):
        explore.main(explore.Config(folder, port=65536))


def test_the_command_serves_until_ctrl_c(folder):
    process = subprocess.Popen(
        commands.command("explore", folder, "--port", 0, "--directions", 2),
        env=commands.environment() | {"PYTHONUNBUFFERED": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        lines = [process.stdout.readline() for _ in range(3)]
        address = re.fullmatch(r"http://127\.0\.0\.1:(\d+)(/.+/)\n", lines[1])
        status, content, _ = respond(int(address[1]), "GET", address[2])
        assert status == 200 and b"Principal directions" in content
        os.kill(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, output, errors) == (0, "stopped\n", "")


# The page, in a browser. `script` is run at the end of the page, after these helpers.

HELPERS = """
const byId = (id) => document.getElementById(id);
const pixels = (canvas) =>
  [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data];
const all = () => [...document.querySelectorAll("#samples canvas")].map(pixels);
const caption = () => byId("caption").textContent;
const enter = (id, value) => {
  byId(id).value = value;
  byId(id).dispatchEvent(new Event("input", { bubbles: true }));
};
const shown = async (text) => {
  for (let k = 0; k < 100 && !caption().includes(text); k += 1) await wait(20);
  await wait(50);
};
"""


@pytest.fixture
def run_in_browser(browser, tmp_path):
    """Returns a function that opens the page, runs a script in it and returns `results`."""

    def run_in_browser(explorer, script, width=1000, call=None):
        page = with_script(explorer.page("<b>Run</b> {{data}}"), HELPERS, script)
        with served(page, call or explorer.images) as server:
            return run(browser, server.address, tmp_path / "profile", width)

    return run_in_browser


def in_rgba(images):
    """Returns the pixels of images as canvases have them, one list per image."""
    alpha = np.full((*images.shape[:3], 1), 255, np.uint8)
    colors = np.broadcast_to(images, (*images.shape[:3], 3))
    return np.concatenate([colors, alpha], -1).reshape(len(images), -1).tolist()


def test_a_browser_shows_images_that_follow_the_controls(run_in_browser, explorer):
    requests = []

    def call(request):
        requests.append(request)
        return explorer.images(request)

    results = run_in_browser(
        explorer,
        """
        await shown("class 0");
        results.first = [all(), pixels(byId("large")), caption()];
        results.heading = document.querySelector("h1").textContent;
        byId("samples").children[4].click();
        results.selected = [pixels(byId("large")), caption(),
          [...byId("samples").children].map((button) => button.ariaPressed)];
        results.classes = [...byId("class").options].map((option) => option.text);
        enter("class", 2);
        await shown("class 2");
        results.label = all();
        // Many movements at once: the last one wins.
        for (let k = -30; k <= 12; k += 1) enter("direction-1", k / 10);
        enter("truncation", 0.5);
        await wait(400);
        results.moved = all();
        results.outputs = [...document.querySelectorAll("output")].map((e) => e.textContent);
        byId("direction-1").dispatchEvent(
          new KeyboardEvent("keydown", { key: "0", bubbles: true, cancelable: true }));
        await wait(200);
        results.zero = [all(), byId("direction-1").value];
        byId("random").click();
        results.random = [...byId("directions").querySelectorAll("input")].map((e) => +e.value);
        byId("reset").click();
        byId("next").click();
        await shown("seed 1,");
        results.next = [all(), byId("truncation").value, byId("seed").value];
        """,
        call=call,
    )
    start = images_of(explorer)
    assert results["first"] == [in_rgba(start), in_rgba(start)[0], "Sample 1 of seed 0, class 0"]
    assert results["heading"] == "<b>Run</b> {{data}}"
    pressed = [str(k == 4).lower() for k in range(SAMPLES)]
    assert results["selected"] == [in_rgba(start)[4], "Sample 5 of seed 0, class 0", pressed]
    assert results["classes"] == ["0", "1", "2"]
    assert results["label"] == in_rgba(images_of(explorer, label=2))
    moved = {"label": 2, "truncation": 0.5, "shifts": [0, 1.2, 0, 0]}
    assert results["moved"] == in_rgba(images_of(explorer, **moved))
    assert results["outputs"] == ["0.50", "0.0", "+1.2", "0.0", "0.0"]
    unmoved = in_rgba(images_of(explorer, label=2, truncation=0.5))
    assert results["zero"] == [unmoved, "0"]
    assert any(results["random"]) and all(-3 <= value <= 3 for value in results["random"])
    assert results["next"] == [in_rgba(images_of(explorer, label=2, seed=1)), "1", "1"]
    # One request is sent at a time, so that most of the 43 movements are not.
    assert len(requests) < 12


def test_gray_images_and_errors_are_shown_at_phone_width(run_in_browser, tmp_path):
    generators.save(tmp_path / "gray", generators.unconditional())
    explorer = Explorer(load_generator(tmp_path / "gray"), directions=4)
    results = run_in_browser(
        explorer,
        """
        await shown("seed 0");
        results.images = all();
        results.caption = caption();
        results.hidden = [byId("class-row").hidden, byId("error").hidden];
        results.scroll = document.documentElement.scrollWidth - innerWidth;
        results.unnamed = [...document.querySelectorAll("button, input:not([hidden] *)")]
          .filter((e) => !(e.labels?.length || e.ariaLabel || e.textContent)).map((e) => e.id);
        results.unfocusable = [...document.querySelectorAll("button, input, select")]
          .filter((e) => e.tabIndex !== 0).length;
        scrollTo(0, 400);
        await wait(50);
        results.sticky = Math.round(byId("view").getBoundingClientRect().top);
        enter("seed", "1.5");
        await wait(100);
        results.seed = [byId("error").textContent, byId("error").hidden];
        enter("seed", "2");
        await shown("seed 2");
        results.mended = byId("error").hidden;
        const fetch = window.fetch;
        window.fetch = () => Promise.reject(new TypeError("Failed to fetch"));
        enter("seed", "3");
        await wait(100);
        results.stopped = byId("error").textContent;
        window.fetch = (...rest) => fetch("images", { method: "POST", body: "{}" });
        enter("seed", "4");
        await wait(200);
        results.refused = byId("error").textContent;
        """,
        width=400,
    )
    request = {"seed": 0, "truncation": 1, "shifts": [0] * 4}
    images = np.frombuffer(explorer.images(request), np.uint8).reshape(SAMPLES, 4, 4, 1)
    assert results["images"] == in_rgba(images)
    assert results["caption"] == "Sample 1 of seed 0"
    assert results["hidden"] == [True, True]
    assert results["scroll"] <= 0 and results["sticky"] == 0
    assert results["unnamed"] == [] and results["unfocusable"] == 0
    assert results["seed"] == ["The seed must be an integer from 0 to 4294967295.", False]
    assert results["mended"]
    assert results["stopped"].startswith("The server does not respond.")
    assert results["refused"].startswith("Error: request: seed must be an integer")
