"""The world model: networks, recurrent state, heads, losses, and learning in imagination."""
