import dataclasses

from experiments.comparison_results import Result, Results
from experiments.comparison_tables import first_score, table, write_tables

REAL = Result("digits", None, None, 0, None, None, {"distance": 1.5, "recall": 0.9})
HINGE = Result("digits", "hinge", "r1", 0, None, 0.0251, {"distance": 20.0, "recall": 0.5})
AGAIN = dataclasses.replace(HINGE, seed=1, scores={"distance": 22.0, "recall": 0.25})
FAILED = Result("digits", "wasserstein", "none", 0, 7, None, {})
OTHER = Result("clothes", "hinge", "none", 0, None, None, {"distance": 0.0, "recall": None})


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


def test_the_first_score_has_a_column_for_each_regularizer():
    text = first_score([REAL, HINGE, OTHER, FAILED, AGAIN], "digits")
    assert text == (
        "| distance (real images: 1.50) | r1 | none |\n"
        "| --- | --- | --- |\n"
        "| hinge | **21.0 ± 1.41** |  |\n"
        "| wasserstein |  | - |\n"
    )
    assert first_score([FAILED], "digits") == ""


def test_the_written_file_has_a_section_for_each_data_set(tmp_path):
    results = Results(tmp_path, {"steps": 5, "samples": 9})
    results.open()
    for result in (HINGE, OTHER):
        results.append(result)
    text = write_tables(results)
    assert text == (tmp_path / "table.md").read_text()
    assert "steps: 5, samples: 9" in text
    for name in ("digits", "clothes"):
        tables = f"{first_score([HINGE, OTHER], name)}\n{table([HINGE, OTHER], name)}"
        assert f"\n## {name}\n\n{tables}" in text
