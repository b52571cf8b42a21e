import html
import json
import re
import shutil

import jax
import numpy as np
import pytest

from jaxlayers import Sequential, layers
from jaxlayers.data import Dataset
from jaxlayers.models import cnn
from jaxlayers.runs import RunFolder
from jaxlayers.runs.classifier_report import predict, write_classifier_report
from jaxlayers.runs.report import report

NAMES = ("猫", "قط", "<b>🥑</b> & 'co'", "\x1b[2J\nred")
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(256, size=(30, 8, 8, 3), dtype=np.uint8)
LABELS = np.arange(30, dtype=np.int32) % 3
DATA = Dataset(IMAGES, LABELS, NAMES, "photos")
MODEL = cnn.lenet((8, 8, 3), classes=4, width=2, hidden=5)
PARAMS, STATE = MODEL.init(jax.random.key(0))
PROBABILITIES = np.asarray(MODEL.apply(PARAMS, STATE, IMAGES / np.float32(255))[0])


def make_folder(path):
    """Returns the folder of a run of seven steps."""
    (path / "config.json").write_text(json.dumps({"steps": 7}))
    (path / "model.json").write_text(json.dumps({"summaries": {}}))
    (path / "metrics.jsonl").write_text('{"step": 7, "loss": 1.0}\n')
    return RunFolder(path)


