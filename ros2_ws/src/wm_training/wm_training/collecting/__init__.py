"""Recording episodes from topics: drivers, cameras, the node and the recorder."""
