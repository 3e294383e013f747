"""What is left out of the imports of a process, each case in a process of its own: what others import is unchanged."""

import gc
import subprocess
import sys

from tests.support.pipeline import REPOSITORY
from text2image.base.imports import without_collection


def run(script: str) -> str:
    """Run a script in a new process and return what it prints.

    Raises:
        CalledProcessError: it failed.
    """
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.strip()


def test_open_clip_without_the_packages_of_other_towers_and_with_them_later() -> None:
    printed = run("""
import sys
from text2image.base.imports import import_open_clip

import_open_clip(left_out={"timm", "transformers"})
print(*{"timm", "transformers", "sympy", "torch._dynamo", "torch._dynamo.utils"} & set(sys.modules), end=";")
import open_clip, transformers, timm  # whoever else asks gets them
print(open_clip.hf_model.transformers, open_clip.timm_model.timm, end=";")
vision = {"timm_model_name": "test_vit", "timm_model_pretrained": False, "image_size": 160}
text = {"context_length": 4, "vocab_size": 8, "width": 4, "heads": 1, "layers": 1}
try:
    open_clip.CustomTextCLIP(embed_dim=4, vision_cfg=vision, text_cfg=text)
except RuntimeError as error:
    print("refused", end=";")
import_open_clip(left_out={"transformers"})
open_clip.CustomTextCLIP(embed_dim=4, vision_cfg=vision, text_cfg=text)
print(open_clip.hf_model.transformers, open_clip.timm_model.timm is timm, end=";")
import_open_clip()
print(open_clip.hf_model.transformers is transformers, open_clip.model.HFTextEncoder is open_clip.hf_model.HFTextEncoder)
""")
    assert printed == ";None None;refused;None True;True True"


def test_the_compiler_is_imported_when_it_is_used_and_is_the_real_one() -> None:
    """By a function that timm keeps from it, which is marked as ever, and by torchvision's question."""
    printed = run("""
import sys
from text2image.base.imports import fast_imports

import torch
disable = torch.compiler.disable
with fast_imports():
    import torchvision, timm
    from timm.layers.typing import disable_compiler
print("torch._dynamo" in sys.modules, torch.compiler.disable is disable, end=";")

@disable_compiler
def double(number):
    '''Twice as much.'''
    return 2 * number

print(double(4), double.__name__, double.__doc__, "torch._dynamo" in sys.modules, end=";")
import torch._dynamo.utils as utils
roi_align = sys.modules["torchvision.ops.roi_align"]
print(roi_align.is_compile_supported("cpu") == utils.is_compile_supported("cpu"), utils.__file__ is not None, end=";")
breaks = torch._dynamo.explain(lambda x: double(x) + 1)(torch.ones(2)).graph_break_count
print(breaks == torch._dynamo.explain(lambda x: disable(lambda y: 2 * y)(x) + 1)(torch.ones(2)).graph_break_count)
""")
    assert printed == "False True;8 double Twice as much. True;True True;True"


def test_whoever_needs_the_compiler_while_torchvision_is_imported_gets_it() -> None:
    printed = run("""
import sys
from text2image.base.imports import fast_imports

with fast_imports():
    from torch._dynamo.utils import counters  # of which the stand-in knows nothing
    import torch._dynamo
    import torchvision
print(type(counters).__name__, sys.modules["torch._dynamo.utils"] is torch._dynamo.utils, counters is torch._dynamo.utils.counters)
""")
    assert printed == "defaultdict True True"


def test_garbage_is_looked_for_again_after_a_block_and_errors() -> None:
    assert gc.isenabled()
    frozen = gc.get_freeze_count()
    try:
        with without_collection():
            assert not gc.isenabled()
            with without_collection():
                pass
            assert not gc.isenabled(), "the outer block goes on"
            raise ValueError
    except ValueError:
        pass
    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen or "torch" not in sys.modules
    gc.disable()
    try:
        with without_collection():
            pass
        assert not gc.isenabled(), "it was off before"
    finally:
        gc.enable()


def test_what_torch_leaves_behind_is_never_looked_at_again() -> None:
    printed = run("""
import gc
from text2image.base.imports import fast_imports, without_collection

with without_collection():
    pass
print(gc.get_freeze_count(), end=";")
with fast_imports():
    pass
print(gc.get_freeze_count() > 100_000, gc.isenabled(), end=";")
frozen = gc.get_freeze_count()
with fast_imports():
    garbage = [[] for _ in range(1000)]
print(gc.get_freeze_count() <= frozen)
""")
    assert printed == "0;True True;True"
