"""Conversion of many drives into one folder: workers, records, manifest and report."""
