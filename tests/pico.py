"""Builders of everything small that tests use: tokenizers, models, text, recipes. All of it is made, none copied.

A pico model is a real one (2 layers, 32 wide), written by `save_pretrained` in milliseconds, so tests run the very
pipeline that users run.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPTNeoXConfig,
    LlamaConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BYTE_LEVEL_STYLES = ("gpt2", "llama3", "qwen")

_ENGLISH = (  # noqa: SIM905 (a list of quoted words would be harder to read)
    "the a this that some every river house garden winter letter teacher student window forest morning evening road "
    "city writes reads finds opens closes sees loves builds carries small large quiet old new green warm bright slow "
    "and or but near under over after before with without"
).split()
_RUSSIAN = (  # noqa: SIM905
    "река дом сад зима письмо учитель ученик окно лес утро вечер дорога город пишет читает находит открывает закрывает "
    "видит любит строит несёт маленький большой тихий старый новый зелёный тёплый светлый медленный и или но возле под "
    "над после перед сегодня завтра вчера очень снова"
).split()
_FRENCH = (  # noqa: SIM905
    "la le les une des rivière maison jardin hiver lettre maîtresse élève fenêtre forêt matin soirée chemin ville "
    "écrit lit trouve ouvre ferme voit aime bâtit porte petit grand tranquille vieux nouveau vert chaud clair lent et "
    "ou mais près sous sur après avant avec sans très encore demain hier"
).split()


def sentences(words: list[str], *, count: int, seed: int) -> list[str]:
    """Sentences of random words: capital letter, full stop, now and then a comma or a number."""
    chance = random.Random(seed)
    made = []
    for _ in range(count):
        chosen = chance.choices(words, k=chance.randint(4, 9))
        text = " ".join(word + ("," if chance.random() < 0.1 else "") for word in chosen).rstrip(",")
        number = f" {chance.randint(1, 2026)}" if chance.random() < 0.15 else ""
        made.append(text[0].upper() + text[1:] + number + ".")
    return made


def english(count: int = 200, seed: int = 1) -> list[str]:
    return sentences(_ENGLISH, count=count, seed=seed)


def russian(count: int = 200, seed: int = 2) -> list[str]:
    return sentences(_RUSSIAN, count=count, seed=seed)


def french(count: int = 200, seed: int = 4) -> list[str]:
    return sentences(_FRENCH, count=count, seed=seed)


def write_jsonl(path: Path, texts: list[str], *, together: int = 4) -> Path:
    """A JSON Lines corpus, `together` sentences a document, a line each."""
    documents = ["\n".join(texts[i : i + together]) for i in range(0, len(texts), together)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in documents), "utf-8")
    return path


def byte_level_tokenizer(style: str = "gpt2", *, vocab_size: int = 340) -> Tokenizer:
    """A byte-level BPE trained on generated English, in the dialect of GPT-2, Llama 3 or Qwen."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=style == "llama3"))
    if style == "gpt2":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        pattern = LLAMA3_PATTERN if style == "llama3" else LLAMA3_PATTERN.replace(r"\p{N}{1,3}", r"\p{N}")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    if style == "qwen":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(SPECIALS),
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(english(), trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIALS])
    return tokenizer


def byte_fallback_tokenizer() -> Tokenizer:
    """A SentencePiece-like BPE with byte fallback, as Llama 2 and Mistral have."""
    vocab = {"<unk>": 0, "<s>": 1, "</s>": 2} | {f"<0x{byte:02X}>": 3 + byte for byte in range(256)}
    for letter in "▁abcdefghijklmnopqrstuvwxyz":
        vocab[letter] = len(vocab)
    merges = [("t", "h"), ("th", "e"), ("▁", "the")]
    vocab |= {"".join(merge): len(vocab) + i for i, merge in enumerate(merges)}
    tokenizer = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer


