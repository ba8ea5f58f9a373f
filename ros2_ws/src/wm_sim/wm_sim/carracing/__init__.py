"""gymnasium's CarRacing-v3 as a world."""
