"""Copies the template of `t2i init` into the wheel; everything else about the package is in pyproject.toml."""

from __future__ import annotations

import runpy
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


class BuildWithTemplate(build_py):
    """Adds the repository's own pipeline, params and stages; an editable install reads them where they are."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        template = runpy.run_path(str(ROOT / "text2image/commands/template.py"))
        for name in template["files"](ROOT):
            target = Path(self.build_lib, "text2image/template", name)
            self.mkpath(str(target.parent))
            self.copy_file(str(ROOT / name), str(target))


setup(cmdclass={"build_py": BuildWithTemplate})
