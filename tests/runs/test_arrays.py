import io
import tracemalloc
import zipfile

import numpy as np
import pytest

from jaxlayers.runs.arrays import read_arrays, write_arrays


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def header(shape, dtype="<f4"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"shape": shape, "fortran_order": False, "descr": dtype}
    )
    return file.getvalue()


def write(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_arrays_are_read_as_they_were_written(tmp_path):
    rng = np.random.default_rng(0)
    tree = {
        "a": {"b/c": rng.normal(size=(2, 3)), "d": {}, "": {"%": np.int32(3)}},
        "fortran": np.asfortranarray(rng.normal(size=(3, 4)).astype(np.float32)),
        "empty": np.zeros((0, 2), np.float16),
    }
    write_arrays(tmp_path / "arrays.npz", tree)
    restored = read_arrays(tmp_path / "arrays.npz")
    assert restored["a"].keys() == {"b/c", "d", ""} and restored["a"]["d"] == {}
    np.testing.assert_array_equal(restored["a"]["b/c"], tree["a"]["b/c"])
    np.testing.assert_array_equal(restored["fortran"], tree["fortran"])
    assert restored["empty"].shape == (0, 2) and restored["empty"].dtype == np.float16
    assert restored["a"][""]["%"] == 3


def test_compressed_arrays_are_refused_before_decompression(tmp_path):
    write(tmp_path / "bomb.npz", {"w.npy": bytes(2**26)}, zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"bomb\.npz.*'w\.npy' is compressed"):
        read_arrays(tmp_path / "bomb.npz")
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"w.npy": header((2**40,)) + b"1234"}, "declares 4398046511104 bytes, but has"),
        ({"w.npy": header((2,))}, "is truncated"),
        ({"w.npy": npy(np.array([{}], object))}, "has dtype object, which is not numeric"),
        ({"w.npy": npy(np.array(["a"]))}, "has dtype <U1, which is not numeric"),
        ({"w.npy": b"no array"}, "cannot be read as arrays"),
        ({"w.npy": npy(np.ones(1)), "w/x.npy": npy(np.ones(1))}, "'w/x' is inside an array"),
        (
            {"/".join("a" * 1000) + ".npy": npy(np.ones(1))},
            "is nested too deeply, in 999 dictionaries",
        ),
    ],
)
def test_damaged_and_malicious_files_raise_one_error(tmp_path, members, message):
    write(tmp_path / "p.npz", members)
    with pytest.raises(
        ValueError, match=rf"p\.npz: cannot be read as arrays .*{message}|{message}"
    ):
        read_arrays(tmp_path / "p.npz")


def test_truncated_files_raise_that_error(tmp_path):
    write_arrays(tmp_path / "p.npz", {"params": {"w": np.ones(3)}, "state": {}})
    content = (tmp_path / "p.npz").read_bytes()
    for end in range(0, len(content), 7):
        (tmp_path / "cut.npz").write_bytes(content[:end])
        with pytest.raises(ValueError, match=r"cut\.npz: cannot be read as arrays"):
            read_arrays(tmp_path / "cut.npz")
