"""A push of a run that did not change: seconds, processor seconds, and the requests that the embedded Hub gets.

    python benchmarks/push_again.py --megabytes 100 --times 5

The run is a pico one of every stage with a sibling, whose five models get a tensor of random bytes each. Every push is
a process of its own, from the command line; those after the first read no weights, since their hashes are remembered.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from subprocess import run as start
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import environment  # noqa: F401 - before anything of Hugging Face
import pico
import torch
from safetensors.torch import load_file, save_file

from hubadapt.localhub.accounts import write_token
from hubadapt.localhub.server import running
from hubadapt.manifest import hash_folder, list_files

_PUSH = "import sys; from hubadapt.cli.main import main; main()"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=100, help="of each model")
    parser.add_argument("--times", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = _make(Path(folder) / "work", options.megabytes * 1_000_000)
        time.sleep(3)  # hashes of files that changed a moment ago are not remembered
        with running(Path(folder) / "hub") as endpoint:
            settings = {
                "HF_ENDPOINT": endpoint,
                "HF_TOKEN": write_token(Path(folder) / "hub"),
                "XDG_CACHE_HOME": f"{folder}/cache",
            }
            for kind, times in (("first", 1), ("unchanged", options.times)):
                found = [_push(run, settings) for _ in range(times)]
                for number, name in enumerate(("wall", "processor")):
                    seconds = sorted(each[number] for each in found)
                    print(
                        f"{kind}: {name} {statistics.median(seconds):.2f} s ({seconds[0]:.2f} to {seconds[-1]:.2f}), "
                        f"n = {times}; {found[-1][2]}"
                    )
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def _push(run: Path, settings: dict[str, str]) -> tuple[float, float, str]:
    """Wall seconds and processor seconds of one push, and the last line that it prints."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-c", _PUSH, "push", str(run), "--to", "local"]
    done = start(command, env=os.environ | settings, capture_output=True, text=True, check=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, spent, done.stdout.splitlines()[-1]


def _make(folder: Path, size: int) -> Path:
    """A finished run with models of about `size` bytes each."""
    workshop = pico.Workshop.build(folder, sibling=True)
    with mock.patch("hubadapt.stages.sample._execute", pico.execute):
        workshop.run()
    path = workshop.out / "hubadapt.json"
    record = json.loads(path.read_text("utf-8"))
    made = [made for stage in record["stages"] for made in stage["artifacts"] if made["kind"] == "model"]
    for seed, artifact in enumerate(made):
        _grow(workshop.out / artifact["folder"], size, seed)
        artifact["files"] = [entry.model_dump() for entry in list_files(workshop.out / artifact["folder"])]
    for seed, source in enumerate((record["base"], record["siblings"]["instruct"]), start=len(made)):
        _grow(workshop.folder / source["id"], size, seed)
        source["revision"] = hash_folder(workshop.folder / source["id"])
    path.write_text(json.dumps(record), "utf-8")
    return workshop.out


def _grow(folder: Path, size: int, seed: int) -> None:
    tensors = load_file(folder / "model.safetensors")
    generator = torch.Generator().manual_seed(seed)
    tensors["filler"] = torch.randint(0, 256, (size,), dtype=torch.uint8, generator=generator)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


if __name__ == "__main__":
    main()
