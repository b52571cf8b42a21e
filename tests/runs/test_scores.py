import dataclasses
import json

import numpy as np
import pytest

from jaxlayers.runs.names import larger_is_better, score_group
from jaxlayers.runs.report_scores import scores_section
from jaxlayers.runs.scores import ScoreTable, read_scores

TABLE = ScoreTable(
    features="classifier",
    samples=5000,
    scores={"classifier_frechet_distance": 12.5, "classifier_recall": 0.75},
    real=4000,
    validation=1000,
    validation_scores={"classifier_frechet_distance": 2.25, "classifier_recall": 0.875},
    step=3000,
    class_fractions={"T-shirt": 0.25, "<Bag>": 0.75},
    validation_class_fractions={"T-shirt": 0.5, "<Bag>": 0.5},
)


def test_scores_are_read_as_they_were_written(tmp_path):
    for table in (TABLE, ScoreTable("pixels", 10, {"pixels_kernel_distance": -0.1}, 20)):
        table.write(tmp_path / "scores.json")
        assert read_scores(tmp_path / "scores.json") == table
    assert read_scores(tmp_path / "other.json") is None


@pytest.mark.parametrize(
    "change", [{"samples": "many"}, {"scores": [1]}, {"scores": {"x": "y"}}, {"real": -1}]
)
def test_a_damaged_file_is_an_error_that_names_it(tmp_path, change):
    path = tmp_path / "scores.json"
    path.write_text(json.dumps(dataclasses.asdict(TABLE) | change))
    with pytest.raises(ValueError, match=r"scores.json: does not contain scores"):
        read_scores(path)
    path.write_text('{"step": 3}')
    with pytest.raises(ValueError, match="'features' is missing"):
        read_scores(path)


def test_the_section_has_the_scores_of_samples_and_of_real_images():
    page = scores_section(TABLE)
    assert "5,000 samples after step 3,000, compared with 4,000 real images" in page
    assert "1,000 real validation images" in page and "features: classifier" in page
    assert "distance ↓</th><td>12.50</td><td>2.250</td>" in page
    assert "recall ↑</th><td>0.7500</td><td>0.8750</td>" in page
    assert "&lt;Bag&gt;</bdi></th><td>75.0%</td><td>50.0%</td>" in page


def test_scores_of_real_images_only_are_listed_as_well():
    real = {"x_label_accuracy": 0.75, "x_precision": 0.5}
    table = ScoreTable("x", 10, {"x_precision": 0.25}, 20, 5, real)
    name, *values = table.rows()[1]
    assert name == "x_label_accuracy" and values == pytest.approx([np.nan, 0.75], nan_ok=True)
    assert "accuracy ↑</th><td>–</td><td>0.7500</td>" in scores_section(table)


def test_the_section_has_no_column_of_real_images_without_them():
    page = scores_section(ScoreTable("pixels", 10, {"pixels_kernel_distance": 0.5}, 20))
    assert "Real images" not in page and "distance ↓</th><td>0.5000</td></tr>" in page


@pytest.mark.parametrize(
    "name",
    [
        *("accuracy", "val_accuracy", "classifier_precision", "x_recall", "x_density"),
        *("x_coverage", "inception_score", "x_confidence", "x_class_entropy"),
        *("x_smallest_class", "x_label_accuracy", "x_modes"),
    ],
)
def test_larger_values_of_these_metrics_are_better(name):
    assert larger_is_better(name)


@pytest.mark.parametrize(
    "name",
    [
        *("loss", "fid", "kid", "f1_net_frechet_distance", "score_kernel_distance", "mae"),
        "x_mode_divergence",
    ],
)
def test_smaller_values_of_these_metrics_are_better(name):
    assert not larger_is_better(name)


def test_scores_are_in_groups_by_the_ends_of_their_names():
    assert score_group("fid") == score_group("x_frechet_distance") == "Fréchet distance"
    assert score_group("kid") == score_group("x_kernel_distance") == "Kernel distance"
    assert score_group("x_recall") == score_group("x_density") == "Precision and recall"
    assert score_group("val_recall") is None and score_group("generator_loss") is None
