"""`inspect`: what it says of good, strange and damaged folders of episodes."""

import json
import re
import tracemalloc
from dataclasses import replace

import cv2
import numpy as np
import pytest
from browser import browser, check_report  # noqa: F401
from make_episodes import META, make_episode, make_folder
from wm_data.episodes import find_episodes, write_episode
from wm_data.imagined import drive_hash
from wm_data.inspection import facts
from wm_data.inspection.findings import gaps
from wm_data.inspection.histogram import Histogram
from wm_data.inspection.survey import survey, thumbnail
from wm_data.splits import split_files
from wm_training.commands import inspect_dataset


def inspect(folder, tmp_path, *flags):
    """Exit code and page, without what says how cells are aligned."""
    page = tmp_path / "page" / "inspect.html"
    code = inspect_dataset.main([str(folder), "--output", str(page), *flags])
    return code, re.sub(r' class="(long|number)"', "", page.read_text(encoding="utf-8")) if page.is_file() else None


def findings_of(tmp_path, **change):
    """What is said of one episode that differs from a good one."""
    folder = tmp_path / "episodes"
    write_episode(folder / "one.npz", replace(make_episode(60), **change))
    return survey({folder / "one.npz": "train"}, 0).episodes[0].findings


def test_a_sound_folder_is_summed_up_and_nothing_is_suspicious(tmp_path, capsys):
    folder = make_folder(tmp_path / "episodes", count=10, rows=60)
    code, page = inspect(folder, tmp_path)
    out = capsys.readouterr().out
    assert code == 0
    assert "nothing suspicious" in page
    # 10 episodes of 60 rows at 12.5 Hz: 600 rows, 48 s; one episode in ten validates.
    for line in (
        r"rows +600",
        r"driving +48 s",
        r"rate +12\.5 Hz",
        r"cameras +rgb_front",
        r"picture +64 x 64 px",
        r"vector +speed",
        r"reward +step_result",
        r"splits +train \(9\); val \(1\)",
        r"longest gap +none",
    ):
        assert re.search(line, out), line
    assert page.count('<tr><th scope="row">episode_0000') == 10
    # Three pictures of each episode and the contact sheet, all inside the page: it names nothing outside.
    assert page.count("data:image/jpeg;base64,") == 31
    assert not re.search(r'(src|href)="(?!data:)', page.replace('href="#', ""))


def test_a_reader_finds_all_plots(browser, tmp_path, capsys):  # noqa: F811
    folder = make_folder(tmp_path / "episodes", count=3, rows=60)
    inspect(folder, tmp_path)
    # Steer, throttle, brake, reward and speed.
    check_report(browser, tmp_path / "page" / "inspect.html", charts=5)


def test_the_split_is_that_of_the_trainer(tmp_path, capsys):
    folder = make_folder(tmp_path / "episodes", count=6, rows=60)
    _, page = inspect(folder, tmp_path, "--validation-share", "0.34")
    shown = dict(re.findall(r"(episode_\d+\.npz)</th>.*?<td>(train|val)</td>", page))
    assert {name for name, split in shown.items() if split == "val"} == {
        file.name for file in split_files(folder, 0.34, "val")
    }
    assert len(shown) == 6


def test_folders_of_train_and_val_are_told_apart_and_a_copy_in_both_is_found(tmp_path, capsys):
    for split, count in (("train", 3), ("val", 1)):
        make_folder(tmp_path / "episodes" / split, count=count, rows=60)
    code, page = inspect(tmp_path / "episodes", tmp_path)
    assert code == 0
    assert re.search(r"splits +train \(3\); val \(1\)", capsys.readouterr().out)
    assert "train/episode_000000.npz</th><td>the same as val/episode_000000.npz</td>" in page