def unigram_tokenizer() -> Tokenizer:
    """A Unigram tokenizer, as T5 and Gemma's kin have."""
    pieces = [
        ("<unk>", 0.0),
        ("</s>", 0.0),
        *((letter, -4.0) for letter in "▁abcdefghijklmnopqrstuvwxyz"),
        ("▁the", -2.0),
    ]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return tokenizer


def wordpiece_tokenizer() -> Tokenizer:
    """A WordPiece tokenizer, as BERT has."""
    return Tokenizer(models.WordPiece({"[UNK]": 0, "</s>": 1, "the": 2, "##a": 3}, unk_token="[UNK]"))


def tokenizer_of(style: str) -> Tokenizer:
    """The tokenizer of a style: one of `BYTE_LEVEL_STYLES`, `byte-fallback`, `unigram` or `wordpiece`."""
    makers = {
        "byte-fallback": byte_fallback_tokenizer, "unigram": unigram_tokenizer, "wordpiece": wordpiece_tokenizer,
    }  # fmt: skip
    return makers.get(style, lambda: byte_level_tokenizer(style))()


def write_tokenizer(folder: Path, style: str = "gpt2") -> Path:
    """A tokenizer folder as `save_pretrained` writes it."""
    backend = tokenizer_of(style)
    end = SPECIALS[0] if style in BYTE_LEVEL_STYLES else "</s>"
    special = {"bos_token": SPECIALS[0]} if style == "gpt2" else {}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=end, **special)
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(folder)
    return folder


def config_of(architecture: str, *, rows: int, tied: bool, hidden: int = 32) -> Any:
    """A pico configuration of `llama`, `qwen2`, `gemma2` or `gpt_neox`."""
    common = {
        "vocab_size": rows,
        "hidden_size": hidden,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 1024,
        "tie_word_embeddings": tied,
        "bos_token_id": None,
        "eos_token_id": None,
    }
    if architecture == "gpt_neox":
        return GPTNeoXConfig(**common)
    if architecture == "gemma2":
        return Gemma2Config(**common, num_key_value_heads=2, head_dim=8)
    return {"llama": LlamaConfig, "qwen2": Qwen2Config}[architecture](**common, num_key_value_heads=2)


def write_model(
    folder: Path,
    *,
    style: str = "gpt2",
    architecture: str = "llama",
    tied: bool = True,
    hidden: int = 32,
    spare_rows: int = 0,
    dtype: torch.dtype = torch.float32,
    sharded: bool = False,
    seed: int = 0,
) -> Path:
    """A pico model with its tokenizer.

    Args:
        folder: Where to write it.
        style: Of the tokenizer, as in `tokenizer_of`.
        architecture: As in `config_of`.
        tied: Whether head and input table are one.
        hidden: Width of the model.
        spare_rows: Rows of the tables beyond the tokenizer's largest id.
        dtype: Of the weights on disk.
        sharded: Whether the weights lie in several files.
        seed: Of the weights.
    """
    write_tokenizer(folder, style)
    rows = max(tokenizer_of(style).get_vocab().values()) + 1 + spare_rows
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config_of(architecture, rows=rows, tied=tied, hidden=hidden))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.3)
    model.tie_weights()
    model.to(dtype).save_pretrained(folder, max_shard_size="30KB" if sharded else "1GB")
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n", "utf-8")
    return folder


def write_sibling(base: Path, folder: Path, *, noise: float = 0.02, seed: int = 7) -> Path:
    """A tune of a base: its tables turned a little, everything shaken a little."""
    shutil.copytree(base, folder)
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(base)
    hidden = model.config.hidden_size
    turn = torch.linalg.matrix_exp(
        0.1 * torch.triu(torch.randn(hidden, hidden), 1).sub_(torch.randn(hidden, hidden).tril(-1))
    )
    tables = {id(model.get_input_embeddings().weight), id(model.get_output_embeddings().weight)}
    with torch.no_grad():
        for parameter in model.parameters():
            if id(parameter) in tables:
                parameter.copy_((parameter.float() @ turn).to(parameter.dtype))
            parameter.add_(noise * torch.randn_like(parameter))
    for weights in [*folder.glob("*.safetensors"), *folder.glob("*.index.json")]:
        weights.unlink()
    model.save_pretrained(folder)
    return folder


