"""Orthogonal matching pursuit against mergekit-tokensurgeon: time of the core, its weights, bits per byte right after.

The donor is the base with the tokenizer's new rows, made by length and shaken by a tenth of their norm. The peer runs
in an environment of its own (`pip install mergekit==0.1.5`), one process after the other, on as many threads. Without
--test, the models are not written.

    python benchmarks/omp.py --base demo/models/base --tokenizer extended --peer mergekit/bin/python --work /tmp/omp \
        --tokens 1024 --test sentences.jsonl.gz:150
"""

import argparse
import json
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from hubadapt.corpus.documents import read_documents
from hubadapt.evaluation.bits_per_byte import bits_per_byte
from hubadapt.model import load_model, load_tokenizer
from hubadapt.surgery.embed import Start, embed
from hubadapt.vocab_map import VOCAB_MAP_NAME, Origin, VocabMap

_TABLE = "model.embed_tokens.weight"
_TIMED = """
import os, sys, time, torch
from safetensors.torch import load_file, save_file
{load}
given = load_file(sys.argv[1])
before, start = os.times(), time.perf_counter()
chosen, weights = run(given["targets"], given["atoms"], int(sys.argv[3]))
wall, after = time.perf_counter() - start, os.times()
print(wall, after.user + after.system - before.user - before.system)
save_file({{"chosen": chosen.contiguous(), "weights": weights.contiguous()}}, sys.argv[2])
"""
_OURS = "from hubadapt.embeddings.pursuit import pursue as run"
_PEER = """
from mergekit.tokensurgeon.omp import batch_omp
def run(targets, atoms, k):
    parts = [batch_omp(targets[i : i + 512], atoms, k) for i in range(0, len(targets), 512)]
    return tuple(torch.cat(each) for each in zip(*parts))
"""


def write_donor(options: argparse.Namespace) -> Path:
    donor = options.work / "donor"
    embed(options.base, options.tokenizer, donor, Start(method="length(by=0.9)"))
    tensors = load_file(donor / "model.safetensors")
    new = torch.from_numpy(VocabMap.load(options.tokenizer / VOCAB_MAP_NAME).rows_of(Origin.COMPOSED))
    rows = tensors[_TABLE][new]
    noise = torch.randn(rows.shape, generator=torch.Generator().manual_seed(0))
    tensors[_TABLE][new] = rows + 0.1 * rows.norm(dim=1, keepdim=True) * noise / rows.shape[1] ** 0.5
    save_file(tensors, donor / "model.safetensors", metadata={"format": "pt"})
    return donor


def compare_cores(donor: Path, options: argparse.Namespace) -> None:
    table = load_file(donor / "model.safetensors")[_TABLE]
    new = VocabMap.load(options.tokenizer / VOCAB_MAP_NAME).rows_of(Origin.COMPOSED)
    targets = table[torch.from_numpy(new[: options.tokens])]
    given = options.work / "core.safetensors"
    save_file({"targets": targets, "atoms": table[: new[0]].contiguous()}, given)
    results = {}
    for name, python, load in (("hubadapt", sys.executable, _OURS), ("mergekit", options.peer, _PEER)):
        out = options.work / f"{name}.safetensors"
        code = _TIMED.format(load=load)
        done = subprocess.run(
            [python, "-c", code, given, out, str(options.k)], check=True, capture_output=True, text=True
        )
        wall, processor = map(float, done.stdout.split()[-2:])
        results[name] = (load_file(out), processor)
        per_token = 1000 * processor / len(targets)
        print(f"{name}: {wall:.1f} s, {processor:.1f} s of processor time, {per_token:.1f} ms a token", flush=True)
    (ours, our_time), (theirs, their_time) = results.values()
    dense = [
        torch.zeros(len(targets), new[0]).scatter_(1, each["chosen"], each["weights"].float())
        for each in (ours, theirs)
    ]
    difference = (dense[0] - dense[1]).abs().amax(dim=1)
    print(f"{their_time / our_time:.2f} × the peer's speed; n = {len(targets)}, k = {options.k}, {new[0]} anchors")
    print(f"weights equal within 1e-4: {int((difference < 1e-4).sum())} of {len(targets)}")
    for row in (difference >= 1e-4).nonzero()[:, 0].tolist():
        step = int((ours["chosen"][row] != theirs["chosen"][row]).nonzero()[0])
        print(f"  token {row} differs from step {step} on; lead there {lead(row, step, ours, theirs, given):.1e}")


def lead(row: int, step: int, ours: dict, theirs: dict, given: Path) -> float:
    """By how much, relatively, our choice scored higher than the peer's, in float64."""
    tensors = load_file(given)
    target, atoms = tensors["targets"][row].double(), tensors["atoms"].double()
    used = atoms[ours["chosen"][row, :step]]
    residual = target - torch.linalg.lstsq(used.T, target[:, None]).solution[:, 0] @ used if step else target
    own, other = (float((atoms[each["chosen"][row, step]] @ residual).abs()) for each in (ours, theirs))
    return own / other - 1


def compare_models(donor: Path, options: argparse.Namespace) -> None:
    peer = Path(options.peer).with_name("mergekit-tokensurgeon")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    for way in ("subword", "omp"):
        out = options.work / f"peer-{way}"
        command = [peer, options.base, donor, out, "-a", way, "-k", str(options.k)]
        subprocess.run(command, check=True, capture_output=True, env=environment)
        measure(f"mergekit -a {way}", out, options)
    for method in ("mean", "scaled", f"omp(k={options.k})"):
        out = options.work / "ours"
        embed(options.base, options.tokenizer, out, Start(method=method, donor=donor))
        measure(f"hubadapt {method}", out, options)
    measure("donor", donor, options)


def measure(name: str, folder: Path, options: argparse.Namespace) -> None:
    model, tokenizer = load_model(folder), load_tokenizer(options.tokenizer)
    for item in options.test:
        file, rows = item.rsplit(":", 1)
        texts = [document.text for document in islice(read_documents(Path(file), license="unknown"), int(rows))]
        bits = bits_per_byte(model, tokenizer, texts)
        print(f"{name}, {Path(file).name}: {bits.value:.4f} ± {bits.stderr:.4f}, n = {bits.n}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--base", "--tokenizer", "--work"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--peer", required=True)
    parser.add_argument("--k", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--test", nargs="*", default=[])
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    print(json.dumps({"threads": torch.get_num_threads(), "torch": torch.__version__}))
    donor = write_donor(options)
    compare_cores(donor, options)
    if options.test:
        compare_models(donor, options)


if __name__ == "__main__":
    main()
