"""Which processor a model runs on, and in which precision."""

import copy
import os
from collections.abc import Sequence

import torch

from text2image.base.console import InputError
from text2image.base.settings import Runtime

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def pick_device(wanted: str) -> torch.device:
    """Return the device that ``runtime.device`` asks for: auto, cpu, cuda or mps.

    Raises:
        InputError: it is not there.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        wanted = next(name for name in ("cuda", "mps", "cpu") if there[name])
    if wanted == "cuda" and there[wanted]:
        prefer_steady_kernels()
    if not there[wanted]:
        raise InputError(
            f"expected a device that this machine has for runtime.device in params.yaml, found '{wanted}' "
            f"(here: {', '.join(name for name, here in there.items() if here)})"
        )
    return torch.device(wanted)


def prefer_steady_kernels() -> None:
    """Have GPUs of NVIDIA's compute with kernels that give the same bits every time, wherever torch knows of such.

    It has to be said before anything is computed there. Where there is no such kernel, torch warns and goes on. cuDNN's
    attention, which torch takes for half precision on newer cards and calls non-deterministic, has to be left out by name:
    where torch is to warn alone, it goes on with it without a word.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it, cuBLAS promises nothing
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cuda.enable_cudnn_sdp(False)
    torch.utils.deterministic.fill_uninitialized_memory = False  # a help to find mistakes, which takes time


def pick_devices(runtime: Runtime) -> list[torch.device]:
    """Return the devices that compute side by side: all GPUs of NVIDIA's, or ``runtime.devices`` of them, else one.

    Raises:
        InputError: there are not so many, or ``runtime.device`` is not there.
    """
    device = pick_device(runtime.device)
    there = torch.cuda.device_count() if device.type == "cuda" else 1
    if (wanted := runtime.devices or there) > there:
        raise InputError(
            f"expected at most {there} for runtime.devices in params.yaml, since this machine has so many devices of type "
            f"{device.type}, found {wanted}"
        )
    return [torch.device("cuda", index) for index in range(wanted)] if device.type == "cuda" else [device]


def replicate(network: torch.nn.Module, devices: Sequence[torch.device]) -> list[torch.nn.Module]:
    """Return a network on each of some devices: itself, moved to the first, and copies."""
    return [network.to(devices[0]), *(copy.deepcopy(network).to(device) for device in devices[1:])]


def pick_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Return the type of a model's weights that ``embed.precision`` asks for.

    Raises:
        InputError: fp16 on a CPU, which has no arithmetic for it.
    """
    if precision == "fp16" and device.type == "cpu":
        raise InputError(
            "expected fp32 or bf16 for embed.precision in params.yaml on a CPU, found fp16, which needs a GPU"
        )
    return DTYPES[precision]


def one_torch_thread() -> None:
    """Let this thread compute on one core: its result is then the same on any number of cores."""
    torch.set_num_threads(1)
