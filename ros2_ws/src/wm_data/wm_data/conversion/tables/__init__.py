"""Tables of numbers with pictures beside them, as several sources have them."""
