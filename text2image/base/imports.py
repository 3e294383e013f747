"""Import torch, and what is built on it, in half the time. Nothing here changes a result.

Three things take more than they give. Python looks for garbage among the million objects that these packages make and
keep. torchvision and timm import torch's compiler (``torch._dynamo``, and sympy with it), which no embedding uses, to
have one function of it at hand. And open_clip imports transformers and timm for models of other kinds, too.
"""

import functools
import gc
import importlib
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FrameType, FunctionType, ModuleType
from typing import Any

from text2image.base.memory import no_collection

COMPILER, COMPILER_UTILS = "torch._dynamo", "torch._dynamo.utils"

OPTIONAL = {"transformers": ("hf_model", "HFTextEncoder"), "timm": ("timm_model", "TimmModel")}
"""What open_clip does without where it is missing: the module that uses it, and the class of towers in there."""


@contextmanager
def without_collection() -> Iterator[None]:
    """Have Python look for no garbage in a block, nor ever among what is there after a block that imports torch."""
    first = "torch" not in sys.modules
    with no_collection():
        try:
            yield
        finally:
            if first and "torch" in sys.modules:
                gc.freeze()


@contextmanager
def fast_imports() -> Iterator[None]:
    """Import torch, and what a block imports, without looking for garbage and without torch's compiler."""
    with without_collection(), compiler_deferred():
        yield


def import_open_clip(left_out: Collection[str] = ()) -> None:
    """Import open_clip, but not those of ``OPTIONAL`` that are left out; what an earlier call left out is added.

    open_clip imports them only if it can, and refuses the models that need what is missing. Other importers of them
    notice nothing.
    """
    with fast_imports():
        if "open_clip" in sys.modules:
            _complete(set(OPTIONAL) - set(left_out))
            return
        finder = _LeftOut(frozenset(left_out))
        sys.meta_path.insert(0, finder)
        try:
            import open_clip  # noqa: F401
        finally:
            sys.meta_path.remove(finder)


def _complete(packages: Collection[str]) -> None:
    """Execute the modules of open_clip again that were imported without one of some packages."""
    for package in packages:
        name, tower = OPTIONAL[package]
        module = sys.modules[f"open_clip.{name}"]
        if getattr(module, package) is None:
            module = importlib.reload(module)
            setattr(sys.modules["open_clip.model"], tower, getattr(module, tower))


class _LeftOut(MetaPathFinder):
    """Finds no module of some names for import statements of open_clip's, and leaves all else to other finders."""

    def __init__(self, names: Collection[str]) -> None:
        self.names = names

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if fullname in self.names and _importer().startswith("open_clip."):
            raise ModuleNotFoundError(f"{fullname} is left out: no model has needed it yet", name=fullname)
        return None


def _importer() -> str:
    """Return the name of the module whose import statement is being executed."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", "")) if frame is not None else ""


@contextmanager
def compiler_deferred() -> Iterator[None]:
    """Import torch, and have its compiler imported where it is first used, not by what is imported in the block.

    Whoever imports the compiler, in the block or later, gets the real one. In the block, ``torch.compiler.disable``
    marks a function when that is first called, and ``is_compile_supported`` asks the real one when it is called.
    """
    import torch

    if COMPILER in sys.modules:
        yield
        return
    disable = torch.compiler.disable
    finder = _Compiler()
    sys.meta_path.insert(0, finder)
    sys.modules[COMPILER_UTILS] = finder.stand_in
    torch.compiler.disable = _deferred(disable)
    try:
        yield
    finally:
        torch.compiler.disable = disable
        sys.meta_path.remove(finder)
        finder.remove()


class _Compiler(MetaPathFinder):
    """Takes the stand-in for the compiler's utilities away as soon as anybody looks for the compiler itself."""

    def __init__(self) -> None:
        self.stand_in = ModuleType(COMPILER_UTILS, "Stands for the module until it is used.")
        vars(self.stand_in).update(__getattr__=self._real, is_compile_supported=self._is_compile_supported)

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if fullname == COMPILER:
            self.remove()
        return None

    def remove(self) -> None:
        if sys.modules.get(COMPILER_UTILS) is self.stand_in:
            del sys.modules[COMPILER_UTILS]

    def _real(self, name: str) -> Any:
        if name.startswith("__"):  # asked of any module by Python itself
            raise AttributeError(name)
        self.remove()
        import torch._dynamo.utils

        return getattr(torch._dynamo.utils, name)

    def _is_compile_supported(self, device_type: Any) -> Any:
        return self._real("is_compile_supported")(device_type)


def _deferred(disable: Callable[..., Any]) -> Callable[..., Any]:
    """Return a decorator like ``torch.compiler.disable`` that calls it when the function is first called."""

    @functools.wraps(disable)
    def deferred(fn: Any = None, *args: Any, **options: Any) -> Any:
        if not isinstance(fn, FunctionType):
            return disable(fn, *args, **options)

        @functools.cache
        def disabled() -> Callable[..., Any]:
            marked: Callable[..., Any] = disable(fn, *args, **options)
            return marked

        @functools.wraps(fn)
        def call(*given: Any, **named: Any) -> Any:
            return disabled()(*given, **named)

        return call

    return deferred
