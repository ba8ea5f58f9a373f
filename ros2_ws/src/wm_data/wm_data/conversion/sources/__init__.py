"""One module a format: it finds drives and reads them; see drive.py for what it hands over."""
