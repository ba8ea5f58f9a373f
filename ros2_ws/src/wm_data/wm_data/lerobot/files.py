"""The files of a LeRobot dataset, format v3.0."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wm_data.episodes import Episode
from wm_data.lerobot.columns import PICTURES, Layout
from wm_data.lerobot.statistics import PixelCounts, Statistics, of_numbers

VERSION = "v3.0"
FILES_PER_CHUNK = 1000
DATA_FILE_MB = 100
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
_ROWS_AT_A_TIME = 256
_COMPRESSION = "snappy"


class DatasetWriter:
    """Writes episodes into a new folder; ``finish`` makes it a dataset."""

    def __init__(self, root: Path, layout: Layout, task: str, data_file_mb: float = DATA_FILE_MB):
        """``data_file_mb``: largest size of a file [MiB]."""
        self._root, self._layout, self._task = root, layout, task
        self._limit_bytes = data_file_mb * 2**20
        self._file = 0
        self._writer: pq.ParquetWriter | None = None
        self._bytes = 0
        self._rows = 0
        self._episodes: list[dict] = []
        self._columns: dict[str, list[np.ndarray]] = {}
        self._pixels: dict[str, PixelCounts] = {}

    def __enter__(self) -> "DatasetWriter":
        return self

    def __exit__(self, *error) -> None:
        self._close()

    def add(self, episode: Episode, source: str) -> None:
        rows, layout = len(episode), self._layout
        if self._writer is not None and self._bytes + rows * self._bytes / max(self._file_rows, 1) > self._limit_bytes:
            self._close()
            self._file += 1
        if self._writer is None:
            self._open()
        columns = layout.columns(episode, len(self._episodes), self._rows)
        pixels = {f"{PICTURES}{name}": PixelCounts() for name in layout.cameras}
        for first in range(0, rows, _ROWS_AT_A_TIME):
            part = slice(first, first + _ROWS_AT_A_TIME)
            self._writer.write_table(layout.table(columns, episode, part))
            for k, counts in enumerate(pixels.values()):
                counts.add(episode.observations[part, 3 * k : 3 * k + 3])
        self._bytes = self._path(self._file).stat().st_size
        self._file_rows += rows
        statistics = {name: counts.statistics() for name, counts in pixels.items()}
        for name, values in columns.items():
            found = of_numbers(values)
            if found is not None:
                statistics[name] = found
            self._columns.setdefault(name, []).append(values)
        for name, counts in pixels.items():
            self._pixels.setdefault(name, PixelCounts()).add_counts(counts)
        self._episodes.append(self._episode_row(rows, statistics, source, episode.meta))
        self._rows += rows

    def finish(self, splits: dict[str, str]) -> None:
        """Write the dataset's metadata. ``splits``: "first:end" of the episodes of each."""
        self._close()
        meta = self._root / "meta"
        meta.mkdir()
        self._write_episodes(meta)
        self._write_tasks(meta)
        statistics = {name: counts.statistics() for name, counts in self._pixels.items()}
        for name, parts in self._columns.items():
            found = of_numbers(np.concatenate(parts))
            if found is not None:
                statistics[name] = found
        _write_json(meta / "stats.json", statistics)
        rate = self._layout.rate_hz
        _write_json(
            meta / "info.json",
            {
                "codebase_version": VERSION,
                "robot_type": "car",
                "total_episodes": len(self._episodes),
                "total_frames": self._rows,
                "total_tasks": 1,
                "chunks_size": FILES_PER_CHUNK,
                "data_files_size_in_mb": DATA_FILE_MB,
                "video_files_size_in_mb": 200,
                "fps": int(rate) if rate == int(rate) else rate,
                "splits": splits,
                "data_path": DATA_PATH,
                "video_path": None,
                "features": self._layout.features,
            },
        )

    def _open(self) -> None:
        path = self._path(self._file)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(path, self._layout.schema, compression=_COMPRESSION)
        self._bytes = self._file_rows = 0

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _path(self, number: int) -> Path:
        chunk, file = divmod(number, FILES_PER_CHUNK)
        return self._root / DATA_PATH.format(chunk_index=chunk, file_index=file)

    def _episode_row(self, rows: int, statistics: dict[str, Statistics], source: str, meta: dict) -> dict:
        chunk, file = divmod(self._file, FILES_PER_CHUNK)
        row = {
            "episode_index": len(self._episodes),
            "tasks": [self._task],
            "length": rows,
            "data/chunk_index": chunk,
            "data/file_index": file,
            "dataset_from_index": self._rows,
            "dataset_to_index": self._rows + rows,
            "meta/episodes/chunk_index": 0,
            "meta/episodes/file_index": 0,
            "source_file": source,
            "source_meta": json.dumps(meta, sort_keys=True),
        }
        return row | {f"stats/{name}/{key}": value for name, kept in statistics.items() for key, value in kept.items()}

    def _write_episodes(self, meta: Path) -> None:
        path = meta / "episodes" / "chunk-000" / "file-000.parquet"
        path.parent.mkdir(parents=True)
        names = list(dict.fromkeys(name for row in self._episodes for name in row))
        table = pa.table({name: [row.get(name) for row in self._episodes] for name in names})
        pq.write_table(table, path, compression=_COMPRESSION)

    def _write_tasks(self, meta: Path) -> None:
        # LeRobot reads it with pandas and expects the tasks as the index, as in this metadata.
        index = {"name": "task", "field_name": "task", "pandas_type": "unicode", "numpy_type": "object"}
        number = {"name": "task_index", "field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64"}
        pandas = {
            "index_columns": ["task"],
            "column_indexes": [],
            "columns": [{**number, "metadata": None}, {**index, "metadata": None}],
            "pandas_version": "2.0.0",
        }
        schema = pa.schema([("task_index", pa.int64()), ("task", pa.string())], {"pandas": json.dumps(pandas)})
        table = pa.Table.from_pydict({"task_index": [0], "task": [self._task]}, schema=schema)
        pq.write_table(table, meta / "tasks.parquet", compression=_COMPRESSION)


def _write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=4), encoding="utf-8")
