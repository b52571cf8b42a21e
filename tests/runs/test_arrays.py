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


def test_arrays_come_back_as_they_were(tmp_path):
    rng = np.random.default_rng(0)
    tree = {
        "a": {"b/c": rng.normal(size=(2, 3)), "d": {}, "": {"%": np.int32(3)}},
        "fortran": np.asfortranarray(rng.normal(size=(3, 4)).astype(np.float32)),
        "empty": np.zeros((0, 2), np.float16),
    }
    write_arrays(tmp_path / "arrays.npz", tree)
    back = read_arrays(tmp_path / "arrays.npz")
    assert back["a"].keys() == {"b/c", "d", ""} and back["a"]["d"] == {}
    np.testing.assert_array_equal(back["a"]["b/c"], tree["a"]["b/c"])
    np.testing.assert_array_equal(back["fortran"], tree["fortran"])
    assert back["empty"].shape == (0, 2) and back["empty"].dtype == np.float16
    assert back["a"][""]["%"] == 3


def test_a_file_that_unpacks_to_much_more_is_refused_before_it_is_unpacked(tmp_path):
    write(tmp_path / "bomb.npz", {"w.npy": bytes(2**26)}, zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"bomb\.npz.*'w\.npy' is compressed"):
        read_arrays(tmp_path / "bomb.npz")
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("members", "said"),
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
def test_a_damaged_or_hostile_file_is_one_error_that_names_it(tmp_path, members, said):
    write(tmp_path / "p.npz", members)
    with pytest.raises(ValueError, match=rf"p\.npz: cannot be read as arrays .*{said}|{said}"):
        read_arrays(tmp_path / "p.npz")


def test_every_cut_of_a_file_is_that_error(tmp_path):
    write_arrays(tmp_path / "p.npz", {"params": {"w": np.ones(3)}, "state": {}})
    content = (tmp_path / "p.npz").read_bytes()
    for end in range(0, len(content), 7):
        (tmp_path / "cut.npz").write_bytes(content[:end])
        with pytest.raises(ValueError, match=r"cut\.npz: cannot be read as arrays"):
            read_arrays(tmp_path / "cut.npz")
