"""Atomic writes of files."""

from pathlib import Path

import pytest

from jaxlayers._files import as_path, write_atomically


def test_a_file_exists_only_after_the_block(tmp_path) -> None:
    path = tmp_path / "a.txt"
    with write_atomically(path) as file:
        file.write(b"content")
        assert not path.exists()
    assert path.read_bytes() == b"content"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_an_error_keeps_the_old_file_and_leaves_no_temporary_file(tmp_path, error) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    with pytest.raises(type(error)), write_atomically(path) as file:
        file.write(b"new")
        raise error
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_files_have_the_default_permissions(tmp_path) -> None:
    (tmp_path / "other").touch()
    with write_atomically(tmp_path / "a"):
        pass
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_file_names_can_have_the_maximum_length(tmp_path) -> None:
    path = tmp_path / ("x" * 255)
    with write_atomically(path) as file:
        file.write(b"x")
    assert path.read_bytes() == b"x"


def test_the_error_for_a_missing_folder_names_the_path_as_given(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        pytest.raises(FileNotFoundError, match=r"^no/a: the folder no does not exist$"),
        write_atomically("no/a"),
    ):
        pass


def test_a_folder_is_not_replaced(tmp_path) -> None:
    with (
        pytest.raises(IsADirectoryError, match="is a folder, not a file"),
        write_atomically(tmp_path),
    ):
        pass
    assert tmp_path.is_dir()


def test_the_error_for_a_read_only_folder_names_the_path(tmp_path, monkeypatch) -> None:
    def deny(self, *arguments):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", deny)
    path = tmp_path / "a"
    with (
        pytest.raises(PermissionError, match=rf"Permission denied: '{path}'$"),
        write_atomically(path),
    ):
        pass


@pytest.mark.parametrize("path", [3, None, ["a"], b"a"])
def test_values_that_are_not_paths_are_refused(path) -> None:
    with pytest.raises(TypeError, match=r"^save: path must be a str or an os.PathLike, got "):
        as_path(path, "save")
