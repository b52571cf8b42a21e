import dataclasses
import json
import shutil
import sys

import jax
import numpy as np
import pytest
from PIL import Image

from experiments import classify, cnn, command_line
from experiments.cnn import Config
from jaxlayers import data, runs, train
from jaxlayers.interop import keras
from jaxlayers.interop.keras.__main__ import convert
from jaxlayers.models import cnn as models
from jaxlayers.models import mobilenet_v2, resnet
from jaxlayers.runs import RunFolder
from jaxlayers.train.augmentation import Cutout, Flip, Shift
from tests.experiments import commands


@pytest.fixture(autouse=True)
def no_cache(monkeypatch):
    monkeypatch.setattr(cnn, "use_compilation_cache", lambda: None)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """A folder of 20 images each of horizontal and vertical light bars on a dark background."""
    folder = tmp_path_factory.mktemp("data") / "shapes"
    rng = np.random.default_rng(0)
    for name in ("horizontal", "vertical"):
        (folder / name).mkdir(parents=True)
        for number in range(20):
            pixels = rng.integers(60, size=(12, 12), dtype=np.uint8)
            place = rng.integers(3, 8)
            if name == "vertical":
                pixels[2:10, place : place + 2] = 255
            else:
                pixels[place : place + 2, 2:10] = 255
            pixels[[0, -1]] = pixels[:, [0, -1]] = 0
            Image.fromarray(pixels).save(folder / name / f"{number:02d}.png")
    return folder


@pytest.fixture(scope="module")
def run(shapes, cache, tmp_path_factory):
    """The output of the command and the folder of its run."""
    out = tmp_path_factory.mktemp("run") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAXLAYERS_CACHE", str(cache))
        arguments = ("--data", shapes, "--epochs", 8, "--batch-size", 8, "--width", 4)
        process = commands.run("cnn", *arguments, "--augment", "shift", "--out", out)
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout, out


def test_the_command_writes_all_outputs(run):
    output, out = run
    assert "32 images of 12 x 12 x 1, 2 classes" in output and "8 images for validation" in output
    assert "class       precision  recall  images" in output
    names = {path.name for path in out.iterdir() if not path.name.startswith("events.")}
    assert names == {
        "checkpoints",
        "config.json",
        "curves.png",
        "evaluation.json",
        "metrics.jsonl",
        "model.json",
        "parameters.npz",
        "pictures",
        "report.html",
        "samples",
    }
    pictures = {path.stem for path in (out / "pictures").iterdir()}
    required = {"confusion", "feature_maps", "first_kernels", "saliency"}
    assert required <= pictures <= required | {"mistakes"}
    page = (out / "report.html").read_text()
    assert "Feature maps" in page and "val_accuracy" in page
    assert "<dt>Accuracy</dt>" in page and "There are no" not in page


def test_the_evaluation_is_consistent_and_accurate(run):
    _, out = run
    evaluation = json.loads((out / "evaluation.json").read_text())
    assert evaluation["accuracy"] >= 0.75
    matrix = np.array(evaluation["confusion"])
    assert matrix.sum() == 8 and evaluation["accuracy"] == np.trace(matrix) / 8
    assert evaluation["classes"]["vertical"]["images"] == 4
    assert evaluation["classes"]["horizontal"]["recall"] == matrix[0, 0] / 4
    metrics = RunFolder(out).metrics()
    assert metrics["val_accuracy"][-1] == pytest.approx(evaluation["accuracy"])


def test_classify_inverts_dark_on_light_images(run, tmp_path, capsys):
    _, out = run
    pixels = np.full((60, 80, 3), 250, np.uint8)
    pixels[10:50, 36:46] = 10
    Image.fromarray(pixels).save(tmp_path / "photo.jpg")
    assert classify.main(classify.Config(out, (tmp_path / "photo.jpg",))) == 0
    title, *rows = capsys.readouterr().out.splitlines()
    assert title == f"{tmp_path / 'photo.jpg'} (inverted)"
    probabilities = {name: float(p) for name, p in map(str.split, rows)}
    assert probabilities.keys() == {"vertical", "horizontal"}
    assert sum(probabilities.values()) == pytest.approx(1, abs=2e-4)
    assert rows[0].split()[0] == "vertical"


