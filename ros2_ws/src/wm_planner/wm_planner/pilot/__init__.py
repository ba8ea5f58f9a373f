"""From the pictures of one moment to one command, and all fault handling."""
