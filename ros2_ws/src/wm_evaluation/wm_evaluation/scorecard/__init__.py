"""How good a world model's imagination is k steps ahead: measurements, and the figures made from them."""
