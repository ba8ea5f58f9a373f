"""A curved three-lane road with other cars: highway-env's traffic, this package's road, car and pictures."""
