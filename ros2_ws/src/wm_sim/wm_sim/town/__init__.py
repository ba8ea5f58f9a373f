"""A town: streets, junctions, lights, houses, cars that know priorities, and a route through it."""
