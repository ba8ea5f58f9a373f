"""What `to_bag` adds to the topics of CARLA's bridge, so that the episode can be read back as it was."""

META_TOPIC = "/wm_training/episode_meta"
VECTOR_TOPIC = "/wm_training/vector"
TERMS_TOPIC = "/wm_training/reward_terms"
META_FORMAT = "wm_training/episode_bag"
META_VERSION = 1
