"""Sets this checkout up: virtual environment, Python packages, colcon build. Standard library only."""
