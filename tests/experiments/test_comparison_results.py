import dataclasses
import json

import pytest

from experiments.comparison_results import Result, Results

SETTINGS = {"steps": 5, "samples": 9}
REAL = Result("digits", None, None, 0, None, None, {"distance": 1.5, "recall": 0.9})
HINGE = Result("digits", "hinge", "r1", 0, None, 0.0251, {"distance": 20.0, "recall": 0.5})
AGAIN = dataclasses.replace(HINGE, seed=1, scores={"distance": 22.0, "recall": 0.25})
FAILED = Result("digits", "wasserstein", "none", 0, 7, None, {})
OTHER = Result("clothes", "hinge", "none", 0, None, None, {"distance": 0.0, "recall": None})


@pytest.fixture
def results(tmp_path):
    results = Results(tmp_path / "new", SETTINGS)
    results.open()
    return results


def read(results):
    return Results(results.path.parent, SETTINGS)


def test_finished_runs_are_read_back(results):
    for result in (REAL, HINGE, FAILED, OTHER):
        results.append(result)
    assert read(results).finished == results.finished
    assert list(results.finished.values()) == [REAL, HINGE, FAILED, OTHER]
    assert json.loads((results.path.parent / "settings.json").read_text()) == SETTINGS


def test_an_incomplete_last_line_is_removed(results):
    results.append(HINGE)
    complete = results.path.read_text()
    results.path.write_text(complete + complete[:-9])
    again = read(results)
    assert list(again.finished.values()) == [HINGE]
    again.open()
    again.append(AGAIN)
    assert list(read(results).finished.values()) == [HINGE, AGAIN]


def test_other_settings_are_refused(results):
    with pytest.raises(ValueError, match=r"other settings, .*: steps was 5 and is 6"):
        Results(results.path.parent, SETTINGS | {"steps": 6})


@pytest.mark.parametrize("line", ["[]\n", '{"loss": "hinge"}\n', "loss\n"])
def test_damaged_lines_are_named(results, line):
    results.append(HINGE)
    results.path.write_text(results.path.read_text() + line)
    with pytest.raises(ValueError, match=r"results\.jsonl: line 2 must "):
        read(results)
