"""LEP on a real base and sibling of 260 thousand parameters: which form is best, and when is it better than the swap.

The vocabulary of a model of stories is extended by 1,000 English tokens that are learnt on stories drawn from the model
itself. Its new rows are trained, or all its rows, the body frozen, and go into the chat sibling by every form. Measured
on the sibling: bits per byte of stories that nothing was learnt from, and of 48 requests how many are answered as it
answers them, with "Once upon a time", and how many answers end by themselves. --strengths makes other siblings of the
pair, base + strength · (chat − base): tunes that went further than the real one.

    python benchmarks/small_pair.py FOLDER --base stories260K --chat stories260K_chat --strengths 1 2

FOLDER must not exist; what is made in it is deleted.
"""

import argparse
import math
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from hubadapt.checkpoint import load_config
from hubadapt.evaluation.bits_per_byte import bits_of_texts, bytes_of_texts
from hubadapt.generation.greedy import prompt_ids
from hubadapt.manifest import write_atomic
from hubadapt.model import copy_tokenizer, load_model, load_tokenizer
from hubadapt.ratio import ratio_of_sums
from hubadapt.surgery.embed import Start, embed
from hubadapt.surgery.propagate import Lep, propagate
from hubadapt.tokenizer.build import added, learn, unchanged
from hubadapt.tokenizer.count import count_words
from hubadapt.tokenizer.dialects import dialect_of
from hubadapt.tokenizer.families import read_tokenizer_json
from hubadapt.tokenizer.learn import Lesson
from hubadapt.training.packing import pack
from hubadapt.vocab_map import VOCAB_MAP_NAME

_NEW = 1000
_THINGS = (  # noqa: SIM905 (a list of quoted words would be harder to read)
    "dog cat bird fish frog bear fox duck horse cow pig sheep rabbit mouse lion tiger bee ant tree flower star moon "
    "sun cloud river sea boat train car bus bike ball doll kite drum hat shoe coat cake apple cookie bread house "
    "garden park school farm king"
).split()
_LONGEST = 400
_FORMS = [
    Lep("swap"),
    Lep("overlap"),
    Lep("conversion"),
    Lep("ridge", 0.1),
    Lep("ridge", 1.0),
    Lep("delta"),
    Lep("auto"),
]


@torch.inference_mode()
def draw_stories(folder: Path, count: int) -> list[str]:
    """Stories that a model tells by itself, cut at the last full stop."""
    torch.manual_seed(0)
    model, tokenizer = load_model(folder), AutoTokenizer.from_pretrained(folder)
    first, stories = tokenizer.bos_token_id, []
    while len(stories) < count:
        ids = torch.full((64, 1), first)
        drawn = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=220, do_sample=True, top_k=0, pad_token_id=first
        )
        for row in drawn[:, 1:].tolist():
            text = tokenizer.decode(row[: row.index(first)] if first in row else row)
            stories.append(text[: text.rfind(".") + 1].strip())
    return [story for story in stories[:count] if story]


def write_tokenizer(base: Path, folder: Path, stories: Sequence[str]) -> None:
    content, rows = read_tokenizer_json(base), load_config(base).get_text_config().vocab_size
    start = unchanged(content, rows)
    words = count_words(stories, dialect_of(content, ("Latin",)), ("Latin",))
    grown = added(start, learn(start, words, Lesson(_NEW, 2, allow=lambda entry: True)), new_tokens=_NEW, first_id=rows)
    copy_tokenizer(base, folder)
    write_atomic(folder / "tokenizer.json", grown.tokenizer.to_str())
    grown.vocab_map().save(folder / VOCAB_MAP_NAME)


def train(source: Path, target: Path, stories: Sequence[str], *, first_row: int, rate: float, steps: int) -> None:
    """Train the rows of the tied table from `first_row` on; nothing decays."""
    torch.manual_seed(0)
    model, tokenizer = load_model(source).train(), load_tokenizer(source)
    model.requires_grad_(False)
    table = model.get_input_embeddings().weight.requires_grad_(True)
    blocks = torch.from_numpy(pack(stories, tokenizer, first=tokenizer.bos_token_id, shape=(8 * steps, 128), seed=0))
    optimizer = torch.optim.Adam([table], lr=rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / 20) * 0.5 * (1 + math.cos(math.pi * step / steps))
    )
    for batch in blocks.split(8):
        optimizer.zero_grad()
        model(input_ids=batch, labels=batch).loss.backward()
        table.grad[:first_row] = 0
        optimizer.step()
        schedule.step()
    model.save_pretrained(target)
    copy_tokenizer(source, target)
    shutil.copyfile(source / VOCAB_MAP_NAME, target / VOCAB_MAP_NAME)


@dataclass(frozen=True)
class Found:
    """Bits of each held-out story, and for each request whether it opens as a story and ends by itself."""

    bits: np.ndarray
    opens: int
    ends: int


def evaluate(folder: Path, held_out: Sequence[str]) -> Found:
    model, tokenizer = load_model(folder), load_tokenizer(folder)
    chat = tokenizer.chat_template is not None
    requests = [prompt_ids(tokenizer, f"Tell me a story about a {thing}.", chat=chat) for thing in _THINGS]
    answers = answered(model, requests, tokenizer.eos_token_id)
    ends = sum(tokenizer.eos_token_id in answer for answer in answers)
    opens = sum(tokenizer.decode(answer).strip().startswith("Once upon a time") for answer in answers)
    return Found(bits_of_texts(model, tokenizer, held_out), opens, ends)


