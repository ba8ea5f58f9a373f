"""The live view: a local web page that shows a drive as it happens; see docs/live_view.md."""
