"""The library in one import: read logs and tables, make figures, write a report.

from spillover.api import read, figures, report, write_page

answers = read(["logs"])
for figure in figures(answers, base="spillover/lab"):
print(figure.title, figure.measure.name, figure.group, figure.value.value, figure.interval)
write_page(report(answers, base="spillover/lab"), Path("report.html"))
"""

from spillover.answers.condition import Cell
from spillover.answers.layout import Layout
from spillover.answers.measures import Measure
from spillover.answers.presets import Preset, get_preset
from spillover.answers.read import Answers, read
from spillover.figures.calibration import Calibration, load_calibration
from spillover.figures.comparisons import format_effects, margin_tests
from spillover.figures.figure import Figure, figures
from spillover.figures.flips import flip_table
from spillover.figures.judges import compare_judges
from spillover.figures.multiverse import views
from spillover.figures.table import figures_frame
from spillover.show.report import Report, report, write_page

__all__ = [
    "Answers",
    "Calibration",
    "Cell",
    "Figure",
    "Layout",
    "Measure",
    "Preset",
    "Report",
    "compare_judges",
    "figures",
    "figures_frame",
    "flip_table",
    "format_effects",
    "get_preset",
    "load_calibration",
    "margin_tests",
    "read",
    "report",
    "views",
    "write_page",
]
