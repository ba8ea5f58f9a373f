"""Episodes with the columns of a route."""

from dataclasses import replace

import numpy as np
from make_episodes import META, make_episode
from wm_bundle.vector_inputs import VECTOR_INPUTS
from wm_data.episodes import Episode
from wm_data.routes.driven import DrivenPath, integrated
from wm_data.routes.following import ROUTE_INPUTS, follow
from wm_data.routes.hindsight import hindsight_legs

ROWS = 200


WAVES = 0.5 * np.sin(np.arange(ROWS) / 15.0)  # [rad/s] turns to both sides


def routed(turns=WAVES, noise_m: float = 0.5, seed: int = 0) -> Episode:
    """An episode at 6 m/s, of 10 Hz, whose route is made in hindsight; ``turns`` (ROWS,) are its yaw rates."""
    stamps = np.arange(ROWS) * 100_000_000
    poses = integrated(stamps, np.full(ROWS, 6.0), np.asarray(turns, float)[1:])
    poses, legs = hindsight_legs(DrivenPath(stamps, poses), stamps, None, noise_m, seed)
    values = follow(legs, poses).values
    episode = make_episode(ROWS, seed=seed)
    columns = np.stack([values[name] for name in ROUTE_INPUTS], axis=1).astype(np.float32)
    told = [*META["vector"], *({**VECTOR_INPUTS[name].told, "gaps": True} for name in ROUTE_INPUTS)]
    meta = {**episode.meta, "vector": told, "route": {"source": "hindsight"}}
    return replace(episode, vector=np.hstack([episode.vector, columns]), meta=meta)
