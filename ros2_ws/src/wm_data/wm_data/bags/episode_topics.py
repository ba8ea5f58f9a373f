"""Topics that `to_bag` adds to those of CARLA's bridge, so that the episode can be read back unchanged."""

META_TOPIC = "/wm_training/episode_meta"
VECTOR_TOPIC = "/wm_training/vector"
TERMS_TOPIC = "/wm_training/reward_terms"
META_FORMAT = "wm_training/episode_bag"
META_VERSION = 1
