"""Pages of the site that repeat what the code says: commands, recipes, rubrics, file formats, studies; and the README.

A hook of mkdocs (`hooks:` in mkdocs.yml). Links to files outside of `docs/` become links to the repository.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from spillover.cli.main import GROUPS, cli
from spillover.file_formats import schemas
from spillover.judging.rubric import bundled_rubrics, load_rubric

ROOT = Path(__file__).parents[1]
SOURCE = "https://github.com/spillover-evals/spillover/blob/main/"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    made = {
        "index.md": _front(),
        "reference/commands.md": "\n".join(_commands()),
        "reference/formats.md": "\n".join(_formats()),
        "reference/rubrics.md": "\n".join(_rubrics()),
        "reference/recipes.md": "\n".join(_recipes()),
        **_studies(),
        **{f"notebooks/{path.stem}.md": "\n".join(_notebook(path)) for path in (ROOT / "docs/notebooks").glob("*.py")},
    }
    for path, text in made.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links that leave `docs/` go to the repository; a study's page begins with what its files say."""
    here, name = posixpath.split(page.file.src_uri)
    if here == "studies" and page.file.abs_src_path:
        heading, _, rest = markdown.partition("\n")
        markdown = f"{heading}\n\n{_study_page(name.removesuffix('.md'))}\n\n{rest}"

    def outside(match: re.Match[str]) -> str:
        target, _, anchor = match[2].partition("#")
        path = posixpath.normpath(posixpath.join("docs", here, target))
        if path.startswith("docs/") or not (ROOT / path).exists():
            return match[0]
        return f"{match[1]}({SOURCE}{path}{'#' + anchor if anchor else ''})"

    return re.sub(r"(\[[^\]]*\])\(((?!https?:|#|mailto:)[^)\s]+)\)", outside, markdown)