def write_extended(base: Path, folder: Path, *, new_tokens: int) -> Path:
    """A tokenizer folder of the base's vocabulary and Russian merges, with its vocabulary map."""
    from hubadapt.checkpoint import load_config
    from hubadapt.model import copy_tokenizer
    from hubadapt.tokenizer.build import added, learn, unchanged
    from hubadapt.tokenizer.count import count_words
    from hubadapt.tokenizer.dialects import dialect_of
    from hubadapt.tokenizer.families import read_tokenizer_json
    from hubadapt.tokenizer.learn import Lesson
    from hubadapt.vocab_map import VOCAB_MAP_NAME

    content, rows = read_tokenizer_json(base), load_config(base).get_text_config().vocab_size
    start = unchanged(content, rows)
    words = count_words(russian(), dialect_of(content, ("Cyrillic",)), ("Cyrillic",))
    grown = added(
        start,
        learn(start, words, Lesson(new_tokens, 2, allow=lambda entry: True)),
        new_tokens=new_tokens,
        first_id=rows,
    )
    copy_tokenizer(base, folder)
    (folder / "tokenizer.json").write_text(json.dumps(grown.content), "utf-8")
    grown.vocab_map().save(folder / VOCAB_MAP_NAME)
    return folder


def without(folder: Path, copy: Path, name: str) -> Path:
    """A copy of a folder without one of its files."""
    shutil.copytree(folder, copy)
    (copy / name).unlink()
    return copy


def poisoned(base: Path, copy: Path, *, row: int) -> Path:
    """A copy of a model whose input table has NaN in one row."""
    shutil.copytree(base, copy)
    model = load(copy)
    model.get_input_embeddings().weight.data[row] = float("nan")
    for weights in [*copy.glob("*.safetensors"), *copy.glob("*.index.json")]:
        weights.unlink()
    model.save_pretrained(copy)
    return copy


def load(folder: Path) -> Any:
    """The model of a folder, in the dtype it lies there."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype="auto")


SMALL_STAGES: dict[str, dict[str, Any]] = {
    "corpus": {
        "sources": [
            {"path": "ru.jsonl", "language": "ru", "license": "cc0-1.0"},
            {"path": "en.jsonl", "language": "en", "license": "cc0-1.0"},
        ],
        "held_out": 0.2,
    },
    "tokenizer": {"new_tokens": 80, "min_occurrences": 2},
    "embed": {},
    "pretrain": {"steps": 6, "batch_size": 2, "block_size": 48, "warmup_steps": 1, "save_every": 2},
    "propagate": {},
    "evaluate": {"texts": 5, "max_characters": 120, "prompts": 1, "new_tokens": 4},
    "sample": {"prompt": "Утро", "max_new_tokens": 6},
}


def small_recipe(*, sibling: bool = False, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """A recipe with small figures, as plain data to change before it is written."""
    stages = copy.deepcopy(SMALL_STAGES)
    left_out = {*without, *(() if sibling else ("propagate",))}
    content: dict[str, Any] = {"name": "pico-ru", "language": "ru", "license": "apache-2.0", "base": "./base"}
    if sibling:
        content["siblings"] = {"instruct": "./sibling"}
    content["stages"] = [{kind: params} for kind, params in stages.items() if kind not in left_out]
    return content


@dataclass
class Outcome:
    """What the command line answered."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class HubAccess:
    """Where an embedded Hub is, with a token that may write and one that may only read."""

    endpoint: str
    token: str
    read_token: str


