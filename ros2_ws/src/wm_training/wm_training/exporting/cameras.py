"""The cameras of a bundle or a policy, as the episodes tell them."""

from wm_bundle import CameraSpec
from wm_data.episodes import EpisodeError


def cameras_of_meta(meta: dict) -> tuple:
    """CameraSpecs from the episodes' ``meta["cameras"]``: the planner prepares pictures as they were prepared.

    Raises EpisodeError where it does not tell them.
    """
    try:
        return tuple(
            CameraSpec(
                camera["name"],
                camera["source_height"],
                camera["source_width"],
                tuple(camera["crop"]) if camera.get("crop") else None,
                camera.get("letterbox", False),
            )
            for camera in meta["cameras"]
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        told = f"{meta['cameras']!r}"[:200]
        raise EpisodeError(
            f"the episodes' meta has the cameras {told}, expected for each an object with name, source_height and "
            f"source_width ({type(error).__name__}: {error}): write the episodes again"
        ) from None
