"""The one report generator: self-contained pages with interactive plots."""
