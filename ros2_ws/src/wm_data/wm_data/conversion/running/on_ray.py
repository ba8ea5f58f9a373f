"""Conversion on a Ray cluster: one task per drive. Sources and destination must be reachable from every node."""

from collections.abc import Iterator
from typing import NoReturn

from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.drive import DriveRef
from wm_data.errors import ConversionError
from wm_data.ray_cluster import ClusterError, results_on_ray


def convert_on_ray(todo: list[DriveRef], options: ConvertOptions) -> Iterator[dict]:
    """The records of the drives, in the order of completion; ``options.workers`` of them at a time.

    Raises ConversionError where Ray is not installed or not reachable, and OSError where the destination cannot be
    written."""
    try:
        yield from results_on_ray(_convert, todo, options, options.workers, _lost)
    except ClusterError as error:
        raise ConversionError(str(error)) from None


def _lost(ref: DriveRef, reason: str) -> NoReturn:
    raise ConversionError(f"{ref.name}: {reason}: continue with --resume")


def _convert(ref: DriveRef, options: ConvertOptions) -> dict:
    from wm_data.conversion.running.unit import convert_unit

    return convert_unit(ref, options)
