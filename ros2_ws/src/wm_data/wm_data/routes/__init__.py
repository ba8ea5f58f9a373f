"""Routes of recordings: as recorded, or made of the path that was driven."""
