"""LEP between checkpoints larger than memory: seconds for each table, what a further sibling costs, and memory.

`tables` makes a base of Llama-3-8B's shape (V 128,256 → 160,256, D 4,096, untied, bf16; --layers of its body), siblings
whose rows all differ from it, and an adapted base of which the new rows were trained, or with --all-rows every row, and
runs `hubadapt propagate` for one sibling, then for more, in a control group of --limit GiB, the page cache dropped
before each. Processor seconds stand beside wall time, for machines that do other work too. `error` compares maps with a
float64 least-squares solver at a size where that fits.

    python benchmarks/propagation.py tables FOLDER --siblings 1 2 3
    python benchmarks/propagation.py tables FOLDER --siblings 1 --all-rows
    python benchmarks/propagation.py error

FOLDER must not exist; what is made in it is deleted. Limiting memory and dropping the page cache needs root on Linux:
without it the run goes on, and says so.
"""

import argparse
import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from surgery import _CLI, llama, make_base, memory_limit, run, write_new_tokenizer

from hubadapt.checkpoint import NewTensor, find_tables, load_config, read_tensor, write_with_tables
from hubadapt.model import copy_tokenizer
from hubadapt.propagation.fit import fit_maps
from hubadapt.propagation.forms import Form, Transfer
from hubadapt.propagation.rows import usable_rows
from hubadapt.vocab_map import VOCAB_MAP_NAME, VocabMap, apply_blocks, from_pieces

_SHAKEN = 0.3


def shaken(blocks: Iterator[torch.Tensor], seed: int, first: int) -> Iterator[torch.Tensor]:
    """Blocks whose rows from `first` on have noise of 0.3 times their own size added."""
    chance, start = torch.Generator().manual_seed(seed), 0
    noise = torch.randn(4096 * 4096, generator=chance).to(torch.bfloat16)
    for block in blocks:
        rows = block.clone()
        place = max(0, min(first - start, len(rows)))
        at = int(torch.randint(0, 1024, (1,), generator=chance))
        part = noise[at : at + rows[place:].numel()]
        part = torch.cat([part, noise[: rows[place:].numel() - len(part)]]).view_as(rows[place:])
        rows[place:] += _SHAKEN * rows.std() * part
        start += len(rows)
        yield rows


def copy_shaken(source: Path, target: Path, *, seed: int, first: int = 0, pieces: VocabMap | None = None) -> None:
    """A model with other tables: those of a sibling, or with `pieces` those of an adapted base."""
    tables = {}
    for place, name in enumerate(find_tables(load_config(source)).names):
        table = read_tensor(source, name)
        blocks = partial(apply_blocks, pieces, table) if pieces else partial(torch.split, table, 4096)
        rows = pieces.new_size if pieces else len(table)

        def made(blocks=blocks, place=place) -> Iterator[torch.Tensor]:
            return shaken(iter(blocks()), seed + place, first)

        tables[name] = NewTensor((rows, table.shape[1]), table.dtype, made)
    write_with_tables(source, target, tables, config_changes={"vocab_size": rows})


def make(folder: Path, options: argparse.Namespace) -> None:
    make_base(folder / "base", llama(options.layers))
    write_new_tokenizer(folder / "tokenizer", 128_256)
    pieces = VocabMap.load(folder / "tokenizer" / VOCAB_MAP_NAME)
    first = 0 if options.all_rows else pieces.old_size
    copy_shaken(folder / "base", folder / "adapted", seed=100, first=first, pieces=pieces)
    copy_tokenizer(folder / "tokenizer", folder / "adapted")
    shutil.copyfile(folder / "tokenizer" / VOCAB_MAP_NAME, folder / "adapted" / VOCAB_MAP_NAME)
    for number in range(max(options.siblings)):
        copy_shaken(folder / "base", folder / f"sibling{number}", seed=10 * number)
        copy_tokenizer(folder / "base", folder / f"sibling{number}")


def tables(folder: Path, options: argparse.Namespace) -> None:
    make(folder, options)
    seconds: dict[int, float] = {}
    used: dict[int, float] = {}
    with memory_limit(options.limit) as group:
        for count in options.siblings:
            named = [word for number in range(count) for word in ("--sibling", f"s{number}={folder}/sibling{number}")]
            command = [*_CLI, "propagate", "--base", str(folder / "base"), "--adapted", str(folder / "adapted"), *named]
            seconds[count], used[count], peak = run(
                [*command, "--out", str(folder / "out"), "--form", options.form], group
            )
            shutil.rmtree(folder / "out")
            print(
                f"{count} siblings: {seconds[count]:.1f} s, {used[count]:.1f} processor seconds, load "
                f"{os.getloadavg()[1]:.1f}, {peak:.2f} GB anonymous",
                flush=True,
            )
    for kind, total in (("wall", seconds), ("processor", used)):
        for count in total:
            if count == 1:
                print(f"{kind}: {total[1] / 2:.1f} s a table with one sibling, all else included")
            elif 1 in total:
                further = (total[count] - total[1]) / (count - 1)
                print(f"{kind}: each further of {count}: {further:.1f} s, {further / total[1]:.2f} of the first")


def error(options: argparse.Namespace) -> None:
    rows, width, new = 4_000, 256, 1_000
    chance = np.random.default_rng(0)
    pieces = from_pieces(rows, [chance.integers(0, rows, count).tolist() for count in chance.integers(2, 5, new)])
    base = torch.randn(rows, width, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    turn = torch.eye(width) + 0.1 * torch.randn(width, width, generator=torch.Generator().manual_seed(1)) / width**0.5
    noise = 0.1 * torch.randn(rows, width, generator=torch.Generator().manual_seed(2))
    sibling = (base.float() @ turn + noise).to(torch.bfloat16)
    x, y = (torch.cat(list(apply_blocks(pieces, table.double()))) for table in (base, sibling))
    # `apply_blocks` sums in float32.
    for place, row in enumerate(range(rows, rows + new)):
        part = torch.from_numpy(pieces.indices[pieces.indptr[row] : pieces.indptr[row + 1]])
        x[rows + place], y[rows + place] = base.double()[part].mean(0), sibling.double()[part].mean(0)
    for form, count in ((Form.OVERLAP, rows), (Form.CONVERSION, rows + new)):
        usable = usable_rows(pieces, np.arange(rows))
        (found,) = fit_maps(base, [sibling], pieces, usable, Transfer(form))
        expected = torch.linalg.lstsq(x[:count], y[:count], driver="gelsy").solution
        difference = (found.matrix - expected).abs().max() / expected.abs().max()
        print(f"{form}: {count:,} × {width}, condition {found.condition:.3g}, largest difference {difference:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["tables", "error"])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--siblings", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--all-rows", action="store_true")
    parser.add_argument("--form", default="conversion")
    parser.add_argument("--limit", type=float, default=3.0, help="GiB")
    options = parser.parse_args()
    if options.part == "error":
        return error(options)
    options.folder.mkdir(parents=True)
    try:
        return tables(options.folder, options)
    finally:
        shutil.rmtree(options.folder)


if __name__ == "__main__":
    main()
