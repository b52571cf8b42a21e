import base64
import json
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from jaxlayers.runs import plots, report
from tests.browser import run, with_script

MALICIOUS = "</script><script>document.title = 'taken'</script><img src=x onerror=\"taken()\">&lt;'"


class ParsedPage(HTMLParser):
    """Collects the elements of a page and the text of some of them."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.texts = [], [], {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("title", "h1", "th", "td", "pre", "summary", "script"):
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_data(self, data):
        if self.open:
            self.texts[self.open[-1]][-1] += data

    @property
    def data(self):
        return json.loads(self.texts["script"][0])


@pytest.fixture
def write(tmp_path):
    """Returns a function that writes a report and returns its text."""

    def write(**parts):
        empty = {"title": "run", "config": {}, "summaries": {}, "metrics": {}, "samples": {}}
        report.write_report(tmp_path / "report.html", **(empty | parts))
        return (tmp_path / "report.html").read_text("utf-8")

    return write


def grids(folder, steps):
    """Writes a picture for each step, each with a different gray value."""
    for step in steps:
        plots.save_grid(np.full((4, 3, 3, 1), step % 256 / 255), folder / f"{step}.png", scale=2)
    return {step: folder / f"{step}.png" for step in steps}


def curves(count):
    rng = np.random.default_rng(0)
    return {
        "step": 10 * np.arange(1, count + 1),
        "generator_loss": rng.uniform(0.6, 1.5, count),
        "fake_accuracy": rng.uniform(0.5, 1, count),
        "discriminator_loss": rng.uniform(0.4, 0.8, count),
        "seconds": np.arange(count),
    }


def test_the_report_shows_the_config_and_summaries(write):
    config = {"steps": 3, "out": Path("runs/a"), "generator": {"image_shape": (28, 28, 1)}}
    config |= {"note": "größer", "rate": 1e-3, "limit": None, "on": True, "rest": {}}
    page = ParsedPage(write(title="first", config=config, summaries={"generator": "\n┏━┓\n┃x┃"}))
    assert page.texts["title"] == page.texts["h1"] == ["first"]
    assert dict(zip(page.texts["th"], page.texts["td"], strict=True)) == {
        "steps": "3",
        "out": "runs/a",
        "generator.image_shape": "[28, 28, 1]",
        "note": "größer",
        "rate": "0.001",
        "limit": "null",
        "on": "true",
        "rest": "{}",
    }
    assert page.texts["summary"] == ["generator"]
    assert page.texts["pre"] == ["\n\n┏━┓\n┃x┃"]  # browsers remove the first line break
    assert ("details", {"open": None}) in page.elements


def test_texts_are_escaped(write):
    metrics = {"step": np.ones(1), MALICIOUS + "loss": np.ones(1)}
    page = ParsedPage(
        write(
            title=MALICIOUS,
            config={MALICIOUS: MALICIOUS, "list": [MALICIOUS]},
            summaries={MALICIOUS: MALICIOUS},
            metrics=metrics,
        )
    )
    tags = [tag for tag, _ in page.elements]
    assert tags.count("script") == 2 and tags.count("img") == 1
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert page.texts["title"] == page.texts["h1"] == page.texts["summary"] == [MALICIOUS]
    assert page.texts["pre"] == ["\n" + MALICIOUS]
    assert page.texts["th"][-3:] == [MALICIOUS + "loss", MALICIOUS, "list"]
    assert page.texts["td"][-2:] == [MALICIOUS, json.dumps([MALICIOUS])]
    assert page.data["charts"][0]["series"][0]["name"] == MALICIOUS + "loss"
    assert "<" not in page.texts["script"][0]  # neither </script nor <!-- in any spelling


def test_text_that_looks_like_a_placeholder_is_unchanged(write):
    page = ParsedPage(write(title="{{summaries}} {{none}}", config={"a": r"{{title}} \1"}))
    assert page.texts["h1"] == ["{{summaries}} {{none}}"]
    assert page.texts["td"] == [r"{{title}} \1"]


def test_bytes_that_are_not_text_become_question_marks(write):
    assert ParsedPage(write(config={"data": "a\udcffb"})).texts["td"] == ["a?b"]


def test_a_report_requires_no_other_files_and_no_network(write, tmp_path):
    text = write(metrics=curves(3), samples=grids(tmp_path, [1, 2]))
    assert not re.search(r"https?:|@import|url\(|fetch\(|\bimport\b", text)
    url_attributes = {"src", "href", "srcset", "action", "data", "poster", "background"}
    for tag, attributes in ParsedPage(text).elements:
        assert tag not in ("iframe", "object", "embed", "base", "form")
        for name in url_attributes & attributes.keys():
            assert attributes[name].startswith("data:")
    policies = [
        attributes["content"]
        for _, attributes in ParsedPage(text).elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert [dict(part.split(" ", 1) for part in p.split("; ")) for p in policies] == [
        {
            "default-src": "'none'",
            "style-src": "'unsafe-inline'",
            "script-src": "'unsafe-inline'",
            "img-src": "data:",
            "base-uri": "'none'",
            "form-action": "'none'",
        }
    ]


def test_losses_and_other_metrics_have_separate_charts(write):
    data = ParsedPage(write(metrics=curves(3))).data
    names = {chart["label"]: [s["name"] for s in chart["series"]] for chart in data["charts"]}
    assert names == {
        "Losses": ["generator_loss", "discriminator_loss"],
        "Other metrics": ["fake_accuracy"],
    }
    assert data["steps"] == [10, 20, 30] and data["logged"] == 3
    np.testing.assert_allclose(
        data["charts"][0]["series"][0]["values"], curves(3)["generator_loss"], rtol=1e-5
    )


def test_learning_rates_have_a_separate_chart_and_no_best_value(write):
    metrics = {"step": [1, 2], "learning_rate": [1e-3, 1e-4], "accuracy": [0.5, 0.75]}
    page = ParsedPage(write(metrics=metrics))
    assert [chart["label"] for chart in page.data["charts"]] == ["Learning rate", "Other metrics"]
    assert page.texts["td"] == ["0.0001", "–", "–", "0.7500", "0.7500", "2"]


@pytest.mark.parametrize(
    "metrics", [{}, {"step": np.ones(0), "loss": np.ones(0)}, {"step": [1], "seconds": [2]}]
)
def test_there_are_no_charts_without_metrics_and_samples(write, metrics):
    data = ParsedPage(write(metrics=metrics)).data
    assert data["charts"] == data["samples"] == [] and data["sampleCount"] == 0


def test_values_that_are_not_finite_are_gaps(write):
    values = np.array([np.nan, 1, np.inf, -np.inf, 0.1 + 0.2])
    data = ParsedPage(write(metrics={"step": np.arange(5), "loss": values})).data
    assert data["charts"][0]["series"][0]["values"] == [None, 1, None, None, 0.3]


@pytest.mark.parametrize("metrics", [{"step": [1, 2], "loss": [1]}, {"loss": [1]}])
def test_metrics_of_different_lengths_are_refused(write, tmp_path, metrics):
    with pytest.raises(ValueError, match=r"arrays of equal length, including step, got .*loss': 1"):
        write(metrics=metrics)
    assert not list(tmp_path.iterdir())


def test_pictures_are_embedded_in_the_order_of_steps(write, tmp_path):
    samples = grids(tmp_path, [1000, 20, 300])
    data = ParsedPage(write(samples=samples)).data
    assert [step for step, _ in data["samples"]] == [20, 300, 1000]
    for step, uri in data["samples"]:
        kind, _, code = uri.partition(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(code, validate=True) == samples[step].read_bytes()


@pytest.mark.parametrize("count", [1999, 2000, 2001, 3999, 123_457])
def test_many_logged_steps_are_thinned_out_evenly(write, count):
    steps = np.arange(1, count + 1)
    data = ParsedPage(write(metrics={"step": steps, "loss": steps})).data
    assert len(data["steps"]) == min(count, 2000) and data["logged"] == count
    assert (data["steps"][0], data["steps"][-1]) == (1, count)
    gaps = np.diff(data["steps"])
    assert gaps.min() >= 1 and gaps.max() - gaps.min() <= 1
    np.testing.assert_allclose(data["charts"][0]["series"][0]["values"], data["steps"], rtol=1e-5)


def test_many_samples_are_thinned_out_evenly(write, tmp_path):
    steps = np.arange(5, 5 * 502, 5)
    paths = {int(step): tmp_path / "unread.png" for step in steps}
    (tmp_path / "unread.png").write_bytes(b"picture")
    data = ParsedPage(write(samples=paths)).data
    shown = [step for step, _ in data["samples"]]
    assert len(shown) == 200 and data["sampleCount"] == 501
    assert (shown[0], shown[-1]) == (5, 2505)
    assert set(np.diff(shown)) == {10, 15}


def test_a_failed_write_keeps_the_previous_report(write, tmp_path, monkeypatch):
    before = write(title="before")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]

    def fail(path, target):
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises(OSError, match="no space"):
            write(title="after")
    assert (tmp_path / "report.html").read_text("utf-8") == before
    assert "after" in write(title="after")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_the_error_for_a_missing_picture_names_it(write, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.png"):
        write(samples={1: tmp_path / "gone.png"})
    assert not list(tmp_path.iterdir())


# The following tests run in a browser. `script` is run at the end of a copy of the page, after
# these helpers.

HELPERS = """
const [losses, others] = document.querySelectorAll("figure");
const plot = (figure) => figure.querySelector("svg");
const press = (figure, key) => plot(figure).dispatchEvent(
  new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
const point = (figure, part, name = "pointermove") => {
  const line = plot(figure).querySelector("line").getBoundingClientRect(); // a grid line: the width
  plot(figure).dispatchEvent(
    new PointerEvent(name, { clientX: line.left + part * line.width, bubbles: true }));
};
const reading = (figure) => figure.querySelector(".reading").textContent.replace(/\\s+/g, " ");
const cursor = (figure) => plot(figure).querySelector("line.at");
"""


@pytest.fixture
def run_in_browser(browser, write, tmp_path):
    """Returns a function that opens a report, runs a script in it and returns `results`."""

    def run_in_browser(script, **parts):
        copy = tmp_path / "copy.html"
        copy.write_text(with_script(write(**parts), HELPERS, script), "utf-8")
        return run(browser, copy.as_uri(), tmp_path / "profile")

    return run_in_browser


def test_a_browser_shows_curves_and_samples(run_in_browser, tmp_path):
    metrics = curves(101)
    metrics["generator_loss"][50] = np.nan

    def values(index):
        """Returns the displayed losses of a logged step."""
        pair = (metrics[f"{name}_loss"][index] for name in ("generator", "discriminator"))
        texts = ("–" if np.isnan(v) else f"{v:.4g}" for v in pair)
        return "step {:,} generator_loss {} discriminator_loss {}".format(
            metrics["step"][index], *texts
        )

    results = run_in_browser(
        """
        results.names = [...document.querySelectorAll("figcaption")].map((e) => e.textContent);
        results.ticks = [...plot(losses).querySelectorAll("text")].map((e) => e.textContent);
        results.lines = plot(others).querySelectorAll("path").length;
        results.breaks = [...plot(losses).querySelectorAll("path")]
          .map((e) => e.getAttribute("d").split("M").length - 1);
        results.scroll = document.documentElement.scrollWidth
          - document.documentElement.clientWidth;
        results.focusable = [losses, others].every((figure) => plot(figure).tabIndex === 0);

        results.first = [reading(losses), cursor(losses)];
        point(losses, 0.5);
        results.hovered = [reading(losses), plot(losses).querySelectorAll("circle").length];
        point(losses, 0.404);
        results.nearest = [reading(losses), cursor(losses) !== null];
        results.other = cursor(others);
        point(losses, 0.404, "pointerleave");
        results.left = [reading(losses), cursor(losses)];

        plot(losses).focus();
        results.keys = [];
        for (const key of ["Home", "ArrowLeft", "ArrowRight", "PageUp", "End", "ArrowRight",
                           "ArrowLeft", "PageDown", "a"]) {
          press(losses, key);
          results.keys.push(reading(losses));
        }
        results.slider = ["now", "min", "max", "text"]
          .map((name) => plot(losses).getAttribute("aria-value" + name));
        results.live = losses.querySelector(".reading").ariaLive;

        const byId = (id) => document.getElementById(id);
        const [grid, time, play] = ["grid", "time", "play"].map(byId);
        const shown = () => [byId("when").textContent, time.value, grid.alt,
          JSON.parse(byId("data").textContent).samples
            .findIndex(([step, picture]) => picture === grid.src)];
        await grid.decode();
        results.pixels = [grid.naturalWidth, getComputedStyle(grid).imageRendering];
        results.label = time.labels[0].textContent;
        results.last = shown();
        time.value = 0;
        time.dispatchEvent(new Event("input"));
        results.slid = shown();
        time.value = 2;
        time.dispatchEvent(new Event("input"));
        results.played = [];
        play.click(); // at the last picture: starts again
        results.played.push(play.textContent, shown()[0]);
        await wait(600);
        results.played.push(shown()[0]);
        play.click();
        results.played.push(play.textContent);
        await wait(2000);
        results.played.push(shown()[0]);
        play.click();
        await wait(2000);
        results.played.push(play.textContent, shown()[0]);
        """,
        title=MALICIOUS,
        config={MALICIOUS: MALICIOUS, "long": "x" * 400},
        summaries={"generator": "┏" + "━" * 300},
        metrics=metrics,
        samples=grids(tmp_path, [250, 500, 1000]),
    )
    assert results["names"] == ["Losses", "Other metrics"]
    assert " ".join(results["ticks"]) == "0.4 0.6 0.8 1 1.2 1.4 1.6 200 400 600 800 1,000 step"
    assert results["lines"] == 2  # the values and their mean
    assert results["breaks"] == [2, 1, 2, 1]
    assert results["scroll"] == 0 and results["focusable"]
    assert results["first"] == results["left"] == [values(-1), None]
    assert results["hovered"] == [values(50), 1] and "–" in values(50)
    assert results["nearest"] == [values(40), True] and results["other"] is None
    assert results["keys"] == [values(k) for k in (0, 0, 1, 11, 100, 100, 99, 89, 89)]
    assert results["slider"] == ["900", "10", "1010", "step 900"]
    assert results["live"] == "polite"
    assert results["pixels"] == [24, "pixelated"] and results["label"] == "Step"
    assert results["last"] == ["step 1,000", "2", "Samples after step 1,000", 2]
    assert results["slid"] == ["step 250", "0", "Samples after step 250", 0]
    played = ["Pause", "step 250", "step 500", "Play", "step 500", "Play", "step 1,000"]
    assert results["played"] == played


READ_TEXTS = """
results.notes = ["curves-note", "samples-note"].map((id) => document.getElementById(id).innerText);
results.readings = [...document.querySelectorAll("figure")].map(reading);
results.paths = [...document.querySelectorAll("path")].map((e) => e.getAttribute("d"));
results.hidden = document.getElementById("samples").hidden;
results.disabled = document.getElementById("play").disabled;
"""


def test_a_browser_shows_an_empty_run(run_in_browser):
    results = run_in_browser(READ_TEXTS)
    assert results["notes"] == ["No metrics were logged.", ""]
    assert results["hidden"] and results["readings"] == []


def test_a_browser_shows_a_run_of_one_step(run_in_browser, tmp_path):
    metrics = {"step": [7], "a_loss": [-2e-7], "fid": [0]}
    results = run_in_browser(READ_TEXTS, metrics=metrics, samples=grids(tmp_path, [7]))
    assert results["readings"] == ["step 7 a_loss -2e-7", "step 7 fid 0"]
    assert all("a2.5" in ring for ring in results["paths"]) and len(results["paths"]) == 2
    assert not results["hidden"] and results["disabled"]
    assert results["notes"][1] == ""


def test_a_browser_shows_the_number_of_omitted_steps_and_samples(run_in_browser, tmp_path):
    (tmp_path / "0.png").write_bytes(grids(tmp_path, [1])[1].read_bytes())
    results = run_in_browser(
        READ_TEXTS,
        metrics={"step": np.arange(5001), "loss": np.full(5001, 3e38)},
        samples=dict.fromkeys(range(1201), tmp_path / "0.png"),
    )
    assert results["readings"] == ["step 5,000 loss 3e+38"]
    assert "Shown are 2,000 of 5,001 logged steps." in results["notes"][0]
    assert results["notes"][1] == "Shown are 200 of 1,201 grids of samples."


def test_pictures_are_shown_with_their_captions(write, tmp_path):
    grids(tmp_path, [1])
    page = ParsedPage(write(pictures={"feature <maps>": tmp_path / "1.png"}))
    (image,) = [a for tag, a in page.elements if tag == "img" and a.get("src")]
    assert image["alt"] == "feature <maps>"
    encoded = image["src"].removeprefix("data:image/png;base64,")
    assert base64.b64decode(encoded) == (tmp_path / "1.png").read_bytes()


def test_sections_without_content_are_omitted(write, tmp_path):
    def sections(**parts):
        labels = [a for _, a in ParsedPage(write(**parts)).elements if "aria-labelledby" in a]
        return [a["aria-labelledby"] for a in labels if "hidden" not in a]

    assert sections() == ["result-title", "curves-title", "config-title"]
    assert sections(samples=grids(tmp_path, [1]), summaries={"a": "b"}) == [
        *("result-title", "curves-title", "samples-title", "models-title", "config-title")
    ]


def test_metrics_without_finite_values_are_omitted(write):
    nan = float("nan")
    metrics = {"step": [1, 2], "loss": [1, nan], "fid": [nan, nan], "other_loss": [np.inf, nan]}
    page = ParsedPage(write(metrics=metrics))
    assert [s["name"] for chart in page.data["charts"] for s in chart["series"]] == ["loss"]
    assert "fid" not in page.texts["th"] and "other_loss" not in page.texts["th"]


def test_validation_metrics_are_forward_filled_and_not_smoothed(write):
    nan = float("nan")
    metrics = {
        "step": [1, 2, 3, 4],
        "loss": [2.0, 2.0, nan, 1.0],
        "val_loss": [nan, 3.0, nan, 2.5],
    }
    (chart,) = ParsedPage(write(metrics=metrics)).data["charts"]
    assert [series["filled"] for series in chart["series"]] == [False, True]
    assert [series["values"] for series in chart["series"]] == [
        [2.0, 2.0, None, 1.0],
        [None, 3.0, 3.0, 2.5],
    ]


def result_entries(page):
    """Returns the entries of the result section by name."""
    pairs = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page)
    assert len(pairs) == page.count("<dt>")
    return dict(pairs)


LOGGED = {"step": [10, 20, 30, 40], "seconds": [8.0, 9.0, 10.0, 11.0], "loss": [4.0, 1.0, 0.5, 0.9]}
CONFIG = {"steps": 100, "batch_size": 32, "examples": 330}


def test_the_result_has_steps_epochs_time_and_speed(write):
    # The first ten steps include compilation and took eight seconds. An epoch has 320 images.
    assert result_entries(write(metrics=LOGGED, config=CONFIG)) == {
        "Steps": "40 of 100",
        "Epochs": "4",
        "Time": "11 s",
        "Images per second": "320",
    }
    assert result_entries(
        write(metrics=LOGGED | {"seconds": [0, 1, 2, 7449]}, config={"steps": 40})
    ) == {
        "Steps": "40",
        "Time": "2 h 4 min",
    }
    assert result_entries(write()) == {}


@pytest.mark.parametrize("value", [None, "32", True, -1, 0, 1e3, [], {}, 10**30])
def test_invalid_values_in_the_config_are_ignored(write, value):
    config = dict.fromkeys(CONFIG, value) | {"environment": value}
    assert result_entries(write(metrics=LOGGED, config=config))["Steps"].startswith("40")


def test_the_result_has_the_last_and_the_best_value_of_each_metric(write):
    nan = float("nan")
    metrics = LOGGED | {"val_accuracy": [nan, 0.75, nan, 0.5], "generator_loss": [3.0, 1, 2, 3]}
    page = ParsedPage(write(metrics=metrics))
    assert page.texts["th"] == [
        *("Metric", "Last", "Best", "At step", "loss", "val_accuracy", "generator_loss")
    ]
    assert page.texts["td"] == [
        *("0.9000", "0.5000", "30"),
        *("0.5000", "0.7500", "20"),
        *("3", "1", "20"),
    ]


def test_the_result_names_versions_and_device(write):
    environment = {"jaxlayers": "0.1.0", "jax": MALICIOUS, "python": "3.12.1"}
    environment |= {"device": "gpu: H100", "device_count": 8}
    page = write(config={"environment": environment, "seed": 0})
    expected = f"jaxlayers 0.1.0 · JAX {MALICIOUS} · Python 3.12.1 · gpu: H100 × 8"
    (note,) = re.findall('<p class="note">(jaxlayers.*?)</p>', page)
    assert unescape(note) == expected
    assert ParsedPage(page).texts["th"] == ["seed"]


def test_a_browser_shows_epochs_and_steps(run_in_browser):
    results = run_in_browser(
        """
        results.ticks = [...plot(losses).querySelectorAll("text")].map((e) => e.textContent);
        results.reading = reading(losses);
        results.text = plot(losses).getAttribute("aria-valuetext");
        """,
        metrics={"step": [10, 40], "loss": [1, 2]},
        config=CONFIG,
    )
    at = results["ticks"].index("step")
    assert results["ticks"][at + 1 :] == ["1", "1.5", "2", "2.5", "3", "3.5", "4", "epoch"]
    assert results["text"] == "step 40, epoch 4" and results["reading"].startswith(results["text"])


@pytest.mark.parametrize(
    "values, log",
    [
        ([2000.0, 3.0, 2.0, 2.0, 1.5], True),
        ([2.3, 1.0, 0.5, 0.4], False),
        ([2000.0, 3.0, 2.0, -1.0], False),
        ([2000.0, 3.0, 2.0, 0.0], False),
    ],
)
def test_a_chart_with_dwarfed_values_is_logarithmic(write, values, log):
    metrics = {"step": np.arange(len(values)), "loss": values}
    assert ParsedPage(write(metrics=metrics)).data["charts"][0]["log"] == log


def test_a_browser_can_switch_a_logarithmic_chart_to_linear(run_in_browser):
    results = run_in_browser(
        """
        const button = losses.querySelector("button");
        const show = () => [button.getAttribute("aria-pressed"),
          [...plot(losses).querySelectorAll("text")].map((e) => e.textContent).join(" "),
          [...plot(losses).querySelectorAll("path")].map((e) => e.getAttribute("d"))];
        results.log = show();
        button.click();
        results.linear = show();
        button.click();
        results.again = show();
        results.hidden = [button.hidden, others.querySelector("button").hidden];
        """,
        metrics={"step": [1, 2, 3, 4], "loss": [1000, 10, 10, 1], "score": [-1, 2, 3, 4]},
    )
    pressed, ticks, (path,) = results["log"]
    assert pressed == "true" and ticks == "1 10 100 1,000 1 2 3 4 step"
    heights = [float(point.split()[1]) for point in re.split("[ML]", path)[1:]]
    # 1000, 10 and 1 on a scale of three decades, 212 pixels high.
    np.testing.assert_allclose(np.diff(heights), [212 * 2 / 3, 0, 212 / 3], atol=0.2)
    pressed, ticks, _ = results["linear"]
    assert pressed == "false" and ticks == "0 200 400 600 800 1,000 1 2 3 4 step"
    assert results["again"][:2] == results["log"][:2]
    assert results["hidden"] == [False, True]