def test_classify_prints_the_output_of_the_model(run, shapes, capsys):
    _, out = run
    path = shapes / "horizontal" / "03.png"
    classify.main(classify.Config(out, (path,), top=1))
    (_, row) = capsys.readouterr().out.splitlines()
    model, params, state = runs.load(out)
    image = np.asarray(Image.open(path), np.float32)[None, :, :, None] / 255
    expected = np.asarray(model.apply(params, state, image)[0])[0]
    name, probability = row.split()
    assert name == ("horizontal", "vertical")[expected.argmax()]
    assert float(probability) == pytest.approx(expected.max(), abs=1e-4)


def test_classify_accepts_a_converted_keras_file(shapes, tmp_path, capsys):
    model = models.lenet((8, 8, 1), classes=3, width=2, hidden=4)
    keras.save(tmp_path / "model.keras", model, *model.init(jax.random.key(0)))
    convert(tmp_path / "model.keras", tmp_path / "run")
    path = shapes / "horizontal" / "03.png"
    assert classify.main(classify.Config(tmp_path / "run", (path,))) == 0
    _, *rows = capsys.readouterr().out.splitlines()
    # A Keras file has no class names.
    assert sorted(row.split()[0] for row in rows) == ["0", "1", "2"]


@pytest.fixture
def run_with_class_names(run, tmp_path):
    """Returns a function that copies the run and replaces its class names."""

    def run_with_class_names(names):
        folder = shutil.copytree(run[1], tmp_path / "copy")
        model = json.loads((folder / "model.json").read_text())
        (folder / "model.json").write_text(json.dumps(model | {"class_names": names}))
        return folder

    return run_with_class_names


def test_classify_escapes_control_characters_in_class_names(run_with_class_names, shapes, capsys):
    folder = run_with_class_names(["猫\n", "\x1b[2Jcat"])
    classify.main(classify.Config(folder, (shapes / "horizontal" / "03.png",)))
    output = capsys.readouterr().out
    assert all(character.isprintable() or character == "\n" for character in output)
    _, *rows = output.splitlines()
    assert {row[:-8] for row in rows} == {"  猫\\n      ", "  \\x1b[2Jcat"}


@pytest.mark.parametrize("names", ["ab", ["a"], ["a", "b", "c"], {"a": 1}])
def test_classify_refuses_class_names_of_the_wrong_number_or_type(
    run_with_class_names, shapes, run_main, names
):
    path = shapes / "horizontal" / "03.png"
    status, output, errors = run_main(classify, run_with_class_names(names), path)
    assert (status, output) == (1, "")
    assert "model.json: class_names must be a list of 2 names" in errors


@pytest.fixture
def run_main(monkeypatch, capsys):
    """Runs a command in this process; returns its status, output and errors."""

    def run_main(module, *arguments):
        monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
        try:
            status = command_line.run(module.main, module.Config)
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    return run_main


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "pass at least one image file"),
        (["gone.png"], "gone.png: there is no such file"),
        (["--top", "0", "gone.png"], "top must be a positive integer"),
    ],
)
def test_classify_prints_user_errors_without_a_traceback(run, run_main, arguments, message):
    status, output, errors = run_main(classify, run[1], *arguments)
    assert (status, output) == (1, "") and message in errors


def test_classify_refuses_a_generator(tmp_path, run_main):
    from jaxlayers.models import dcgan

    model = dcgan.generator((4, 4, 1), latent_size=3, width=8)
    runs.save(tmp_path / "run", model, *model.init(jax.random.key(0)))
    status, _, errors = run_main(classify, tmp_path / "run", "some.png")
    assert status == 1 and "must contain a classifier" in errors


