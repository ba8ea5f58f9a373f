"""The exit codes of the commands that convert: one table for all, as docs/conversion.md has it."""

import shutil

import fixtures_kitti
import pytest
from make_episodes import make_folder
from wm_training.commands import convert, inspect_dataset, to_bag, to_lerobot

DONE, ERROR, USAGE, PARTLY, STOPPED = 0, 1, 2, 3, 130
FAST = ("--image-size", "16", "--min-rows", "3")


def code_of(main, *arguments) -> int:
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return stop.code


@pytest.fixture
def kitti(tmp_path):
    """Three drives."""
    for number in (1, 2, 3):
        fixtures_kitti.write_drive(tmp_path / "kitti", frames=6, number=number)
    return tmp_path / "kitti"


@pytest.fixture
def episodes(tmp_path):
    return make_folder(tmp_path / "episodes", count=3, rows=20)


def damage(kitti, *numbers: int) -> None:
    for number in numbers:
        (drive,) = kitti.glob(f"*/*_{number:04d}_sync")
        shutil.rmtree(drive / "image_02" / "data")


@pytest.mark.parametrize(
    ("damaged", "code", "files"), [((), DONE, 3), ((2,), PARTLY, 2), ((1, 3), PARTLY, 1), ((1, 2, 3), ERROR, 0)]
)
def test_convert_tells_all_some_and_none_apart_however_many_failed(kitti, tmp_path, capsys, damaged, code, files):
    damage(kitti, *damaged)
    assert code_of(convert.main, "kitti", kitti, tmp_path / "out", *FAST) == code
    assert len(list((tmp_path / "out").glob("*.npz"))) == files
    assert ("failed" in capsys.readouterr().err) == bool(damaged)
    assert code_of(convert.main, "kitti", kitti, tmp_path / "out", *FAST, "--resume") == code


@pytest.mark.parametrize(("damaged", "code"), [(0, DONE), (1, PARTLY), (3, ERROR)])
def test_inspect_tells_all_some_and_none_apart(episodes, tmp_path, damaged, code):
    for file in sorted(episodes.glob("*.npz"))[:damaged]:
        file.write_bytes(b"no")
    page = tmp_path / "page.html"
    assert code_of(inspect_dataset.main, episodes, "--output", page) == code
    assert page.is_file()  # also of what cannot be read


def test_what_makes_one_thing_has_made_it_or_not(episodes, tmp_path):
    file = sorted(episodes.glob("*.npz"))[0]
    assert code_of(to_bag.main, file, tmp_path / "a.mcap") == DONE
    assert code_of(to_lerobot.main, episodes, tmp_path / "lerobot") == DONE
    file.write_bytes(b"no")
    assert code_of(to_bag.main, file, tmp_path / "b.mcap") == ERROR
    assert code_of(to_lerobot.main, episodes, tmp_path / "other") == ERROR
    assert not (tmp_path / "b.mcap").exists() and not (tmp_path / "other").exists()


def test_sources_that_are_not_there_are_errors_and_wrong_words_are_usage(tmp_path):
    nowhere, dest = tmp_path / "nowhere", tmp_path / "dest"
    for main, words in (
        (convert.main, ("kitti", nowhere, dest)),
        (inspect_dataset.main, (nowhere,)),
        (to_bag.main, (nowhere, dest)),
        (to_lerobot.main, (nowhere, dest)),
    ):
        assert code_of(main, *words) == ERROR
        assert code_of(main, *words, "--no-such-option") == USAGE
        assert code_of(main) == USAGE
        assert code_of(main, "--help") == DONE
    assert code_of(convert.main, "kitti", nowhere, dest, "--rate", "0") == USAGE
    assert code_of(inspect_dataset.main, nowhere, "--output", "page.txt") == USAGE
    assert code_of(to_bag.main, nowhere, dest, "--role_name", "a b") == USAGE
    assert code_of(to_lerobot.main, nowhere, dest, "--task", " ") == USAGE


def test_a_destination_that_cannot_be_written_is_an_error(kitti, episodes, tmp_path):
    (tmp_path / "file").write_text("")
    below = tmp_path / "file" / "dest"
    assert code_of(convert.main, "kitti", kitti, below, *FAST) == ERROR
    assert code_of(inspect_dataset.main, episodes, "--output", below.with_suffix(".html")) == ERROR
    assert code_of(to_bag.main, sorted(episodes.glob("*.npz"))[0], below) == ERROR
    assert code_of(to_lerobot.main, episodes, below) == ERROR


def test_ctrl_c_is_told_apart(kitti, tmp_path, monkeypatch):
    from wm_data.conversion.running import runner

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "convert_unit", stopped)
    assert code_of(convert.main, "kitti", kitti, tmp_path / "out", *FAST) == STOPPED
