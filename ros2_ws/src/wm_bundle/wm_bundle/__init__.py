"""What training and driving must agree on: actions, image preprocessing and model bundles."""

import importlib

from wm_bundle.actions import ACTION_HIGH, ACTION_LOW, ACTION_NAMES, from_command, to_command
from wm_bundle.bundle import Bundle, BundleError, check_destination, load_bundle, write_bundle
from wm_bundle.manifest import (
    BUNDLE_FILES,
    FORMAT_VERSION,
    BundleManifest,
    CameraSpec,
    Estimate,
    FileSpec,
    ImageSpec,
    LatentSpec,
    OpenLoopScores,
    SelfCheckSpec,
    VectorSpec,
)

__all__ = [
    "ACTION_HIGH",
    "ACTION_LOW",
    "ACTION_NAMES",
    "BUNDLE_FILES",
    "COMPRESSIONS",
    "ENCODINGS",
    "FORMAT_VERSION",
    "Bundle",
    "BundleError",
    "BundleManifest",
    "CameraSpec",
    "Estimate",
    "FileSpec",
    "ImageError",
    "ImagePreprocessor",
    "ImageSpec",
    "LatentSpec",
    "OpenLoopScores",
    "SelfCheckSpec",
    "VectorSpec",
    "check_destination",
    "compressed_encoding",
    "decode_image",
    "decompress_image",
    "from_command",
    "load_bundle",
    "to_command",
    "write_bundle",
]

# Modules that need OpenCV or Pillow, which ROS's own Python, used for launch files, may lack.
_LATER = {
    **dict.fromkeys(("COMPRESSIONS", "ImageError", "compressed_encoding", "decompress_image"), "pictures.compressed"),
    **dict.fromkeys(("ENCODINGS", "ImagePreprocessor", "decode_image"), "pictures.images"),
}


def __getattr__(name: str):
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
