"""The cameras of a bundle or a policy, from the episodes."""

from wm_bundle import CameraSpec
from wm_data.episodes import EpisodeError


def cameras_of_meta(meta: dict) -> tuple:
    """CameraSpecs from the episodes' ``meta["cameras"]``: so that the planner prepares pictures in the same way.

    Raises EpisodeError where it lacks them.
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
