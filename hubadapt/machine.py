"""Facts about this machine and its packages, for estimates and records."""

from __future__ import annotations

import os
import platform
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("hubadapt", "torch", "transformers", "tokenizers", "safetensors", "datasets", "huggingface-hub", "trl")


def packages() -> dict[str, str]:
    """Installed versions of the packages that decide results."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, str]:
    """Processor, cores, memory and, where there are any that torch can use, graphics cards, in words."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory / 2**30:.0f} GiB",
        "system": platform.system(),
        **_graphics(),
    }


def float_operations() -> float:
    """Float32 operations per second of this machine, measured on a matrix product for a tenth of a second."""
    import torch

    matrix = torch.ones(768, 768)
    torch.mm(matrix, matrix)
    rounds, start = 0, time.perf_counter()
    while time.perf_counter() - start < 0.1:
        torch.mm(matrix, matrix)
        rounds += 1
    return rounds * 2 * 768**3 / (time.perf_counter() - start)


@contextmanager
def one_thread() -> Iterator[None]:
    """Keeps torch to one thread, also as a decorator: for passes over rows that memory, not arithmetic, bounds.

    Where other programs keep the cores busy, several threads wait for each other at the end of each small operation.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _graphics() -> dict[str, str]:
    import torch

    if not torch.cuda.is_available():
        return {}
    names = Counter(torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count()))
    return {"graphics": ", ".join(f"{count} × {name}" for name, count in names.items())}


def _processor() -> str:
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