def test_imagined_episodes_are_counted_and_those_in_the_wrong_place_are_told(tmp_path, capsys):
    def imagined(source):
        told = {"imagined": True, "imagination": {"source_hash": drive_hash(source)}}
        return replace(make_episode(20, seed=9), meta={**META, **told})

    folder = make_folder(tmp_path / "episodes", count=4, rows=60)
    for seed in (0, 3):  # episode 3 validates
        write_episode(folder / f"from_{seed}.npz", imagined(make_episode(60, seed=seed)))
    _, page = inspect(folder, tmp_path, "--validation-share", "0.25")
    assert re.search(r"imagined +2 of 6 episodes, 40 of 280 rows", capsys.readouterr().out)
    shown = dict(re.findall(r"(from_\d\.npz)</th>.*?<td>(train|val|left out)</td>", page))
    assert shown == {"from_0.npz": "train", "from_3.npz": "left out"}

    make_folder(tmp_path / "split" / "train", count=2, rows=60)
    write_episode(tmp_path / "split" / "val" / "dream.npz", imagined(make_episode(60)))
    _, page = inspect(tmp_path / "split", tmp_path)
    assert "val/dream.npz</th><td>imagined, and validates: training refuses it</td>" in page


def test_damaged_files_are_listed_with_the_reason_and_the_others_shown(tmp_path, capsys):
    folder = make_folder(tmp_path / "episodes", count=3, rows=60)
    whole = (folder / "episode_000000.npz").read_bytes()
    (folder / "cut.npz").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.npz").write_bytes(b"")
    episode = make_episode(10)
    arrays = {"observations": episode.observations, "rewards": episode.rewards, "dones": episode.dones}
    np.savez(folder / "pickle.npz", actions=np.array([{}], object), **arrays)
    np.savez(folder / "nan.npz", actions=np.full((10, 3), np.nan, np.float32), **arrays)
    code, page = inspect(folder, tmp_path)
    captured = capsys.readouterr()
    assert code == 3
    assert "4 of 7 files cannot be read" in captured.err and "Traceback" not in captured.err
    for name, reason in (
        ("cut", "truncated or damaged"),
        ("empty", "truncated or damaged"),
        ("pickle", "Python objects"),
        ("nan", "not finite"),
    ):
        assert re.search(rf">{name}\.npz</th><td>cannot be read: .*{reason}", page), name
    assert page.count('<tr><th scope="row">episode_0000') == 3


def test_a_folder_of_nothing_but_damaged_files_still_gives_a_page(tmp_path, capsys):
    (tmp_path / "episodes").mkdir()
    (tmp_path / "episodes" / "empty.npz").write_bytes(b"")
    code, page = inspect(tmp_path / "episodes", tmp_path)
    assert code == 1 and "0 episodes" in page and "empty.npz" in page


@pytest.mark.parametrize("folder", ["missing", "empty"])
def test_a_folder_without_episodes_is_one_line(tmp_path, capsys, folder):
    (tmp_path / "empty").mkdir()
    code, page = inspect(tmp_path / folder, tmp_path)
    assert code == 1 and page is None
    assert re.fullmatch(r"inspect: .*\n", capsys.readouterr().err)


def test_seed_files_compressed_or_not_are_shown(tmp_path, capsys):
    folder = tmp_path / "episodes"
    folder.mkdir()
    for name, save in (("a", np.savez), ("b", np.savez_compressed)):
        episode = make_episode(60, seed=ord(name))
        save(
            folder / f"{name}.npz",
            observations=episode.observations,
            actions=episode.actions,
            rewards=episode.rewards,
            dones=episode.dones,
        )
    code, page = inspect(folder, tmp_path)
    out = capsys.readouterr().out
    assert code == 0
    assert "memory-mapped (1); compressed (1)" in out and re.search(r"rate +not told", out)
    assert "is not known" in out and "nothing suspicious" in page


def test_text_of_files_is_escaped(tmp_path, capsys):
    folder = tmp_path / "a <b>folder"
    meta = {**META, "reward": "<script>alert(1)</script> [bold]"}
    write_episode(folder / "<img src=x>.npz", replace(make_episode(60), meta=meta))
    code, page = inspect(folder, tmp_path)
    assert code == 0
    assert "<script>alert" not in page and "<img src=x>" not in page and "<b>folder" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; [bold]" in page
    assert "</script> [bold]" in capsys.readouterr().out


def test_names_that_no_text_can_hold_are_shown_all_the_same(tmp_path, capsys):
    meta = {**META, "reward": "half \ud800", "vector": [{"name": "\udfff"}], "cameras": [{"name": ["odd"]}]}
    write_episode(tmp_path / "episodes" / "one.npz", replace(make_episode(60), meta=meta))
    code, page = inspect(tmp_path / "episodes", tmp_path)
    assert code == 0 and "half ?" in page and "half ?" in capsys.readouterr().out


