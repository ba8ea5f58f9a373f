"""How good is a world model's imagination, k steps ahead: what is measured, and the figures made of it."""
