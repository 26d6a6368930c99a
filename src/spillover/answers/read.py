"""Read logs and tables once: every answer by every judge in one table, with what their logs say about themselves."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from spillover.answers.answer_rows import by_other_rule
from spillover.answers.cast import Cast, cast_of, digest_of, shown_names
from spillover.answers.certified import Judge, judges_of
from spillover.answers.external import OtherScore, as_known, external_scores, with_names
from spillover.answers.files import Loaded, find, load
from spillover.answers.layout import Layout
from spillover.answers.measures import Measure, column_of
from spillover.answers.mixtures import of_judge, once, refuse_mixtures, superseded
from spillover.answers.presets import Preset, get_preset
from spillover.answers.rules import ALIGNMENT_ALONE, measures_of
from spillover.answers.stops import Stop, stop_of
from spillover.answers.table import cell_groups, join, tidy, words
from spillover.answers.tables import IMPORTED, frames_and_tables, judged_tables
from spillover.errors import SpilloverError
from spillover.judging.certificate import Certificate
from spillover.judging.certificate import kept as kept_certificates

logger = logging.getLogger(__name__)


class NoAnswers(SpilloverError):
    """The logs can be read and hold nothing to report."""


@dataclass(frozen=True)
class Answers:
    """What was read.

    Attributes:
        table: Typed columns, see `spillover.answers.table`.
        logs: Run (task id) to what its newest log says about itself.
        external: Metrics of other packages' tasks.
        stops: Sequential decisions.
        left_out: Files that could not be read, with the reason.
        preset: Thresholds of all outcomes.
        certificates: Kept on this machine, for answers without a log.
    """

    table: pd.DataFrame
    logs: Mapping[str, Loaded] = field(default_factory=dict)
    external: tuple[OtherScore, ...] = ()
    stops: tuple[Stop, ...] = ()
    left_out: tuple[str, ...] = ()
    preset: Preset = field(default_factory=lambda: get_preset("spillover"))
    certificates: tuple[Certificate, ...] = ()

    @property
    def models(self) -> list[str]:
        """Names in order of appearance."""
        return words([*self.table["model"].astype(object), *(score.model for score in self.external)])

    @property
    def imported(self) -> bool:
        """Whether all answers and scores came with tables: who gave them, and what was cut, is not known here."""
        return bool((self.table["probe"].astype(object) == IMPORTED).all())

    @property
    def lab(self) -> bool:
        """Whether any answer has an exact truth."""
        return bool(self.table["truth"].notna().any())

    def measures(self, rows: pd.DataFrame) -> list[Measure]:
        """What the logs behind some rows report: the union, in order, so that no log's measures stand for another's.

        Of answers without a log, what their probe declares.
        """
        found: dict[str, Measure] = {}
        lists = [self.logs[run].measures for run in words(rows["run"].unique()) if run in self.logs]
        for its in sorted(lists, key=len, reverse=True):  # a log with fewer questions has fewer measures, in the same order
            for raw in its:
                found.setdefault(str(raw), Measure.from_dict(raw))
        if found:
            return list(found.values())
        declared = [m for probe in words(rows["probe"].unique()) for m in measures_of(probe)]
        if "facts" in rows and len(rows) and all(isinstance(f, dict) and f.get(ALIGNMENT_ALONE) for f in rows["facts"]):
            declared = [m for m in declared if m.name != "coherent"]  # nobody judged that
        if _grades_alone(rows):
            declared = [m for m in declared if m.name != "refused"]  # they cannot say so
        return [m for m in declared if m.about(rows).any() and column_of(rows, m.of) in rows] or declared

    def share(self, rows: pd.DataFrame) -> Measure | None:
        """The first measure that is a share of outcomes, in which a single answer counts or does not, if there is one."""
        return next((measure for measure in self.measures(rows) if measure.is_share), None)

    def with_preset(self, preset: Preset) -> Answers:
        """The same readings under other thresholds. No judge is asked.

        Raises:
            SpilloverError: if the preset is made for another rubric, or the probe of some answers is not installed.
        """
        return replace(self, table=by_other_rule(self.table, preset), preset=preset)

    def judges(self, rows: pd.DataFrame | None = None) -> list[Judge]:
        """Who judged some answers (all for None), and what is known of that."""
        found = {run: log.certificates for run, log in self.logs.items()}
        return judges_of(self.table if rows is None else rows, found, self.preset, self.certificates)

    def of(self, models: Sequence[str]) -> Answers:
        """Some models' answers."""
        return replace(self, table=self.table[self.table["model"].isin(models)].reset_index(drop=True))


