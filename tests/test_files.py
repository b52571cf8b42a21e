"""Files are written completely or not at all."""

from pathlib import Path

import pytest

from jaxlayers._files import as_path, write_atomically


def test_a_file_has_its_name_only_after_the_block(tmp_path) -> None:
    path = tmp_path / "a.txt"
    with write_atomically(path) as file:
        file.write(b"all of it")
        assert not path.exists()
    assert path.read_bytes() == b"all of it"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_after_an_error_the_old_file_is_unchanged_and_nothing_else_is_left(tmp_path, error) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    with pytest.raises(type(error)), write_atomically(path) as file:
        file.write(b"new")
        raise error
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_has_the_permissions_of_any_other(tmp_path) -> None:
    (tmp_path / "other").touch()
    with write_atomically(tmp_path / "a"):
        pass
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_name_of_the_greatest_length_can_be_written(tmp_path) -> None:
    path = tmp_path / ("x" * 255)
    with write_atomically(path) as file:
        file.write(b"x")
    assert path.read_bytes() == b"x"


def test_a_missing_folder_is_named_with_the_path_as_it_was_given(tmp_path, monkeypatch) -> None:
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


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch) -> None:
    def denied(self, *arguments):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", denied)
    path = tmp_path / "a"
    with (
        pytest.raises(PermissionError, match=rf"Permission denied: '{path}'$"),
        write_atomically(path),
    ):
        pass


@pytest.mark.parametrize("path", [3, None, ["a"], b"a"])
def test_what_is_no_path_is_refused(path) -> None:
    with pytest.raises(TypeError, match=r"^save: path must be a str or an os.PathLike, got "):
        as_path(path, "save")