@pytest.fixture
def fit_calls(monkeypatch):
    """The arguments of the calls of `fit`, which is replaced."""
    calls = []

    def fit(task, dataset, config, folder, *, validation_data, initial, resume):
        calls.append((task, dataset, config, validation_data))
        return train.FitResult(task.init(jax.random.key(0)))

    monkeypatch.setattr(train, "fit", fit)
    monkeypatch.setattr(cnn, "write_classifier_report", lambda *_: "")
    return calls


def test_options_are_passed_to_the_task_and_fit(tmp_path, shapes, fit_calls):
    cnn.main(
        Config(
            data=str(shapes),
            model="vgg",
            width=8,
            dropout=0.25,
            epochs=3,
            batch_size=8,
            loss="squared_error",
            label_smoothing=0.1,
            class_weights="balanced",
            optimizer="sgd",
            schedule="constant",
            augment=("shift", "flip", "cutout"),
            precision="bfloat16",
            seed=4,
            out=tmp_path / "run",
        )
    )
    ((task, dataset, config, validation),) = fit_calls
    assert task.model == train.InBfloat16(models.vgg((12, 12, 1), 2, width=8, dropout=0.25))
    assert (task.loss, task.label_smoothing, task.class_weights) == ("squared_error", 0.1, (1, 1))
    assert task.augmentations == (Shift(1), Flip(), Cutout(3))
    assert (config.steps, config.evaluate_every, config.seed) == (12, 4, 4)
    assert (len(dataset), len(validation)) == (32, 8)
    # Plain gradient descent with the default rate.
    updates, _ = task.optimizer.update({"w": np.float32(2)}, task.optimizer.init({"w": 0.0}))
    assert updates["w"] == pytest.approx(-0.2)


def test_the_cosine_schedule_ends_at_zero(tmp_path, shapes, fit_calls):
    cnn.main(
        Config(data=str(shapes), batch_size=8, epochs=2, optimizer="sgd", out=tmp_path / "run")
    )
    ((task, *_),) = fit_calls
    state = task.optimizer.init({"w": 0.0})
    rates = []
    for _ in range(9):
        updates, state = task.optimizer.update({"w": np.float32(1)}, state)
        rates.append(-float(updates["w"]))
    expected = [0.1 * (1 + np.cos(np.pi * step / 8)) / 2 for step in range(9)]
    np.testing.assert_allclose(rates, expected, atol=1e-8)


def test_balanced_class_weights_are_inversely_proportional_to_frequency():
    weights = cnn._balanced_class_weights(np.array([0, 0, 0, 1]), 2)
    np.testing.assert_allclose(weights, [2 / 3, 2])


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--epochs", "0"], "epochs must be a positive integer, got 0"),
        (["--learning-rate", "0", "--batch-size", "8"], "learning_rate must be above 0"),
        (["--batch-size", "64"], "32 rows do not fill one batch of --batch-size 64"),
        (["--label-smoothing", "1", "--batch-size", "8"], "--label-smoothing must be "),
        (["--resume"], "--out DIR"),
        (["--freeze"], "--freeze must be passed together with --init"),
        (["--init", "nowhere.keras"], "nowhere.keras: there is no such file"),
        (["--model", "mobilenet_v2", "--width", "0"], "--width must be a positive integer, got 0"),
        (
            ["--model", "resnet18", "--dropout", "0.5"],
            "--dropout must not be passed, because this model has none, got 0.5",
        ),
    ],
)
def test_user_errors_are_messages_and_create_no_folder(
    run_main, shapes, arguments, message, tmp_path
):
    out = [] if "--resume" in arguments else ["--out", tmp_path / "run"]
    status, _, errors = run_main(cnn, "--data", shapes, *arguments, *out)
    assert status == 1 and errors.startswith("error: ") and message in errors
    assert not (tmp_path / "run").exists()


def test_images_without_labels_are_refused(run_main, tmp_path):
    np.save(tmp_path / "images.npy", np.zeros((9, 8, 8), np.uint8))
    status, _, errors = run_main(cnn, "--data", tmp_path / "images.npy")
    assert status == 1 and "has no labels" in errors