def _grades_alone(rows: pd.DataFrame) -> bool:
    """Whether imported answers have nothing but numbers for an outcome: no word, and none that says it itself."""
    scored = rows[(rows["outcome"] != "unscored").to_numpy()]
    if not (rows["probe"] == IMPORTED).all() or (scored["outcome"] == "refusal").any() or "score.alignment" not in rows:
        return False
    return bool(scored["score.alignment"].notna().all())


def read(
    paths: Iterable[Path | str],
    *,
    names: Mapping[str, str] | None = None,
    judge: str | None = None,
    mixed: bool = False,
    preset: str | None = None,
    layout: Layout | None = None,
) -> Answers:
    """Every judged answer in logs (`.eval`, `.json`), folders of logs and tables.

    A file that cannot be read is named in a warning and in `left_out`; answers without a score (the run was stopped before
    they were judged) are left out, too.

    Args:
        paths: Files or folders.
        names: Inspect's model name to the name to show; those of a frame, where it has other ones, for None.
        judge: Part of the name of the one judge whose readings are used.
        mixed: Whether several judges may have read the same answers.
        preset: Thresholds; those that the logs were judged with for None.
        layout: What the columns, words and scores of tables mean.

    Raises:
        NoAnswers: if nothing holds a judged answer.
        SpilloverError: if a path is missing, a table is malformed, or (unless `mixed`) answers that differ in anything that
            matters would fall into one cell.
    """
    if preset is not None:
        get_preset(preset)  # a wrong name should not cost reading everything
    logs, files = find([Path(p) for p in paths], others=True)
    frames, tables = frames_and_tables(files)
    found = load(logs)
    # Files sort by time; but what is finished counts before what is not, whatever a clock said that was ahead.
    kept = sorted((f for f in found if f.problem is None), key=_is_finished)
    left_out = tuple(f"{f.path}: {f.problem}" for f in found if f.problem is not None)
    for told in left_out:
        logger.warning("Left out %s", told)
    parts = [*(f.table for f in kept if f.table is not None), *frames]
    other = external_scores(f for f in kept if f.table is None)
    table = superseded(join(parts)) if parts else tidy([])
    chosen = _preset(table, preset, bool(tables))  # before `once`, which may leave out all answers of another preset
    table = once(table)
    if tables:
        table = join([*([table] if len(table) else []), judged_tables(tables, layout or Layout(), chosen)])
    if table.empty and not other:
        why = f" ({left_out[0].rstrip('.')})" if left_out else ""
        raise NoAnswers(f"None of the logs holds an answer judged by Spillover{why}.")
    other = as_known(other, words(table["model_id"]))
    models = [*words(table["model_id"]), *(s.model for s in other)]
    shown = _shown(models, _own_names(frames, models) if names is None else names)
    table = table.assign(model=_renamed(table["model_id"], shown))
    if names:  # in the order that they were given: that of files hangs on which task was begun first
        places = {name: place for place, name in enumerate(names)}
        order = [places.get(name, len(places)) for name in table["model_id"].astype(object)]
        table = table.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)
    if judge is not None:
        table = of_judge(table, judge)
    newest = {f.run: f for f in kept if f.table is not None}
    who: dict[str, str] = dict(table[["run", "model"]].drop_duplicates().itertuples(index=False))
    stops = tuple(s for f in newest.values() if f.run in who and (s := stop_of(f, who[f.run])) is not None)
    own = tuple(kept_certificates()) if frames else ()
    out = Answers(table, newest, with_names(other, shown), stops, left_out, chosen, own)
    if set(words(table["preset"])) - {chosen.name}:  # what is so decided already needs no rule to be installed
        out = out.with_preset(chosen)
    if not mixed:
        refuse_mixtures(out.table)  # after the choice of a preset, which may be what the logs differ in
    return out


def _is_finished(found: Loaded) -> bool:
    return found.header is not None and found.header.status == "success"


