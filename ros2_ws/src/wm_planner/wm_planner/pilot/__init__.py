"""From the pictures of one moment to one command, with every fault on the way."""