def test_copies_are_found_under_another_name_and_compression(tmp_path):
    folder = make_folder(tmp_path / "episodes", count=3, rows=60)
    with np.load(folder / "episode_000001.npz", allow_pickle=False) as arrays:
        np.savez_compressed(folder / "other.npz", **arrays)
    found = survey(dict.fromkeys(find_episodes(folder), "train"), 0)
    assert found.duplicates == [("episode_000001.npz", "other.npz")]
    assert ("episode_000001.npz", "the same as other.npz") in facts.problems(found, 50)


def test_strange_content_is_named(tmp_path):
    good = make_episode(60)
    assert findings_of(tmp_path) == []
    assert findings_of(tmp_path, actions=np.zeros((60, 3), np.float32)) == ["all actions are zero"]
    black = findings_of(tmp_path, observations=np.zeros_like(good.observations))
    assert black == ["the picture never changes (all 16 looked at)", "16 of 16 pictures looked at are of one colour"]
    [outside] = findings_of(tmp_path, actions=good.actions * np.float32([1, 3, 1]))
    assert outside.startswith("actions out of range: 60") and "throttle 1.5 to 1.5" in outside
    [both] = findings_of(tmp_path, actions=good.actions + np.float32([0, 0, 0.2]))
    assert both == "throttle and brake act together in 100.0% of the rows"
    assert findings_of(tmp_path, rewards=np.zeros(60, np.float32)) == ["the reward is always 0"]
    assert findings_of(tmp_path, vector=np.zeros((60, 1), np.float32)) == ["the speed is always zero"]
    stamps = good.stamps_ns.copy()
    stamps[30:] += 500_000_000  # 80 ms + 500 ms = 0.58 s
    assert findings_of(tmp_path, stamps_ns=stamps) == ["gaps: 1, the longest 0.58 s after row 29"]
    stamps = good.stamps_ns.copy()
    stamps[7] = stamps[6]
    assert findings_of(tmp_path, stamps_ns=stamps)[0] == "stamps that repeat or go backwards: 1"
    assert findings_of(tmp_path, stamps_ns=good.stamps_ns * 2) == ["meta says 12.5 Hz, the stamps 6.25 Hz"]
    dones = good.dones.copy()
    dones[29] = True
    [inner] = findings_of(tmp_path, dones=dones)
    assert inner.startswith("rows before the last that are marked done") and inner.endswith(": 1")


def test_episodes_that_training_would_refuse_together_are_told(tmp_path):
    folder = make_folder(tmp_path / "episodes", count=2, rows=60)
    write_episode(folder / "small.npz", make_episode(60, seed=7, size=32))
    write_episode(folder / "slow.npz", replace(make_episode(20, seed=8), meta={**META, "rate_hz": 5.0}))
    told = [text for _, text in facts.problems(survey(dict.fromkeys(find_episodes(folder), "train"), 0), 50)]
    assert any("differ in picture size" in text and "64 x 64 px (3); 32 x 32 px (1)" in text for text in told)
    assert any("differ in rate" in text and "5 Hz (1)" in text for text in told)
    assert any("1 episode of fewer than 50 rows" in text for text in told)


def test_reward_terms_are_shown_and_where_they_are_not_known(tmp_path, capsys):
    terms = np.linspace(-1, 1, 120, dtype=np.float32).reshape(60, 2)
    terms[:, 1] = np.nan
    meta = {**META, "reward_terms": ["efficiency", "collision"]}
    write_episode(tmp_path / "episodes" / "one.npz", replace(make_episode(60), reward_terms=terms, meta=meta))
    _, page = inspect(tmp_path / "episodes", tmp_path)
    assert "efficiency: mean" in page
    assert "collision (not known in 60 rows): not known anywhere" in page
    assert re.search(r"collision +not known", capsys.readouterr().out)