@pytest.fixture
def folder(tmp_path):
    return make_folder(tmp_path)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The folder of a classifier, its table, its evaluation and its report."""
    path = make_folder(tmp_path_factory.mktemp("run")).path
    table = write_classifier_report(path, MODEL, PARAMS, STATE, DATA)
    evaluation = json.loads((path / "evaluation.json").read_text("utf-8"))
    return path, table, evaluation, (path / "report.html").read_text("utf-8")


def test_predictions_equal_the_outputs_for_uint8_and_float_images():
    for images in (IMAGES, IMAGES / np.float32(255)):
        np.testing.assert_allclose(predict(MODEL, PARAMS, STATE, images), PROBABILITIES, atol=1e-6)


def test_the_evaluation_is_computed_from_the_predictions(written):
    path, _, evaluation, _ = written
    predicted = PROBABILITIES.argmax(-1)
    assert evaluation["step"] == 7 and tuple(evaluation["class_names"]) == NAMES
    assert evaluation["accuracy"] == np.mean(predicted == LABELS)
    for label, row in enumerate(evaluation["confusion"]):
        assert row == [sum((label == LABELS) & (other == predicted)) for other in range(4)]
    wrong = predicted != LABELS
    confidences = np.sort(PROBABILITIES[wrong].max(-1))[::-1][:24]
    mistakes = evaluation["mistakes"]
    np.testing.assert_allclose([m["probability"] for m in mistakes], confidences, atol=1e-6)
    assert all(m["label"] != m["predicted"] for m in mistakes)
    pictures = path / "pictures"
    assert len(list((pictures / "mistakes").iterdir())) == len(mistakes)
    assert [maps["layer"] for maps in evaluation["feature_maps"]] == [
        *("conv2d", "max_pooling2d", "conv2d_1", "max_pooling2d_1")
    ]
    assert (pictures / "confusion.png").exists() and (pictures / "first_kernels.png").exists()


def test_the_columns_of_the_table_are_aligned_for_all_scripts(written):
    _, table, _, _ = written
    head, *rows, mean, accuracy = table.splitlines()
    assert head == "class             precision  recall  images"
    # A Chinese character is two columns wide; control characters are escaped.
    assert [row[:-27] for row in rows] == [
        "猫              ",
        "قط              ",
        "<b>🥑</b> & 'co'",
        "\\x1b[2J\\nred    ",
    ]
    assert mean.startswith("mean  ") and accuracy.startswith("val_accuracy: ")


def test_the_report_shows_names_in_all_scripts(written):
    _, _, evaluation, page = written
    for name in NAMES[:3]:
        # In the table of classes, and in a row and a column of the matrix.
        assert page.count(f"<bdi>{html.escape(name)}</bdi>") >= 3
    assert "<b>🥑" not in page
    for words in (">Predicted</th>", ">True</th>", "Most confident mistakes", "Feature maps"):
        assert words in page
    assert f"<dt>Accuracy</dt><dd>{evaluation['accuracy']:.4f}</dd>" in page
    assert f"<dt>Mean recall</dt><dd>{evaluation['recall']:.4f}</dd>" in page
    matrix = re.search('<table class="matrix">.*?</table>', page, re.DOTALL)[0]
    cells = re.findall(r'<td style="--part:(\d+)">(\d*)</td>', matrix)
    counts = np.array([int(count or 0) for _, count in cells]).reshape(4, 4)
    np.testing.assert_array_equal(counts, evaluation["confusion"])
    parts = np.array([int(part) for part, _ in cells]).reshape(4, 4)
    np.testing.assert_allclose(parts, 100 * counts / np.maximum(counts.sum(1), 1)[:, None], atol=1)
    # Every mistake, saliency and layer, and the kernels. The matrix is a table, not an image.
    image_count = page.count('src="data:image/png')
    assert (
        image_count == sum(len(evaluation[k]) for k in ("mistakes", "saliency", "feature_maps")) + 1
    )
    # There are no images of the last class, so that it has no recall.
    assert re.search(r"red</bdi></th><td>[\d.–]*</td><td>–</td><td>0</td>", page)


def test_an_evaluation_of_an_earlier_step_is_not_shown(written, tmp_path):
    folder = RunFolder(shutil.copytree(written[0], tmp_path / "resumed"))
    folder.log(8, {"loss": 1.0})
    report(folder)
    page = (folder.path / "report.html").read_text("utf-8")
    assert "Confusion matrix" not in page and "<dt>Accuracy" not in page


def test_plots_of_an_earlier_evaluation_are_removed(folder):
    old = folder.path / "pictures" / "mistakes" / "99.png"
    old.parent.mkdir(parents=True)
    old.touch()
    write_classifier_report(folder, MODEL, PARAMS, STATE, DATA)
    assert old.parent.exists() and not old.exists()


def test_the_report_shows_the_most_common_confusions_of_many_classes(folder):
    model = Sequential([layers.Flatten(), layers.Dense(50, activation="softmax")], (8, 8, 3))
    params, state = model.init(jax.random.key(1))
    labels = (np.arange(30) % 50).astype(np.int32)
    data = Dataset(IMAGES, labels, None, "many")
    write_classifier_report(folder, model, params, state, data)
    evaluation = json.loads((folder.path / "evaluation.json").read_text())
    page = (folder.path / "report.html").read_text()
    assert 'class="matrix"' not in page and "Kernels" not in page
    (table,) = re.findall('aria-label="Most common confusions">(.*?)</table>', page, re.DOTALL)
    confused = re.findall(r"<bdi>(\d+)</bdi></th><td><bdi>(\d+)</bdi></td><td>(\d+)</td>", table)
    matrix = np.array(evaluation["confusion"])
    counts = [int(count) for _, _, count in confused]
    assert counts == [matrix[int(true), int(predicted)] for true, predicted, _ in confused]
    off_diagonal = matrix[~np.eye(50, dtype=bool)]
    assert counts == sorted(off_diagonal[off_diagonal > 0], reverse=True)[:20]


@pytest.mark.parametrize("channels", [2, 4])
def test_images_with_other_numbers_of_channels_are_evaluated(folder, channels):
    model = Sequential([layers.Flatten(), layers.Dense(3, activation="softmax")], (2, 2, channels))
    images = RNG.integers(256, size=(6, 2, 2, channels), dtype=np.uint8)
    data = Dataset(images, LABELS[:6], None, "spectra")
    write_classifier_report(folder, model, *model.init(jax.random.key(0)), data)
    assert [path.name for path in (folder.path / "pictures").iterdir()] == ["confusion.png"]


@pytest.mark.parametrize(
    "data, names, message",
    [
        (
            Dataset(IMAGES, None, None, "photos"),
            None,
            "must have labels, got photos without labels",
        ),
        (DATA, ("a", "b"), "the model has 4 classes, got 2 class names"),
        (Dataset(IMAGES, LABELS + 3, None, "photos"), None, "labels up to 5"),
    ],
)
def test_incompatible_data_is_refused_before_files_are_written(folder, data, names, message):
    with pytest.raises(ValueError, match=message):
        write_classifier_report(folder, MODEL, PARAMS, STATE, data, names)
    assert not (folder.path / "evaluation.json").exists()


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no config\.json"):
        write_classifier_report(tmp_path, MODEL, PARAMS, STATE, DATA)
    assert not list(tmp_path.iterdir())
