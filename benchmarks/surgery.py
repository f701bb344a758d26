"""New rows for a model larger than memory: wall time beside `cp -r`, and the most memory that was its own.

`large` makes a checkpoint of Llama-3-8B's shape (V 128,256, D 4,096, untied, bf16, files of 5 GB; --layers for a
smaller one), runs `hubadapt embed --method mean` for 32,000 more tokens of 2 to 4 pieces each in a control group of
--limit GiB, and `cp -r` of the same folder before each, both flushed, the page cache dropped before. `small` has the
shape of SmolLM2-135M and transformers' `resize_token_embeddings(mean_resizing=True)` as its peer, whole processes.

    python benchmarks/surgery.py large FOLDER --layers 32 --pairs 3
    python benchmarks/surgery.py small FOLDER --pairs 5

FOLDER must not exist; what is made in it is deleted. Limiting memory and dropping the page cache needs root on Linux:
without it the run goes on, and says so.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from hubadapt.checkpoint.new_tensor import NewTensor, write_shard
from hubadapt.tokenizer.byte_level import byte_to_char
from hubadapt.vocab_map import VOCAB_MAP_NAME, from_pieces

_NEW = 32_000
_SHARD = 5_000_000_000
_BLOCK = 16 * 1024 * 1024
_CLI = [sys.executable, "-c", "from hubadapt.cli.main import main; main()"]
_RESIZE = """
import sys, torch
from transformers import AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
model.resize_token_embeddings(model.config.vocab_size + int(sys.argv[3]), mean_resizing=True)
model.save_pretrained(sys.argv[2])
"""


def llama(layers: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=128_256, hidden_size=4096, intermediate_size=14_336, num_hidden_layers=layers,
        num_attention_heads=32, num_key_value_heads=8, tie_word_embeddings=False, dtype="bfloat16",
        architectures=["LlamaForCausalLM"],
    )  # fmt: skip


def smollm() -> LlamaConfig:
    return LlamaConfig(
        vocab_size=49_152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
        num_key_value_heads=3, tie_word_embeddings=True, dtype="bfloat16", architectures=["LlamaForCausalLM"],
    )  # fmt: skip


def random_tensor(shape: tuple[int, ...], pool: torch.Tensor) -> NewTensor:
    """Normal values; each block is a piece of one pool, from another place on."""

    def blocks() -> Iterator[torch.Tensor]:
        rows = max(1, _BLOCK // max(1, int(np.prod(shape[1:]))))
        for start in range(0, shape[0], rows):
            block = (min(rows, shape[0] - start), *shape[1:])
            size = int(np.prod(block))
            first = (start * 7919) % (len(pool) - size + 1)
            yield pool[first : first + size].reshape(block)

    return NewTensor(shape, torch.bfloat16, blocks)


def make_base(folder: Path, config: LlamaConfig) -> None:
    folder.mkdir(parents=True)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    pool = torch.randn(2 * _BLOCK, generator=torch.Generator().manual_seed(0)).mul(0.02).to(torch.bfloat16)
    shards: list[dict[str, NewTensor]] = [{}]
    for name, parameter in model.named_parameters():
        tensor = random_tensor(tuple(parameter.shape), pool)
        if sum(other.size for other in shards[-1].values()) + tensor.size > _SHARD:
            shards.append({})
        shards[-1][name] = tensor
    names = [f"model-{at:05}-of-{len(shards):05}.safetensors" for at in range(1, len(shards) + 1)]
    names = names if len(shards) > 1 else ["model.safetensors"]
    for name, shard in zip(names, shards, strict=True):
        write_shard(folder / name, dict(sorted(shard.items())), {"format": "pt"})
    if len(shards) > 1:
        places = {tensor: name for name, shard in zip(names, shards, strict=True) for tensor in shard}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    config.save_pretrained(folder)
    write_tokenizer(folder, config.vocab_size)


def write_tokenizer(folder: Path, size: int) -> None:
    """A byte-level BPE whose entries beside the 256 bytes are made up."""
    folder.mkdir(exist_ok=True)
    entries = [*byte_to_char().values(), *(f"x{index:x}" for index in range(size - 256))]
    content = {
        "version": "1.0", "added_tokens": [], "normalizer": None, "post_processor": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "vocab": {entry: index for index, entry in enumerate(entries)}, "merges": []},
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False), "utf-8")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')


def write_new_tokenizer(folder: Path, size: int) -> None:
    write_tokenizer(folder, size + _NEW)
    chance = np.random.default_rng(0)
    pieces = [chance.integers(0, size, count).tolist() for count in chance.integers(2, 5, _NEW)]
    from_pieces(size, pieces).save(folder / VOCAB_MAP_NAME)


@contextmanager
def memory_limit(gigabytes: float) -> Iterator[Path | None]:
    """The control group that a process must join, or None where none can be made."""
    root = Path("/sys/fs/cgroup")
    version2 = (root / "cgroup.controllers").is_file()
    group = (root if version2 else root / "memory") / f"surgery-{os.getpid()}"
    try:
        group.mkdir()
        limit = group / ("memory.max" if version2 else "memory.limit_in_bytes")
        limit.write_text(str(int(gigabytes * 2**30)))
    except OSError as error:
        print(f"no memory limit: {error}")
        yield None
        return
    try:
        yield group
    finally:
        group.rmdir()


def run(command: list[str], group: Path | None = None) -> tuple[float, float, float]:
    """Seconds until a command's files are on the disk, seconds of processor, and its most anonymous memory, in GB."""
    subprocess.run(["sync"], check=True)
    if os.access("/proc/sys/vm/drop_caches", os.W_OK):
        Path("/proc/sys/vm/drop_caches").write_text("3")

    def join() -> None:
        if group is not None:
            (group / "cgroup.procs").write_text(str(os.getpid()))

    start, before = time.perf_counter(), processor_seconds()
    process = subprocess.Popen(command, preexec_fn=join, stdout=subprocess.DEVNULL)
    peak = [0]
    watcher = threading.Thread(target=watch, args=(process, peak))
    watcher.start()
    if process.wait():
        raise SystemExit(f"{command[:4]} failed")
    subprocess.run(["sync"], check=True)
    seconds = time.perf_counter() - start
    watcher.join()
    return seconds, processor_seconds() - before, peak[0] / 1e9


def processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def watch(process: subprocess.Popen[bytes], peak: list[int]) -> None:
    while process.poll() is None:
        try:
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        except OSError:
            return
        for line in lines:
            if line.startswith("RssAnon:"):
                peak[0] = max(peak[0], int(line.split()[1]) * 1024)
        time.sleep(0.02)


def measure(
    folder: Path, commands: dict[str, Callable[[Path], list[str]]], pairs: int, group: Path | None
) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in commands}
    peaks = dict.fromkeys(commands, 0.0)
    for _ in range(pairs):
        for name, command in commands.items():
            seconds, work, peak = run(command(folder / "out"), group if name.startswith("embed") else None)
            print(f"{name}: {seconds:.1f} s, of processor {work:.1f} s, {peak:.2f} GB anonymous", flush=True)
            times[name].append(seconds)
            peaks[name] = max(peaks[name], peak)
            shutil.rmtree(folder / "out")
    for name, seconds in times.items():
        spread = f"{min(seconds):.1f} to {max(seconds):.1f}"
        print(f"{name}: median {statistics.median(seconds):.1f} s ({spread}), peak {peaks[name]:.2f} GB anonymous")
    return times


def embed(folder: Path, *options: str) -> Callable[[Path], list[str]]:
    base, tokenizer = str(folder / "base"), str(folder / "tokenizer")
    return lambda out: [*_CLI, "embed", base, "--tokenizer", tokenizer, "--out", str(out), "--method", "mean", *options]


def large(folder: Path, options: argparse.Namespace) -> None:
    make_base(folder / "base", llama(options.layers))
    write_new_tokenizer(folder / "tokenizer", 128_256)
    size = sum(path.stat().st_size for path in (folder / "base").iterdir())
    print(f"{size / 1e9:.2f} GB in {len(list((folder / 'base').glob('*.safetensors')))} files")
    commands = {
        "cp -r": lambda out: ["cp", "-r", str(folder / "base"), str(out)],
        "embed": embed(folder),
        "embed --link": embed(folder, "--link"),
    }
    with memory_limit(options.limit) as group:
        times = measure(folder, commands, options.pairs, group)
    ratios = [mine / peer for mine, peer in zip(times["embed"], times["cp -r"], strict=True)]
    print(f"embed / cp -r: {', '.join(f'{ratio:.2f}' for ratio in ratios)}")


def small(folder: Path, options: argparse.Namespace) -> None:
    make_base(folder / "base", smollm())
    write_new_tokenizer(folder / "tokenizer", 49_152)
    resize = [sys.executable, "-c", _RESIZE, str(folder / "base")]
    commands = {"resize": lambda out: [*resize, str(out), str(_NEW)], "embed": embed(folder)}
    times = measure(folder, commands, options.pairs, None)
    ratios = [peer / mine for mine, peer in zip(times["embed"], times["resize"], strict=True)]
    print(f"resize / embed: {', '.join(f'{ratio:.2f}' for ratio in ratios)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=["large", "small"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--limit", type=float, default=3.0, help="GiB")
    options = parser.parse_args()
    options.folder.mkdir(parents=True)
    try:
        {"large": large, "small": small}[options.shape](options.folder, options)
    finally:
        shutil.rmtree(options.folder)


if __name__ == "__main__":
    main()
