"""Speed of conversion: mcap bags of 800 x 600 bgra8 to 64 px, compared with only reading, deserialising and resizing.

One process measures both alternately, with one thread, files in the page cache. The gain from two workers is measured
over many recordings, from the call to the last file, including the start of the workers' processes.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.children import child_main, run_child
from benchmarks.timing import Budget, median

_HEIGHT, _WIDTH, _SIZE = 600, 800, 64
_PERIOD_NS = 50_000_000
_FEWEST_RECORDINGS = 4
_VEHICLE = "/carla/ego_vehicle"


def measure(quick: bool, say: Callable[[str], None], budget: Budget) -> dict:
    """Megabytes of bag per second of our conversion and of only reading, their ratio, and the gain from two workers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frames = 20 if quick else 300
        say(f"convert: writing a bag of {frames} pictures")
        bag = _write_bag(folder / "bag", frames)
        settings = {"bag": str(bag), "folder": name, "turns": 9, "recordings": 24, "repetitions": 2}
        if quick:
            settings |= {"turns": 1, "recordings": 2, "repetitions": 1}
        found = run_child("benchmarks.convert", settings | {"budget_s": budget.left_s}, threads=1)
    if found.pop("shortened"):
        budget.shorten()
    return found


def _write_bag(folder: Path, frames: int) -> Path:
    """Write a bag like CARLA's with a status before each picture; returns its mcap file. Noise is the worst case."""
    from rosbags.rosbag2 import StoragePlugin, Writer
    from wm_bundle.times import NS_PER_S
    from wm_data.bags.message_types import jazzy_typestore, message_of

    store = jazzy_typestore()
    status_type, image_type = "carla_msgs/msg/CarlaEgoVehicleStatus", "sensor_msgs/msg/Image"
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (8, _HEIGHT * _WIDTH * 4), dtype=np.uint8)
    with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        status = writer.add_connection(f"{_VEHICLE}/vehicle_status", status_type, typestore=store)
        image = writer.add_connection(f"{_VEHICLE}/rgb_front/image", image_type, typestore=store)
        for frame in range(frames):
            stamp_ns = NS_PER_S + frame * _PERIOD_NS
            stamp = {"sec": stamp_ns // NS_PER_S, "nanosec": stamp_ns % NS_PER_S}
            header = {"stamp": stamp, "frame_id": "ego_vehicle/rgb_front"}
            control = {"header": header, "throttle": 0.5, "steer": random.uniform(-1, 1), "gear": 1}
            picture = {"height": _HEIGHT, "width": _WIDTH, "encoding": "bgra8", "step": 4 * _WIDTH}
            for connection, fields in (
                (status, {"velocity": 5.0, "orientation": {"w": 1.0}, "control": control}),
                (image, {**picture, "data": pictures[frame % len(pictures)]}),
            ):
                message = message_of(store, connection.msgtype, {"header": header, **fields})
                writer.write(connection, stamp_ns, store.serialize_cdr(message, connection.msgtype))
    return next(folder.glob("*.mcap"))


def _read_and_resize(bag: Path) -> None:
    """The minimum of any conversion."""
    import cv2
    from rosbags.highlevel import AnyReader

    with AnyReader([bag]) as reader:
        for connection, _, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            if connection.msgtype == "sensor_msgs/msg/Image":
                picture = message.data.reshape(message.height, message.width, 4)
                cv2.resize(picture, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA)


def _convert(source: Path, folder: Path, workers: int = 1) -> float:
    """Seconds of a conversion by the command."""
    from wm_data.conversion.convert_options import ConvertOptions
    from wm_data.conversion.running.runner import Conversion

    from benchmarks.errors import BenchmarkError

    with tempfile.TemporaryDirectory(dir=folder) as dest:
        started = time.perf_counter()
        conversion = Conversion(ConvertOptions("rosbag", str(source), dest, image_size=_SIZE, workers=workers))
        failed = []
        conversion.run(conversion.begin(), lambda record: failed.append(record["error"]))
        conversion.finish()
        seconds = time.perf_counter() - started
    if any(failed):
        raise BenchmarkError(f"a conversion failed: {next(error for error in failed if error)}")
    return seconds


def _in_turns(settings: dict, budget: Budget) -> dict:
    bag, folder = Path(settings["bag"]), Path(settings["folder"])
    megabytes = bag.stat().st_size / 1e6
    _read_and_resize(bag)  # into the page cache
    _convert(bag, folder)
    raw, ours = [], []
    for _ in budget.turns(settings["turns"]):
        started = time.perf_counter()
        _read_and_resize(bag)
        raw.append(time.perf_counter() - started)
        ours.append(_convert(bag, folder))
    return {
        "mb_per_s": round(megabytes / median(ours), 1),
        "raw_read_mb_per_s": round(megabytes / median(raw), 1),
        # Alternately, so that disturbances of the machine affect both.
        "share_of_raw_read": round(median([r / o for r, o in zip(raw, ours, strict=True)]), 3),
        "bag_mb": round(megabytes, 1),
        "peak_memory_mb": _peak_memory_mb(),
    }


def _peak_memory_mb() -> float:
    """Peak memory of this process. Not from getrusage, which starts with the parent's."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024, 1)


def _of_workers(settings: dict, budget: Budget, bag_s: float) -> dict:
    """``bag_s``: of the conversion of one bag; each recording is converted twice."""
    folder, count = Path(settings["folder"]), settings["recordings"]
    if budget.left_s < 2 * count * bag_s:
        budget.shorten()
        count = max(min(count, _FEWEST_RECORDINGS), int(budget.left_s / bag_s / 2))
    recordings = folder / "recordings"
    recordings.mkdir()
    for number in range(count):
        os.link(settings["bag"], recordings / f"drive{number:02d}.mcap")
    turns = budget.turns(settings["repetitions"])
    gains = [_convert(recordings, folder) / _convert(recordings, folder, workers=2) for _ in turns]
    return {"two_workers": round(median(gains), 2), "recordings": count}


def _child(settings: dict) -> dict:
    import cv2

    cv2.setNumThreads(1)
    budget = Budget(settings["budget_s"])
    found = _in_turns(settings, budget.share(0.3))
    found |= _of_workers(settings, budget, found["bag_mb"] / found["mb_per_s"])
    return found | {"shortened": budget.shortened}


if __name__ == "__main__":
    sys.exit(child_main(_child))