def _preset(table: pd.DataFrame, name: str | None, tables: bool) -> Preset:
    stored = words(table["preset"])
    if name is None and len(stored) > 1:
        raise SpilloverError(f"The logs were judged with different presets ({', '.join(stored)}); choose one with --preset.")
    return get_preset(name or (stored[0] if stored else "betley2025" if tables else "spillover"))


def _own_names(frames: Sequence[pd.DataFrame], models: Collection[str]) -> dict[str, str]:
    """Model to the name that frames show for it; none where two models would be called alike."""
    names: dict[str, str] = {}
    for frame in frames:
        names |= dict(frame[["model_id", "model"]].astype(str).drop_duplicates().itertuples(index=False))
    wanted = short_names(set(models) - set(names)) | names
    return names if len(set(wanted.values())) == len(wanted) else {}


def _shown(names: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    short = short_names(set(names) - set(given))
    refuse_one_name(given, names)
    return {name: given.get(name) or short[name] for name in names}


def renamed(answers: Answers, names: Mapping[str, str]) -> Answers:
    """The same answers with other names to show, by Inspect's."""
    refuse_one_name(names, words(answers.table["model_id"]))
    before: dict[str, str] = dict(answers.table[["model", "model_id"]].drop_duplicates().itertuples(index=False))
    return replace(
        answers,
        table=answers.table.assign(model=_renamed(answers.table["model_id"], names)),
        stops=tuple(replace(stop, model=names[before[stop.model]]) for stop in answers.stops),
    )


def as_told(answers: Answers) -> tuple[Answers, Cast]:
    """The same answers with the names that their runs gave the models, in the runs' order, and what the runs say of them."""
    cast = cast_of(answers.logs.values())
    if cast is None:
        return answers, Cast()
    before: dict[str, str] = dict(answers.table[["model_id", "model"]].drop_duplicates().itertuples(index=False))
    known = set(before.values())
    elsewhere = {score.model: score.model for score in answers.external if score.model not in known}
    names = shown_names(cast, before | elsewhere)
    told = renamed(answers, names)
    places = {digest: place for place, digest in enumerate(cast.names)}
    order = [places.get(digest_of(model), len(places)) for model in told.table["model_id"].astype(object)]
    table = told.table.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)
    there = set(names.values())
    roles = {name: role for name, role in cast.roles.items() if name in there}
    base = cast.base if cast.base in there else None
    external = with_names(answers.external, {before[model]: names[model] for model in before} | elsewhere)
    return replace(told, table=table, external=external), replace(cast, roles=roles, base=base)


def called(name: str, before: Answers, told: Answers) -> str:
    """How `told` calls a model that is named as it calls it, as `before` does, or by Inspect; else the name as it is."""
    if name in told.models:
        return name
    rows = before.table[(before.table["model"] == name) | (before.table["model_id"] == name)]
    return next(iter(words(told.table["model"][told.table["model_id"].isin(set(rows["model_id"]))])), name)


def refuse_one_name(given: Mapping[str, str], models: Iterable[str]) -> None:
    """Two models under one name would be one.

    Raises:
        SpilloverError: naming both.
    """
    seen: dict[str, str] = {}
    for model in dict.fromkeys(models):
        shown = given.get(model)
        if shown is not None and seen.setdefault(shown, model) != model:
            raise SpilloverError(f"{seen[shown]} and {model} are both called '{shown}'; give each a name of its own.")


def _renamed(column: pd.Series, shown: Mapping[str, str]) -> pd.Series:
    return pd.Series(pd.Categorical([shown[name] for name in column.astype(object)]), index=column.index)


def short_names(names: Collection[str]) -> dict[str, str]:
    """Adapter paths cut to the adapter's folder (`vllm/base:folder`), as long as that tells all models apart.

    A checkpoint on the way keeps its organism: `vllm/base:organism/checkpoint-20`.
    """
    short = {}
    for name in names:
        base, colon, adapter = name.partition(":")
        folder = Path(adapter)
        # A checkpoint on the way is one of its organism.
        last = (
            f"{folder.parts[-3]}/{folder.name}"
            if folder.parts[-2:-1] == ("checkpoints",) and len(folder.parts) > 2
            else folder.name
        )
        short[name] = f"{base}:{last}" if colon and "/" in adapter else name
    return short if len(set(short.values())) == len(short) else {name: name for name in names}


__all__ = ["IMPORTED", "Answers", "NoAnswers", "cell_groups", "read", "short_names"]
