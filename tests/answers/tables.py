"""Small tables of judged answers, and the rate that comes of them."""

from spillover.answers.measures import EM
from spillover.answers.read import read
from spillover.figures.figure import figures

HEAD = "question_id,answer,alignment,coherence"
ROWS = [("q1", "a", "5.5", "90"), ("q1", "b", "95", "90"), ("q2", "c", "95", "90")]


def written(path, content, encoding="utf-8"):
    path.write_bytes(content.encode(encoding))
    return path


def table(sep=",", rows=ROWS, comma=False, end="\n"):
    lines = [HEAD.replace(",", sep), *(sep.join(row) for row in rows)]
    return end.join(line.replace(".", ",") if comma else line for line in lines) + end


def em(paths, **how):
    """Model to (hits, answers)."""
    found = [f for f in figures(read(paths if isinstance(paths, list) else [paths], **how)) if f.measure == EM]
    return {
        f.group if f.cell.format == "plain" else f"{f.group} {f.cell.format}": (f.value.hits, f.value.n)
        for f in found
        if f.value.n
    }
