"""What was driven is never lost, never driven twice, and never mixed with another benchmark's."""

import json

import pytest
from wm_tools.benchmark.store import FILE_NAME, EpisodeStore
from wm_tools.common.errors import DriveError

SETTINGS = {"seeds": [1, 2], "max_steps": None}


def stored(folder, *episodes: dict) -> None:
    with EpisodeStore(folder, SETTINGS, resume=False) as store:
        for episode in episodes:
            store.append(episode)


def test_episodes_are_found_again(tmp_path):
    stored(tmp_path, {"score": 1.5}, {"score": None})
    with EpisodeStore(tmp_path, SETTINGS, resume=True) as store:
        assert store.episodes == [{"score": 1.5}, {"score": None}]
        store.append({"score": 2.0})
    assert [json.loads(line) for line in (tmp_path / FILE_NAME).read_text().splitlines()[1:]] == store.episodes


def test_a_line_that_was_being_written_is_dropped(tmp_path):
    stored(tmp_path, {"score": 1.5})
    with open(tmp_path / FILE_NAME, "ab") as stream:
        stream.write(b'{"score": 9')
    with EpisodeStore(tmp_path, SETTINGS, resume=True) as store:
        assert store.episodes == [{"score": 1.5}]
        store.append({"score": 2.0})
    with EpisodeStore(tmp_path, SETTINGS, resume=True) as store:
        assert store.episodes == [{"score": 1.5}, {"score": 2.0}]


def test_a_benchmark_is_not_overwritten(tmp_path):
    stored(tmp_path, {"score": 1.5})
    with pytest.raises(DriveError, match="already holds a benchmark.*--resume"):
        EpisodeStore(tmp_path, SETTINGS, resume=False)


def test_other_settings_are_refused_by_name(tmp_path):
    stored(tmp_path)
    named = r"seeds was \[1, 2\] and is now \[1, 2, 3\]; max_steps was not set and is now 5"
    with pytest.raises(DriveError, match=named):
        EpisodeStore(tmp_path, {"seeds": [1, 2, 3], "max_steps": 5}, resume=True)


def test_two_benchmarks_do_not_write_to_the_same_file(tmp_path):
    with EpisodeStore(tmp_path, SETTINGS, resume=False):
        with pytest.raises(DriveError, match="another benchmark is writing"):
            EpisodeStore(tmp_path, SETTINGS, resume=True)


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / FILE_NAME).write_text("not json\n")
    with pytest.raises(DriveError, match="episodes.jsonl is damaged"):
        EpisodeStore(tmp_path, SETTINGS, resume=True)


def test_a_number_that_is_not_finite_is_not_written(tmp_path):
    with EpisodeStore(tmp_path, SETTINGS, resume=False) as store:
        with pytest.raises(ValueError):
            store.append({"score": float("nan")})
        assert store.episodes == []
