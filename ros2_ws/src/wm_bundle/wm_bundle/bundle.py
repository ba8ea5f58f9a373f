"""A bundle on disk: ``bundle.json``, four ONNX files and a self-check, written atomically and read with all checks."""

import json
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from wm_bundle.files import replacing_folder, sha256_of
from wm_bundle.manifest import BUNDLE_FILES, SELF_CHECK_FILE, BundleManifest, FileSpec


class BundleError(ValueError):
    """A bundle that cannot be used, and why."""


@dataclass(frozen=True)
class Bundle:
    """A checked bundle: its folder and manifest (``bundle.json``)."""

    path: Path
    manifest: BundleManifest

    def file(self, name: str) -> Path:
        """Absolute path of one of the bundle's files."""
        return self.path / name


def load_bundle(path: str | os.PathLike) -> Bundle:
    """Read a bundle and check every file against its checksum.

    Raises BundleError when the folder, ``bundle.json`` or a file is missing, damaged or of another format version.
    """
    folder = Path(path).expanduser().resolve()
    if not folder.is_dir():
        raise BundleError(
            f"no bundle at {folder}: expected a folder with bundle.json and {', '.join(BUNDLE_FILES)}; "
            f"make one with `ros2 run wm_training export`"
        )
    manifest_file = folder / "bundle.json"
    try:
        values = json.loads(manifest_file.read_text(encoding="utf-8"))
        manifest = BundleManifest.from_json(values)
    except FileNotFoundError:
        raise BundleError(
            f"{folder} has no bundle.json: it is not a bundle; make one with `ros2 run wm_training export`"
        ) from None
    except (OSError, ValueError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise BundleError(f"{manifest_file} cannot be used: {error}; export the bundle again") from None
    needed = BUNDLE_FILES if manifest.self_check is None else (*BUNDLE_FILES, SELF_CHECK_FILE)
    unlisted = [name for name in needed if name not in manifest.files]
    if unlisted:
        raise BundleError(f"{manifest_file} lists no checksum of {', '.join(unlisted)}; export the bundle again")
    for name, expected in manifest.files.items():
        _check_file(folder, name, expected)
    return Bundle(folder, manifest)


def _check_file(folder: Path, name: str, expected: FileSpec) -> None:
    if Path(name).name != name:
        raise BundleError(f"{folder / 'bundle.json'} names the file '{name}': expected a plain name without a folder")
    file = folder / name
    if not file.is_file():
        raise BundleError(f"bundle file {file} is missing; export or copy the bundle again")
    found = sha256_of(file)
    if found != expected.sha256:
        raise BundleError(
            f"bundle file {file} is damaged or was changed: sha256 is {found[:16]}… of "
            f"{file.stat().st_size} bytes, bundle.json expects {expected.sha256[:16]}… of "
            f"{expected.bytes} bytes; export or copy the bundle again"
        )


def check_destination(destination: str | os.PathLike) -> Path:
    """The resolved folder to write a bundle to: a bundle, empty or missing; BundleError for anything else."""
    folder = Path(destination).expanduser().resolve()
    if folder.exists() and not (folder / "bundle.json").is_file():
        if not folder.is_dir() or any(folder.iterdir()):
            raise BundleError(f"{folder} exists and is not a bundle: choose another destination")
    return folder


def write_bundle(destination: str | os.PathLike, manifest: BundleManifest, sources: dict[str, Path]) -> Bundle:
    """Write a bundle from ready ONNX files: into a temporary folder first, then one rename.

    ``manifest.files`` is filled in here from ``sources`` (name → file). An existing bundle at the destination is
    replaced only when the new one is complete; a folder that is not a bundle is never replaced.
    """
    folder = check_destination(destination)
    with replacing_folder(folder) as fresh:
        for name, source in sources.items():
            shutil.copyfile(source, fresh / name)
        files = {name: FileSpec(sha256_of(fresh / name), (fresh / name).stat().st_size) for name in sources}
        complete = replace(manifest, files=files)
        text = json.dumps(complete.to_json(), indent=1, sort_keys=True, allow_nan=False) + "\n"
        (fresh / "bundle.json").write_text(text, encoding="utf-8")
    return load_bundle(folder)
