import dataclasses
import json

import pytest

from experiments.comparison_results import Result, Results, table

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


def test_the_table_has_the_mean_and_the_deviation_over_seeds():
    assert table([REAL, OTHER, HINGE, FAILED, AGAIN], "digits") == (
        "| loss | regularizer | distance | recall | ms per step | runs |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| real images |  | 1.50 | 0.900 |  |  |\n"
        "| hinge | r1 | **21.0 ± 1.41** | **0.375 ± 0.177** | 25.1 ± 0 | 2 |\n"
        "| wasserstein | none | - | - | - | 1, not finite after step 7 |\n"
    )


def test_the_best_score_of_each_column_is_bold():
    better = dataclasses.replace(
        HINGE, loss="least_squares", scores={"distance": 30.0, "recall": 0.75}
    )
    rows = table([HINGE, better], "digits").splitlines()[2:]
    assert rows == [
        "| hinge | r1 | **20.0** | 0.500 | 25.1 | 1 |",
        "| least_squares | r1 | 30.0 | **0.750** | 25.1 | 1 |",
    ]


def test_the_written_table_has_a_section_for_each_data_set(results):
    for result in (HINGE, OTHER):
        results.append(result)
    text = results.write_table()
    assert text == (results.path.parent / "table.md").read_text()
    assert "steps: 5, samples: 9" in text
    for name in ("digits", "clothes"):
        assert f"\n## {name}\n\n{table([HINGE, OTHER], name)}" in text
    assert json.loads((results.path.parent / "settings.json").read_text()) == SETTINGS
