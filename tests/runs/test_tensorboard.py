import struct
import sys

import numpy as np
import pytest
from PIL import Image

from jaxlayers.runs import RunFolder
from jaxlayers.runs.tensorboard import TensorBoard
from jaxlayers.train import FitConfig, fit
from tests.train import toys

IMAGES = np.random.default_rng(0).integers(256, size=(8, *toys.IMAGE_SHAPE), dtype=np.uint8)


def events(path):
    """Yields (step, tag, value) of all summaries in the event files of a folder."""
    from tensorboardX.proto import event_pb2

    for file in sorted(path.glob("events.*")):
        data, offset = file.read_bytes(), 0
        while offset < len(data):
            (size,) = struct.unpack_from("<Q", data, offset)
            event = event_pb2.Event.FromString(data[offset + 12 : offset + 12 + size])
            offset += 12 + size + 4
            for value in event.summary.value:
                yield event.step, value.tag, value


def test_metrics_and_samples_are_written(tmp_path):
    folder = RunFolder(tmp_path / "run")
    config = FitConfig(steps=6, batch_size=4, log_every=2, sample_every=3, samples=4)
    fit(toys.gan(), IMAGES, config, folder)
    metrics = folder.metrics()
    summaries = list(events(folder.path))
    losses = {step: v.simple_value for step, tag, v in summaries if tag == "generator_loss"}
    assert list(losses) == metrics["step"].tolist() == [2, 4, 6]
    np.testing.assert_allclose(list(losses.values()), metrics["generator_loss"], rtol=1e-6)
    pictures = {step: value.image for step, tag, value in summaries if tag == "samples"}
    assert list(pictures) == [3, 6]
    (tmp_path / "picture.png").write_bytes(pictures[6].encoded_image_string)
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.size == (2 * 6 + 2, 2 * 6 + 2)


def test_the_error_without_tensorboardx_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r'pip install "jaxlayers\[train\]"'):
        TensorBoard(tmp_path)
