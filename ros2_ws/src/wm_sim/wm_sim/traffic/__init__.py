"""A curved road of three lanes with other cars on it; highway-env's traffic, this package's road, car and pictures."""
