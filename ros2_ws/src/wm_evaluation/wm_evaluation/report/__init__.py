"""The report generator: self-contained pages with interactive plots. docs/reports.md shows how a page is made."""
# ruff: noqa: F401

from wm_evaluation.report.blocks import (
    Block,
    Chart,
    Facts,
    Fragment,
    Grid,
    Head,
    Page,
    Picture,
    Prose,
    Section,
    Table,
    Tile,
    Video,
)
from wm_evaluation.report.render import render, write_page
from wm_evaluation.report.widgets import widget