def test_a_resumed_run_has_the_same_parameters(run_main, tmp_path, shapes):
    config = Config(data=str(shapes), epochs=3, batch_size=8, width=2, checkpoint_every=4)
    for name in ("uninterrupted", "resumed"):
        assert cnn.main(dataclasses.replace(config, out=tmp_path / name)) == 0
    uninterrupted = RunFolder(tmp_path / "uninterrupted").load_parameters()
    status, _, errors = run_main(cnn, "--out", tmp_path / "resumed", "--resume-step", 4)
    assert (status, errors) == (0, "")
    resumed = RunFolder(tmp_path / "resumed").load_parameters()
    jax.tree.map(np.testing.assert_array_equal, uninterrupted, resumed)


def test_a_run_starts_from_another_and_trains_its_output_layer(run_main, run, shapes, tmp_path):
    _, source = run
    config = Config(
        data=str(shapes), epochs=2, batch_size=8, init=source, freeze=True, checkpoint_every=4
    )
    assert cnn.main(dataclasses.replace(config, out=tmp_path / "run")) == 0
    model, params, _ = runs.load(tmp_path / "run")
    trained, before, _ = runs.load(source)
    assert model.names == ("lenet", "predictions")
    features = {name: before[name] for name in params["lenet"]}
    assert jax.tree.all(jax.tree.map(np.array_equal, params["lenet"], features))
    # The number of classes is the same, so that the output layer is trained further.
    output = before[trained.names[-1]]["kernel"]
    difference = np.abs(params["predictions"]["kernel"] - output).max()
    assert 0 < difference < 0.1
    status, _, errors = run_main(cnn, "--out", tmp_path / "run", "--resume-step", 4)
    assert (status, errors) == (0, "")
    _, resumed, _ = runs.load(tmp_path / "run")
    assert jax.tree.all(jax.tree.map(np.array_equal, params, resumed))


@pytest.mark.parametrize(
    "config, expected",
    [
        (Config(model="vgg"), models.vgg((63, 80, 3), 4)),
        (Config(model="resnet18"), resnet.resnet18((63, 80, 3), 4, stem="cifar")),
        (
            Config(model="resnet50", width=8),
            resnet.resnet50((63, 80, 3), 4, width=8, stem="cifar", momentum=0.9),
        ),
        (
            Config(model="mobilenet_v2", width=16),
            mobilenet_v2.mobilenet_v2((63, 80, 3), 4, alpha=0.5, momentum=0.9),
        ),
    ],
    ids=lambda value: value.model if isinstance(value, Config) else "",
)
def test_models_have_the_shape_of_the_images_and_the_width(config, expected):
    assert cnn._new_model(config.resolved(), (63, 80, 3), 4) == expected


def test_residual_networks_reduce_large_images():
    model = cnn._new_model(Config(model="resnet18", width=1).resolved(), (64, 64, 3), 4)
    assert model == resnet.resnet18((64, 64, 3), 4, width=1)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["resnet18", "resnet50", "mobilenet_v2"])
def test_graphs_are_trained_and_read_back(shapes, tmp_path, model, run_main):
    zipped = shutil.make_archive(tmp_path / "shapes", "zip", shapes)
    arguments = ("--data", zipped, "--model", model, "--width", 2, "--epochs", 2)
    out = tmp_path / "run"
    status, output, errors = run_main(cnn, *arguments, "--batch-size", 8, "--out", out)
    assert (status, errors) == (0, "") and "val_accuracy" in output
    graph, params, state = runs.load(out)
    expected = Config(model=model, width=2).resolved()
    assert graph == cnn._model(expected, (12, 12, 1), 2)
    probabilities, _ = jax.jit(graph.apply)(params, state, np.ones((1, 12, 12, 1), np.float32))
    np.testing.assert_allclose(probabilities.sum(), 1, rtol=1e-5)
    status, output, _ = run_main(classify, out, shapes / "vertical" / "03.png")
    assert status == 0 and "horizontal" in output


def test_both_models_accept_the_embedded_digits():
    shape = data.load("mnist-5k").image_shape
    assert models.lenet(shape).output_shape() == models.vgg(shape).output_shape() == (10,)
