"""What training and driving must agree on: actions, image preprocessing and model bundles."""

from wm_bundle.actions import ACTION_HIGH, ACTION_LOW, ACTION_NAMES, from_command, to_command
from wm_bundle.bundle import Bundle, BundleError, check_destination, load_bundle, write_bundle
from wm_bundle.compressed import COMPRESSIONS, ImageError, compressed_encoding, decompress_image
from wm_bundle.images import ENCODINGS, ImagePreprocessor, decode_image
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
