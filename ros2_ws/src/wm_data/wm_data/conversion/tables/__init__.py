"""Tables of numbers with pictures, used by several sources."""