@dataclass
class Workshop:
    """A folder with models, corpus, a recipe and, once run, a run folder.

    Attributes:
        folder: Holds all of it.
        content: The recipe as plain data; `write` puts it on disk.
        events: What the runner reported, `(kind, event)`, in order.
    """

    folder: Path
    content: dict[str, Any]
    events: list[tuple[str, str]] = field(default_factory=list)

    @staticmethod
    def build(
        folder: Path, *, base: Path | None = None, sibling: bool = False, without: tuple[str, ...] = (), **model: Any
    ) -> Workshop:
        """Write a corpus, a base (a copy of `base`, or a new one from `write_model`'s arguments) and a recipe."""
        folder.mkdir(parents=True, exist_ok=True)
        if base is not None:
            shutil.copytree(base, folder / "base")
        else:
            write_model(folder / "base", **model)
        if sibling:
            write_sibling(folder / "base", folder / "sibling")
        write_jsonl(folder / "ru.jsonl", russian())
        write_jsonl(folder / "en.jsonl", english(40, seed=3))
        workshop = Workshop(folder, small_recipe(sibling=sibling, without=without))
        workshop.write()
        return workshop

    def copy(self, folder: Path) -> Workshop:
        """The same in another folder, run folder included."""
        shutil.copytree(self.folder, folder)
        return Workshop(folder, copy.deepcopy(self.content))

    def rename(self, name: str) -> None:
        """Give the finished run another name, and so its repositories."""
        path = self.out / "hubadapt.json"
        path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"name": name}), "utf-8")

    @property
    def recipe(self) -> Path:
        return self.folder / "recipe.yaml"

    @property
    def out(self) -> Path:
        return self.folder / "runs" / "pico-ru"

    @property
    def manifest(self) -> Any:
        from hubadapt.manifest import read_manifest

        return read_manifest(self.out)

    def stage(self, kind: str) -> dict[str, Any]:
        """The parameters of one stage of the recipe, to be changed in place."""
        return next(item[kind] for item in self.content["stages"] if kind in item)

    def write(self) -> Path:
        self.recipe.write_text(yaml.safe_dump(self.content, sort_keys=False, allow_unicode=True), "utf-8")
        return self.recipe

    def run(self, progress: Any = None) -> list[tuple[str, str]]:
        """Run the recipe as it is on disk; what the runner reported this time."""
        from hubadapt.recipe import read_recipe
        from hubadapt.runner import run_recipe

        self.events = []
        run_recipe(
            read_recipe(self.recipe),
            self.out,
            progress=progress or silent,
            report=lambda kind, event: self.events.append((kind, event)),
        )
        return self.events

    def ran(self) -> list[str]:
        """Kinds of the stages that did work in the last run."""
        return [kind for kind, event in self.events if event == "done"]


def execute(code: str, name: str) -> str:
    """Run a usage snippet in this process; what it printed."""
    with redirect_stdout(io.StringIO()) as printed:
        exec(code, {})
    return printed.getvalue().strip()


@contextmanager
def silent(description: str, total: int) -> Iterator[Callable[[int], object]]:
    """A progress bar that shows nothing."""
    yield lambda count: None


def interrupting(description: str, after: int, act: Callable[[], object]) -> Any:
    """Progress bars that do `act` once the one named has advanced by `after`."""

    @contextmanager
    def bar(name: str, total: int) -> Iterator[Callable[[int], object]]:
        seen = 0

        def advance(count: int) -> None:
            nonlocal seen
            seen += count
            if name == description and seen >= after:
                act()

        yield advance

    return bar


def listing(folder: Path) -> dict[str, str]:
    """Hash of every file below a folder, hidden ones too, by path: equal listings mean nothing was written."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def recording(description: str, seen: list[int]) -> Any:
    """Progress bars that note every advance of the one named."""

    @contextmanager
    def bar(name: str, total: int) -> Iterator[Callable[[int], object]]:
        yield lambda count: seen.append(count) if name == description else None

    return bar


@contextmanager
def stopped_after(step: int) -> Iterator[None]:
    """Ctrl-C comes when a training has done so many steps."""
    from hubadapt.training.loop import Advance

    finished = Advance.on_step_end

    def stop(self: Any, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        finished(self, args, state, control, **kwargs)
        if state.global_step == step:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Advance, "on_step_end", stop)
        yield
