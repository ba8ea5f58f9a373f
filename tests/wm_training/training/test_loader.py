import threading
import time

import pytest
import torch
from tiny_training import TINY, tiny_config
from wm_training import SequenceDataset
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.errors import TrainingError
from wm_training.model.noise import draw_noise
from wm_training.training import loader
from wm_training.training.loader import Prefetch, Sample

CPU = torch.device("cpu")


def reader(folder, delay_s: float = 0.0):
    """Reads small real batches, slowly."""
    config = tiny_config(folder)
    data = SequenceDataset(config.data_path, config)

    def read(step: int) -> Sample:
        time.sleep(delay_s)
        return Sample(step, data.batch(0, step), draw_noise(config, 4, 8, 1, 0, step))

    return read


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_samples_come_in_order_and_whole_however_many_are_read_ahead(tmp_path, ahead):
    read = reader(tmp_path)
    with Prefetch(read, range(3, 9), ahead, CPU) as samples:
        found = list(samples)
    assert [sample.step for sample in found] == list(range(3, 9))
    for sample in found:
        expected = read(sample.step)
        assert all(torch.equal(a, b) for a, b in zip(sample.batch, expected.batch, strict=True))
        assert all(torch.equal(a, b) for a, b in zip(sample.noise, expected.noise, strict=True))
    assert found[0].batch.image.dtype == torch.uint8


def test_reading_goes_on_while_the_loop_works_and_only_waiting_counts(tmp_path):
    waited = {}
    for ahead in (0, 2):
        with Prefetch(reader(tmp_path, delay_s=0.03), range(8), ahead, CPU) as samples:
            for _ in samples:
                time.sleep(0.05)
        waited[ahead] = samples.waited_s
    assert waited[0] > 8 * 0.03  # reads of 0.03 s, one after the other
    assert waited[2] < 0.5 * waited[0]


def test_no_more_is_read_ahead_than_asked_for(tmp_path):
    read, steps = reader(tmp_path), []

    def noted(step: int) -> Sample:
        steps.append(step)
        return read(step)

    with Prefetch(noted, range(100), 2, CPU) as samples:
        next(iter(samples))
        time.sleep(0.3)
        assert steps == [0, 1, 2]


def test_what_goes_wrong_in_the_thread_is_raised_in_the_loop(tmp_path):
    read = reader(tmp_path)

    def failing(step: int) -> Sample:
        if step == 2:
            raise OSError("the disk is gone")
        return read(step)

    seen = []
    with pytest.raises(OSError, match="the disk is gone"), Prefetch(failing, range(5), 1, CPU) as samples:
        for sample in samples:
            seen.append(sample.step)
    assert seen == [0, 1]


def test_the_thread_ends_with_the_loop(tmp_path):
    with Prefetch(reader(tmp_path, delay_s=0.05), range(1000), 4, CPU) as samples:
        for sample in samples:
            if sample.step == 1:
                break
    deadline = time.monotonic() + 5
    while any(thread.name.startswith("prefetch") for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_data_that_never_comes_is_an_error_and_not_a_hang(tmp_path, monkeypatch):
    monkeypatch.setattr(loader, "READ_DEADLINE_S", 0.2)
    monkeypatch.setattr(loader, "CLOSE_DEADLINE_S", 0.1)
    released = threading.Event()
    with pytest.raises(TrainingError, match="no data for .* file system"):
        with Prefetch(lambda step: released.wait(20), range(3), 1, CPU) as samples:
            next(iter(samples))
    released.set()


def test_the_defaults_read_ahead():
    assert WorldModelTrainConfig().prefetch_batches > 0 and "prefetch_batches" not in TINY