@torch.inference_mode()
def answered(model: Any, requests: Sequence[list[int]], end: int) -> list[list[int]]:
    """Ids after each request, the likeliest each time, up to 400."""
    width = max(map(len, requests))
    ids = torch.full((len(requests), width), end)
    mask = torch.zeros_like(ids)
    for row, request in enumerate(requests):
        ids[row, width - len(request) :] = torch.tensor(request)
        mask[row, width - len(request) :] = 1
    output = model.generate(
        ids, attention_mask=mask, do_sample=False, max_new_tokens=_LONGEST, eos_token_id=end, pad_token_id=end
    )
    return output[:, width:].tolist()


def strengthened(base: Path, chat: Path, folder: Path, strength: float) -> Path:
    shutil.copytree(chat, folder)
    model, start = AutoModelForCausalLM.from_pretrained(chat), dict(load_model(base).named_parameters())
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(start[name] + strength * (parameter - start[name]))
    model.save_pretrained(folder)
    return folder


def interval(count: int, n: int) -> str:
    """Wilson's interval of 95 %, in counts."""
    share, z = count / n, 1.96
    middle, half = share + z**2 / (2 * n), z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = ((middle + sign * half) / (1 + z**2 / n) * n for sign in (-1, 1))
    return f"{count} ({low:.0f}–{high:.0f})"


def show(name: str, found: Found, swap: Found | None, held_out: Sequence[str]) -> None:
    sizes = bytes_of_texts(held_out)
    own = ratio_of_sums(found.bits, sizes)
    line = f"| {name} | {own.value:.3f} ± {own.stderr:.3f} |"
    if swap is not None:
        beside = ratio_of_sums(found.bits - swap.bits, sizes)
        line += f" {beside.value:+.4f} ± {beside.stderr:.4f} |"
    print(f"{line} {interval(found.opens, 48)} | {interval(found.ends, 48)} |", flush=True)


def carried(folder: Path, adapted: Path, sibling: Path, held_out: Sequence[str]) -> None:
    made: dict[str, Found] = {}
    for lep in _FORMS:
        name = f"{lep.form} {lep.ridge:g}" if lep.ridge else str(lep.form)
        out = folder / "out"
        done = propagate(folder / "base", adapted, {"chat": sibling}, out, lep)["chat"]
        ((_, solution),) = done.maps.items()
        if lep.form == "auto":
            name = f"auto: {solution.form} {solution.ridge:g}"
        made[name] = evaluate(out / "chat", held_out)
        shutil.rmtree(out)
        residual = "" if solution.residual is None else f", residual {solution.residual:.3f}"
        name = f"{name}, {done.kept['model.embed_tokens.weight']} rows kept{residual}"
        show(name, next(reversed(made.values())), made["swap"], held_out)


def run(folder: Path, options: argparse.Namespace) -> None:
    for name in ("base", "chat"):
        shutil.copytree(getattr(options, name), folder / name)
    stories = draw_stories(folder / "base", options.stories)
    learnt, held_out = stories[options.held_out :], stories[: options.held_out]
    write_tokenizer(folder / "base", folder / "tokenizer", learnt)
    embed(folder / "base", folder / "tokenizer", folder / "embedded", Start(method="mean"))
    shutil.copyfile(folder / "tokenizer" / VOCAB_MAP_NAME, folder / "embedded" / VOCAB_MAP_NAME)
    old = load_config(folder / "base").vocab_size
    print(f"{len(learnt)} stories learnt from, {len(held_out)} held out, {bytes_of_texts(held_out).sum():,} bytes")
    show("base", evaluate(folder / "base", held_out), None, held_out)
    show("base, longer, mean rows", evaluate(folder / "embedded", held_out), None, held_out)
    regimes = {f"new rows, {options.rate:g}": (old, options.rate)} | {
        f"all rows, {r:g}": (0, r) for r in options.all_rates
    }
    for number, (regime, (first, rate)) in enumerate(regimes.items()):
        adapted = folder / f"adapted{number}"
        train(folder / "embedded", adapted, learnt, first_row=first, rate=rate, steps=options.steps)
        show(f"base, {regime}", evaluate(adapted, held_out), None, held_out)
    for strength in options.strengths:
        sibling = strengthened(folder / "base", folder / "chat", folder / f"chat {strength:g}", strength)
        show(f"sibling, strength {strength:g}", evaluate(sibling, held_out), None, held_out)
        embed(sibling, folder / "tokenizer", folder / "mean", Start(method="mean"))
        show("sibling, longer, mean rows", evaluate(folder / "mean", held_out), None, held_out)
        for number, regime in enumerate(regimes):
            print(f"strength {strength:g}, {regime}")
            carried(folder, folder / f"adapted{number}", sibling, held_out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--chat", type=Path, required=True)
    parser.add_argument("--stories", type=int, default=2000)
    parser.add_argument("--held-out", type=int, default=200)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--rate", type=float, default=1e-2)
    parser.add_argument("--all-rates", type=float, nargs="*", default=[1e-2, 1e-3])
    parser.add_argument("--strengths", type=float, nargs="+", default=[1.0])
    options: Any = parser.parse_args()
    warnings.filterwarnings("ignore")
    options.folder.mkdir(parents=True)
    try:
        run(options.folder, options)
    finally:
        shutil.rmtree(options.folder)


if __name__ == "__main__":
    main()
