import json

import numpy as np
import pytest

from jaxlayers.runs.evaluation import Evaluation, FeatureMaps, Mistake, read_evaluation

EVALUATION = Evaluation(
    step=12,
    class_names=("猫", "b", "c", "d"),
    confusion=np.array([[3, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]),
    mistakes=(Mistake(0, 1, 0.75),),
    saliency=(0, 1),
    feature_maps=(FeatureMaps("conv2d", (4, 4, 8), 8),),
)


def test_evaluations_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "evaluation.json"
    assert read_evaluation(path) is None
    EVALUATION.write(path)
    restored = read_evaluation(path)
    np.testing.assert_array_equal(restored.confusion, EVALUATION.confusion)
    for field in ("step", "class_names", "mistakes", "saliency", "feature_maps"):
        assert getattr(restored, field) == getattr(EVALUATION, field)


def test_means_include_only_classes_that_occur(tmp_path):
    # No example is of class d or predicted as d.
    assert EVALUATION.accuracy == 5 / 7
    assert EVALUATION.precision == pytest.approx((3 / 4 + 2 / 3 + 0) / 3)
    assert EVALUATION.recall == pytest.approx((3 / 4 + 1 + 0) / 3)
    EVALUATION.write(tmp_path / "evaluation.json")
    content = json.loads((tmp_path / "evaluation.json").read_text())
    assert content["precision"] == EVALUATION.precision
    assert content["classes"]["猫"] == {"precision": 3 / 4, "recall": 3 / 4, "images": 4}


@pytest.mark.parametrize(
    "change, message",
    [
        ({"step": "1"}, "must be an integer, got '1'"),
        ({"confusion": [[1]]}, "must be a 4 x 4 matrix"),
        ({"confusion": [[1.5] * 4] * 4}, "must be an integer"),
        ({"confusion": [[-1] * 4] * 4}, "counts of examples"),
        ({"confusion": [[2**80] * 4] * 4}, ""),
        ({"confusion": [[0] * 4] * 4}, "at least one of them above 0"),
        ({"class_names": None}, ""),
        ({"mistakes": [{"label": 4, "predicted": 0, "probability": 1}]}, "from 0 to 3, got 4"),
        ({"mistakes": [{}]}, "'label' is missing"),
        ({"saliency": [-1]}, "from 0 to 3, got -1"),
        ({"feature_maps": [[]]}, ""),
    ],
)
def test_the_error_for_an_invalid_evaluation_names_the_file(tmp_path, change, message):
    path = tmp_path / "evaluation.json"
    EVALUATION.write(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=rf"evaluation\.json: is not an evaluation: .*{message}"):
        read_evaluation(path)


@pytest.mark.parametrize("text", ["", "[]", "[" * 100_000, "{", "\x00"])
def test_the_error_for_a_file_that_is_not_an_evaluation_names_it(tmp_path, text):
    path = tmp_path / "evaluation.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"evaluation\.json: is not an evaluation: "):
        read_evaluation(path)
