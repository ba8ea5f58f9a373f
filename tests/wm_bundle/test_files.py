import os

import pytest
from wm_bundle.files import open_regular, replacing, write_text


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    file = tmp_path / "new" / "file"
    write_text(file, "old ü")
    with pytest.raises(RuntimeError), replacing(file) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert file.read_text(encoding="utf-8") == "old ü"
    assert [entry.name for entry in file.parent.iterdir()] == ["file"]


def test_the_file_is_there_only_after_the_block(tmp_path):
    with replacing(tmp_path / "file") as partial:
        partial.write_bytes(b"whole")
        assert not (tmp_path / "file").exists()
    assert (tmp_path / "file").read_bytes() == b"whole"


def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):
    file = tmp_path / "report.html"
    write_text(file, "old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_text(file, "new")
    assert file.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_only_regular_files_are_opened_and_a_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("text ü", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for place in (tmp_path / "pipe", tmp_path, "/dev/null"):
        with pytest.raises(OSError, match="not a regular file"):
            open_regular(place)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "missing")
    for name in ("file", "link"):
        with open_regular(tmp_path / name, encoding="utf-8") as stream:
            assert stream.read() == "text ü"