def test_what_the_conversion_left_out_is_shown(tmp_path, capsys):
    folder = make_folder(tmp_path / "episodes", count=1, rows=60)
    report = {
        "drives": [
            {"name": "a", "error": None, "skipped": {"picture damaged": 3}},
            {"name": "b", "error": "no <pictures>", "skipped": {"picture damaged": 2}},
        ]
    }
    (folder / "report.json").write_text(json.dumps(report))
    code, page = inspect(folder, tmp_path)
    assert code == 0
    assert re.search(r"picture damaged +5", capsys.readouterr().out)
    assert "no &lt;pictures&gt;" in page
    (folder / "report.json").write_text('{"drives": 3}')
    code, page = inspect(folder, tmp_path)
    assert code == 0 and "report.json</th><td>cannot be read" in page


def test_damage_of_any_kind_is_a_reason_and_never_a_traceback(tmp_path):
    episode = make_episode(12, size=8)
    write_episode(tmp_path / "plain.npz", episode)
    np.savez_compressed(
        tmp_path / "compressed.npz",
        observations=episode.observations,
        actions=episode.actions,
        rewards=episode.rewards,
        dones=episode.dones,
    )
    random = np.random.default_rng(0)
    file, unreadable = tmp_path / "damaged.npz", 0
    for _ in range(200):
        data = bytearray((tmp_path / random.choice(["plain.npz", "compressed.npz"])).read_bytes())
        for place in random.integers(0, len(data), random.integers(1, 8)):
            data[place] = random.integers(256)
        file.write_bytes(data[: random.integers(len(data))] if random.random() < 0.2 else data)
        found = survey({file: "train"}, 1)
        assert len(found.episodes) + len(found.unreadable) == 1
        unreadable += len(found.unreadable)
    assert 50 < unreadable < 200


def test_gaps_are_the_times_over_one_and_a_half_periods_the_longest_first():
    # Steps of 100 ms, one of 140 ms (no gap), one of 190 ms, one of 1 s. Without the last one their mean is 119 ms.
    stamps = np.cumsum([0, 100, 100, 140, 190, 100, 1000, 100, 100]) * 1_000_000
    assert gaps(stamps) == [(5, 1.0), (3, 0.19)]


def test_rows_chosen_from_pictures_of_another_rate_are_at_their_own_rate(tmp_path):
    # 5 Hz out of 12.5 Hz: every second and every third picture in turns, 160 and 240 ms, are 200 ms on average.
    stamps = np.cumsum([0, *[160_000_000, 240_000_000] * 30])[:60]
    assert findings_of(tmp_path, stamps_ns=stamps, meta={**META, "rate_hz": 5.0}) == []


def test_histograms_count_every_number_whatever_its_size():
    random = np.random.default_rng(0)
    parts = [random.normal(size=1000) * scale for scale in (1e-9, 1.0, 50.0, 3e7)]
    histogram = Histogram()
    for part in parts:
        histogram.add(np.append(part, [np.nan, np.inf]))
    whole = np.concatenate(parts)
    assert histogram.count == 4000
    assert (histogram.low, histogram.high) == (whole.min(), whole.max())
    assert histogram.mean == pytest.approx(whole.mean())
    edges, counts = histogram.bars()
    assert len(counts) <= 60 and counts.sum() == 4000
    assert edges[0] <= whole.min() < edges[1] and edges[-2] <= whole.max() < edges[-1]
    assert np.array_equal(np.histogram(whole, edges)[0], counts)


def test_thumbnails_show_the_cameras_side_by_side_in_their_colours():
    picture = np.zeros((6, 200, 200), np.uint8)
    picture[0], picture[5] = 255, 255  # the first camera sees red, the second blue
    shown = cv2.imdecode(np.frombuffer(thumbnail(picture), np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape == (96, 192, 3)
    assert np.allclose(shown[48, 48], [0, 0, 255], atol=12) and np.allclose(shown[48, 144], [255, 0, 0], atol=12)


def test_memory_does_not_grow_with_the_number_of_episodes(tmp_path):
    folder = make_folder(tmp_path / "episodes", count=12, rows=100)  # 14.7 MB of pictures
    files = dict.fromkeys(find_episodes(folder), "train")
    survey(dict(list(files.items())[:1]), 0)
    tracemalloc.start()
    survey(files, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5e6  # the sixteen pictures of an episode are 0.2 MB, those of all 12 episodes 2.4 MB
