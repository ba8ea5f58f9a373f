"""A looping animation: the camera of a recorded drive beside what the model imagines while the camera is hidden."""