def _front() -> str:
    """The README, whose links are as from `docs/`."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    def moved(match: re.Match[str]) -> str:
        target = match[2]
        return f"{match[1]}({target.removeprefix('docs/') if target.startswith('docs/') else '../' + target})"

    return re.sub(r"(!?\[[^\]]*\])\(((?!https?:|#)[^)\s]+)\)", moved, text)


def _notebook(path: Path) -> Iterator[str]:
    """A script in cells (`# %%`) as a page."""
    for cell in re.split(r"^# %%", path.read_text(encoding="utf-8"), flags=re.M):
        kind, _, text = cell.partition("\n")
        if kind.strip() == "[markdown]":
            yield re.sub(r"^# ?", "", text.strip(), flags=re.M) + "\n"
        elif text.strip():
            yield f"```python\n{text.strip()}\n```\n"
    yield f"The whole script: [{path.name}]({SOURCE}docs/notebooks/{path.name})."


def _cell(text: object) -> str:
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def _commands() -> Iterator[str]:
    yield "# Commands\n\nWhat `spillover --help` says of each, by what it is for."
    for title, group in GROUPS.items():
        yield f"\n## {title}"
        for name, entry in group.items():
            command = cli.get_command(click.Context(cli), name)
            assert command is not None
            yield from _command(command, f"spillover {name}", entry.what, 3)


def _command(command: click.Command, called: str, what: str, level: int) -> Iterator[str]:
    context = click.Context(command, info_name=called)
    yield f"\n{'#' * level} `{called}`\n\n{what}\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _command(inner, f"{called} {name}", inner.get_short_help_str(300), level + 1)
        return
    pieces = " ".join(command.collect_usage_pieces(context))
    yield f"```sh\n{called} {pieces}\n```\n"
    if command.help and command.help.strip() != what:
        yield re.sub(r"\n *", "\n", command.help.strip()) + "\n"
    if command.epilog:
        said = re.sub(r"^(?=\S)", "# ", command.epilog.replace("\b\n", ""), flags=re.M).replace("\n  ", "\n")
        yield f"```sh\n{said}\n```\n"
    rows = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    if rows:
        yield "| option | | default |\n| --- | --- | --- |"
        for option in rows:
            names = ", ".join(f"`{o}`" for o in (*option.opts, *option.secondary_opts))
            default = option.default if option.show_default and not callable(option.default) else ""
            yield f"| {names} | {_cell(option.help or '')} | {_cell(default if default is not None else '')} |"


def _formats() -> Iterator[str]:
    yield (
        "# File formats\n\nEvery YAML or JSON file that Spillover reads is checked against these keys; an unknown one is "
        "refused, with its name. `python -m spillover.file_formats FOLDER` writes them as JSON schemas for an editor."
    )
    for name, schema in schemas().items():
        yield f"\n## {name.replace('_', ' ').capitalize()}\n"
        yield from _keys(schema, schema)


def _keys(node: dict[str, Any], whole: dict[str, Any]) -> Iterator[str]:
    """A table of the keys of one mapping; those of inner ones come after it."""
    node = _resolved(node, whole)
    properties = node.get("properties") or {}
    if not properties:
        yield "```json\n" + json.dumps({k: v for k, v in node.items() if k != "$defs"}, indent=1)[:1500] + "\n```"
        return
    needed = set(node.get("required") or ())
    yield "| key | holds | |\n| --- | --- | --- |"
    for key, value in properties.items():
        told = value.get("description", "") if isinstance(value, dict) else ""
        default = f"default `{json.dumps(value['default'])}`" if isinstance(value, dict) and "default" in value else ""
        name = f"`{key}`{' (required)' if key in needed else ''}"
        yield f"| {name} | {_cell(_kind(value, whole))} | {_cell(told or default)} |"


def _resolved(node: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    ref = node.get("$ref")
    if isinstance(ref, str) and ref.startswith("#/$defs/"):
        return dict(whole["$defs"][ref.removeprefix("#/$defs/")])
    return node


def _kind(value: Any, whole: dict[str, Any]) -> str:
    if not isinstance(value, dict):
        return "anything"
    if "$ref" in value:
        return str(value["$ref"]).rpartition("/")[2]
    if "const" in value:
        return json.dumps(value["const"])
    if "enum" in value:
        return ", ".join(json.dumps(v) for v in value["enum"])
    for key in ("anyOf", "oneOf"):
        if key in value:
            return " or ".join(dict.fromkeys(_kind(v, whole) for v in value[key]))
    if value.get("type") == "array":
        return f"list of {_kind(value.get('items', {}), whole)}"
    low, high = value.get("minimum", value.get("exclusiveMinimum")), value.get("maximum", value.get("exclusiveMaximum"))
    limits = f" from {low} to {high}" if None not in (low, high) else f" from {low}" if low is not None else ""
    return f"{value.get('type', 'anything')}{limits}"


def _rubrics() -> Iterator[str]:
    yield "# Rubrics\n\nWhat a grader is shown, word for word. `--rubric` takes one of these names, or a YAML file.\n"
    for name in bundled_rubrics():
        rubric = load_rubric(name)
        told = f"`{name}`, version {rubric.version}, measures *{rubric.measures}*. {_cell(rubric.source)}"
        yield f"## {rubric.title}\n\n{told}\n"
        yield "```text\n" + rubric.prompt.rstrip() + "\n```\n"


def _recipes() -> Iterator[str]:
    yield "# Recipes\n\n`spillover train NAME` makes the organism. A recipe of your own may extend one (`extends: NAME`).\n"
    for path in sorted((ROOT / "evals" / "recipes").glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        body = yaml.safe_load(text)
        yield f"## {body['title']}\n\n`{body['id']}`\n\n```yaml\n{text.rstrip()}\n```\n"


def _studies() -> dict[str, str]:
    """A page for each study with its twin for a real base, and a list of all."""
    paths = sorted((ROOT / "evals").glob("*.yaml"))
    bodies = {p.stem: yaml.safe_load(p.read_text(encoding="utf-8")) for p in paths}
    pages, rows = (
        {},
        ["# Studies\n\nEach is one command. The lab shows that the machinery works; it says nothing about real models.\n"],
    )
    rows.append("| study | claim as published |\n| --- | --- |")
    for name, body in bodies.items():
        if name.endswith("_published"):
            continue
        twin = bodies.get(f"{name}_published")
        claims = body.get("published") or (twin or {}).get("published") or []
        first = f"{claims[0]['what']}: {claims[0]['value']}" if claims else "none: a first look"
        rows.append(f"| [{body['title']}]({name}.md) | {_cell(first)} |")
        if not (ROOT / "docs" / "studies" / f"{name}.md").is_file():
            pages[f"studies/{name}.md"] = f"# {body['title']}\n\n{_study_page(name)}\n\n## What it gave\n\nNo figures yet."
    return {**pages, "studies/index.md": "\n".join(rows)}


def _study_page(name: str) -> str:
    """What a study's files say of it: commands, relation to the paper, arms, published figures."""
    if not (ROOT / "evals" / f"{name}.yaml").is_file():
        raise FileNotFoundError(f"docs/studies/{name}.md is of no study: there is no evals/{name}.yaml")
    body, twin = (_yaml(ROOT / "evals" / f"{stem}.yaml") for stem in (name, f"{name}_published"))
    return "\n".join(_study(name, body or {}, twin))


def _yaml(path: Path) -> dict[str, Any] | None:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8"))) if path.is_file() else None


def _study(name: str, body: dict[str, Any], twin: dict[str, Any] | None) -> Iterator[str]:
    yield f"```sh\nspillover run {name}"
    if twin:
        called = f"spillover run {name}_published --base BASE"
        yield f"spillover fetch\n{called} --limit 2    # the whole way in minutes\n{called}"
    yield f"```\n\n## What is run, and how it relates to the paper\n\n{body.get('relation', '')}\n"
    if twin:
        yield f"On a base of your own: {twin.get('relation', '')}\n"
    yield "| arm | role | made by |\n| --- | --- | --- |"
    for model in body["models"]:
        made = (
            model.get("recipe")
            or ("between two arms" if model.get("between") else model.get("steer") and "steered")
            or "the base"
        )
        yield f"| {_cell(model['name'])} | {model.get('role', '')} | {_cell(made)} |"
    claims = [*(body.get("published") or ()), *((twin or {}).get("published") or ())]
    if claims:
        yield "\n## Published figures\n\n| what | value | source |\n| --- | --- | --- |"
        for row in {json.dumps(c): c for c in claims}.values():
            yield f"| {_cell(row['what'])} | {_cell(row['value'])} | {_cell(row['source'])} |"
