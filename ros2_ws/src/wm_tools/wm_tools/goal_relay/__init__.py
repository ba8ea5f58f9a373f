"""Passes a goal that somebody points at in RViz or Foxglove on to whoever plans the route."""
