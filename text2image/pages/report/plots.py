"""The charts and sheets of pictures that dvc.yaml declares, for one revision or several, as DVC reads them."""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from text2image.base.console import InputError, one_line
from text2image.pages.charts.files import write_templates
from text2image.pages.report.blocks import Chart, Picture, SheetBlock
from text2image.pages.report.rendering.drawing import SHOWN, CannotDrawError, draw
from text2image.pages.report.revisions import Revision


def read_plots(revisions: Sequence[Revision]) -> tuple[list[Chart], list[SheetBlock]]:
    """Return every declared chart, filled as `dvc plots show` and `dvc plots diff` do, and every sheet.

    What cannot be read or drawn is said in the chart's or the sheet's ``problems``.

    Raises:
        InputError: dvc.yaml or a template cannot be used.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc_render.exceptions import DvcRenderError

    names = [revision.name for revision in revisions]
    try:
        with Repo(".") as repo:
            data = repo.plots.show(revs=names)
            for revision in revisions:
                _hold_back(revision, data.get(revision.name, {}))
            charts, renderers = _renderers(data, Path(repo.plots.templates_dir))
    except (DvcException, DvcRenderError) as error:
        raise InputError(f"expected plots that DVC can read, found: {one_line(error)}") from None
    broken = [name for name in names if "error" in data.get(name, {}).get("definitions", {})]
    if broken:
        reason = data[broken[0]]["definitions"]["error"]
        raise InputError(f"expected a dvc.yaml that DVC can read in {broken[0]}, found: {one_line(reason)}")
    sheets = []
    for renderer, missing, wrong in renderers:
        problems = [*_missing(missing), *(f"{name}: {one_line(error)}" for name, error in wrong.items())]
        if renderer.TYPE == "image":
            sheets.append(_sheet(renderer, names, problems))
        else:
            charts.append(_chart(renderer, problems))
    return charts, sheets


def _hold_back(revision: Revision, read: Any) -> None:
    """Put an error in the place of tables and pictures that are out of date, among what DVC ``read`` of a revision."""
    for path, source in read.get("sources", {}).get("data", {}).items():
        if why := revision.why_outdated(Path(path)):
            source.pop("data", None)
            source["error"] = OutdatedError(f"out of date, since {why}")


class OutdatedError(Exception):
    """A table or picture that belongs to other images, queries or parameters."""


def _renderers(data: Any, templates: Path) -> tuple[list[Chart], Any]:
    """Return charts that have no template, and what DVC makes of all others.

    Args:
        data: what DVC read of the plots.
        templates: a folder with templates besides the project's own, if it is there.
    """
    from dvc.render.match import match_defs_renderers

    with TemporaryDirectory() as folder:
        if templates.is_dir():
            copytree(templates, folder, dirs_exist_ok=True)
        write_templates(Path(folder))
        lacking = [chart for of_revision in data.values() for chart in _take_unknown(of_revision, folder)]
        return lacking, match_defs_renderers(data, templates_dir=folder)


def _take_unknown(of_revision: Any, templates: str) -> Iterator[Chart]:
    """Take plots out that ask for a template of another version of the project, and yield them as charts."""
    from dvc_render.exceptions import DvcRenderError
    from dvc_render.vega_templates import get_template

    for file in of_revision.get("definitions", {}).get("data", {}).values():
        plots = file.get("data") or {}
        for name, properties in list(plots.items()):
            try:
                get_template((properties or {}).get("template"), templates)
            except DvcRenderError as error:
                title = str(plots.pop(name).get("title", name))
                yield Chart(name, title, "", [f"cannot be drawn: {one_line(error)}"])


def _missing(errors: Mapping[str, Mapping[str, Exception]]) -> Iterator[str]:
    for name, sources in errors.items():
        for source, error in sources.items():
            if isinstance(error, OutdatedError):
                yield f"{name}: {Path(source).as_posix()} is {one_line(error)}"
                continue
            gone = isinstance(error, FileNotFoundError) or not Path(source).suffix  # a folder of pictures
            reason = "is not in DVC's cache" if gone else f"cannot be read: {one_line(error)}"
            yield f"{name}: {Path(source).as_posix()} {reason}"


def _chart(renderer: Any, problems: list[str]) -> Chart:
    from dvc_render.exceptions import DvcRenderError

    title, svg = str(renderer.properties.get("title") or renderer.name), ""
    try:
        spec = renderer.get_filled_template()
        svg = draw(spec, renderer.name) if spec else ""
    except (DvcRenderError, CannotDrawError) as error:
        problems = [*problems, f"cannot be drawn: {one_line(error)}"]
    if not svg and not problems:
        problems = ["there is nothing to draw"]
    return Chart(renderer.name, title, svg, problems)


def _sheet(renderer: Any, names: Sequence[str], problems: list[str]) -> SheetBlock:
    pictures, problems = [], list(problems)
    for point in renderer.datapoints:
        data = base64.b64decode(point["src"].partition(",")[2])
        try:
            with Image.open(io.BytesIO(data), formats=SHOWN) as image:
                image.load()
            pictures.append(Picture(point["rev"], data))
        except (OSError, ValueError, Image.DecompressionBombError):
            problems.append(f"{point['rev']}: {Path(renderer.name).as_posix()} cannot be read as a picture")
    pictures.sort(key=lambda picture: list(names).index(picture.revision))
    if len(pictures) > 1 and len({picture.data for picture in pictures}) == 1:
        pictures = [Picture(f"the same in {' and '.join(names)}", pictures[0].data)]
    return SheetBlock(Path(renderer.name).as_posix(), pictures, problems)
