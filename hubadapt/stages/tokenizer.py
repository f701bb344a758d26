"""Stage `tokenizer`: gives the base a vocabulary for the target language, and proves what did not change."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator
from pydantic_core import PydanticCustomError

from hubadapt.checkpoint import load_config
from hubadapt.corpus.dataset import read_split, read_weighted
from hubadapt.corpus.english import read_english
from hubadapt.corpus.sample import passages
from hubadapt.errors import CorpusError, ModelError, RecipeError, UserError
from hubadapt.manifest import hash_file
from hubadapt.registry import suggest
from hubadapt.stages import Cost, Made, Outlook, StageConfig, StageContext, StageResult, stage
from hubadapt.tokenizer.additions import Additions
from hubadapt.tokenizer.build import (
    SWEEP,
    added,
    choose_size,
    learn,
    reduced,
    require_size,
    unchanged,
    usual_occurrences,
)
from hubadapt.tokenizer.count import count_words, damped
from hubadapt.tokenizer.dialects import Dialect, dialect_of
from hubadapt.tokenizer.donor import donor_words
from hubadapt.tokenizer.families import Family, all_entries, family_of, read_tokenizer_json, require_family
from hubadapt.tokenizer.folder import write_folder
from hubadapt.tokenizer.gain import Gain, draw_gain, gain_of
from hubadapt.tokenizer.gates import GATES, Trial, check_gates
from hubadapt.tokenizer.gates.english import changed_english, lines_of
from hubadapt.tokenizer.gates.probes import PROTECTED
from hubadapt.tokenizer.learn import Lesson
from hubadapt.tokenizer.measure import characters_per_token
from hubadapt.tokenizer.protect import Protected
from hubadapt.tokenizer.replace import at_ratios, replace
from hubadapt.tokenizer.rules import BANNED, Rules
from hubadapt.tokenizer.scripts import is_script, scripts_of, shares_english_script
from hubadapt.tokenizer.sentencepiece_model import model_problems
from hubadapt.tokenizer.sources import read_source, source_file
from hubadapt.tokenizer.sweep import Sweep
from hubadapt.tokenizer.unigram_trainer import trainer_problems
from hubadapt.tokenizer.vocabulary import NewVocabulary

_SAMPLE = 2000
Again = Callable[[], NewVocabulary]
_MOST = 2**20


def _size(value: object) -> object:
    if value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST):
        return value
    raise PydanticCustomError("size", "Input should be a whole number from 0 to 1048576, or auto")


class Config(StageConfig):
    """Parameters of the tokenizer stage."""

    method: Literal["extend", "donor", "replace"] = Field(
        "extend",
        description="extend: merges learnt on the corpus; donor: the words of another vocabulary; "
        "replace: a vocabulary trained anew",
    )
    new_tokens: Annotated[int | Literal["auto"], PlainValidator(_size)] = Field(
        1024, description="How many tokens to add; auto: as many as are worth their rows. For replace, all entries"
    )
    min_occurrences: int | None = Field(
        None, ge=1, description="A pair rarer than this is not merged; by default 100, less for a small corpus"
    )
    longest: int = Field(32, ge=2, description="Characters of a new token at the most, a leading space included")
    banned: tuple[str, ...] = Field(BANNED, description="Regular expressions that no new token may match")
    damping: float = Field(
        1.0, gt=0, le=1, description="Counts of words enter as this power: frequent ones decide less"
    )
    least_uses: int = Field(0, ge=0, description="New tokens used less often in the corpus are dropped again")
    keep_first: int | None = Field(None, gt=0, description="First take out all entries with ids from this one on")
    drop_scripts: tuple[str, ...] = Field((), description="First take out entries of these scripts, such as Han")
    reuse_padding: bool = Field(False, description="Put new tokens in rows of the table that no token uses")
    donor: Path | None = Field(None, description="Folder or file of the donor's tokenizer, relative to the recipe")
    ratios: dict[str, float] = Field(
        {}, description="For replace: share of each language's text, such as {ru: 1, en: 1}"
    )
    allow: tuple[str, ...] = Field((), description="Gates that may fail, by name")


def check(config: Config, outlook: Outlook) -> Iterator[UserError]:
    """Whether language and scripts are known, the keys fit together, and the donor is there."""
    try:
        scripts_of(outlook.language)
    except UserError as error:
        yield error
    if "base" in outlook.folders:
        yield from model_problems(outlook.folders["base"])
        yield from _unigram_misfits(config, outlook.folders["base"])
    for problem, hint in (*_misfits(config), *_unsplit(config, outlook)):
        yield RecipeError(f"stage tokenizer: {problem}.", hint)
    for name in config.allow:
        if name not in GATES:
            yield RecipeError(f"stage tokenizer: there is no gate {name!r} to allow.", suggest(name, list(GATES)))
    for script in config.drop_scripts:
        if not is_script(script):
            yield RecipeError(
                f"stage tokenizer: {script!r} in `drop_scripts` is no Unicode script.",
                "Write names such as Han, Hiragana, Katakana, Hangul, Thai.",
            )
    if config.donor is not None:
        try:
            read_source(outlook.recipe_folder / config.donor)
        except UserError as error:
            yield error


def _unigram_misfits(config: Config, base: Path) -> Iterator[UserError]:
    if family_of(read_tokenizer_json(base)) is not Family.UNIGRAM:
        return
    if config.keep_first or config.drop_scripts:
        yield ModelError(
            "the base's vocabulary is a Unigram, of which nothing can be taken out.",
            "Leave out `keep_first` and `drop_scripts`; `method: replace` trains a smaller one.",
        )
    if config.method == "replace":
        yield from trainer_problems()


def _misfits(config: Config) -> Iterator[tuple[str, str]]:
    if config.method == "donor" and config.donor is None:
        yield "the method donor needs a `donor`", "Add `donor: FOLDER`, with a tokenizer.json in it."
    if config.method != "donor" and config.donor is not None:
        yield f"`donor` does not go with the method {config.method}", "Set `method: donor`, or remove it."
    if config.method == "replace" and not config.ratios:
        yield "the method replace needs `ratios`", "Add for example `ratios: {ru: 1, en: 1}`."
    if config.method != "replace" and config.ratios:
        yield f"`ratios` do not go with the method {config.method}", "Set `method: replace`, or remove them."
    if config.method == "replace" and (config.new_tokens == "auto" or config.keep_first or config.drop_scripts):
        yield (
            "the method replace takes a number of `new_tokens`, and neither `keep_first` nor `drop_scripts`",
            "Set `new_tokens` to the size of the whole new vocabulary, such as 32000.",
        )
    if config.new_tokens == 0 and not (config.keep_first or config.drop_scripts):
        yield "`new_tokens: 0` changes nothing", "Give a number, or `keep_first` or `drop_scripts`."


def _unsplit(config: Config, outlook: Outlook) -> Iterator[tuple[str, str]]:
    """Languages of `ratios` whose text is all there to be measured on."""
    corpus = outlook.configs.get("corpus")
    split = (outlook.language, *(corpus.model_dump()["also_split"] if corpus else config.ratios))
    missing = [language for language in config.ratios if language not in split]
    if missing:
        yield (
            f"`ratios` names {' and '.join(missing)}, of which the corpus keeps no text to learn from",
            f"Add to the stage corpus: `also_split: [{', '.join(missing)}]`.",
        )


def inputs(config: Config, folder: Path) -> Mapping[str, str]:
    """Hash of the donor's tokenizer."""
    return {} if config.donor is None else {"donor": hash_file(source_file(folder / config.donor))}


def estimate(config: Config, outlook: Outlook) -> Cost:
    """Counting and learning take seconds for the corpora of a laptop, learning again for the gates as many more."""
    tokens = 65_536 if config.new_tokens == "auto" else config.new_tokens
    return Cost(seconds=20 + tokens / 2_500, memory=500_000_000, disk=6_000_000)


@stage("tokenizer", Config, needs=("corpus",), siblings=False, check=check, inputs=inputs, estimate=estimate)
def run(context: StageContext, config: Config) -> StageResult:
    """Give the base a vocabulary for the language; gates prove that all else keeps its tokens."""
    base = context.sources["base"]
    content = read_tokenizer_json(base)
    family = require_family(content, context.manifest.base.id)
    built = _build(context, config, content)
    vocabulary, folder = built.vocabulary, context.folder / "tokenizer"
    left_out = write_folder(base, folder, vocabulary)
    trial = _trial(context, config, folder, built)
    gates = [asdict(gate) for gate in check_gates(trial, allow=config.allow)]
    gain, figures = _gain(context, content, built)
    return StageResult(
        made=(Made("tokenizer", "tokenizer", folder, "base"), *figures),
        facts={
            "method": config.method,
            "family": family.value,
            "old_size": vocabulary.first_new,
            "new_tokens": len(vocabulary.tokens),
            **built.facts,
            "left_out": left_out,
            "characters_per_token": gain.as_facts(),
            **_price(context, built, trial),
            "gates": gates,
            "examples": _examples(vocabulary),
        },
    )


@dataclass(frozen=True)
class _Built:
    """The new vocabulary and facts, how to make it again, densities of smaller ones, and one that ignores English."""

    vocabulary: NewVocabulary
    facts: dict[str, Any]
    again: Again
    sweep: Sweep | None = None
    unprotected: NewVocabulary | None = None


def _build(context: StageContext, config: Config, content: dict[str, Any]) -> _Built:
    rows = _table_rows(context.sources["base"], content)
    if config.method == "replace":
        make = partial(_replaced, context, config, content, rows)
        return _Built(make(), {"dropped": 0}, make)
    reduce = partial(reduced, unchanged(content, rows), first=config.keep_first, without=config.drop_scripts)
    start = reduce()
    facts = {"dropped": rows - len(start.copied)}
    if config.new_tokens == 0:
        return _Built(start, facts, reduce)
    dialect = dialect_of(start.content, scripts_of(context.manifest.language))
    words = _words(context, config, dialect)
    occurrences = config.min_occurrences or (1 if config.method == "donor" else usual_occurrences(words))
    facts |= {"min_occurrences": occurrences}
    return _grown(context, config, start, facts, partial(_learnt, context, config, start, occurrences), words)


def _grown(
    context: StageContext,
    config: Config,
    start: NewVocabulary,
    facts: dict[str, Any],
    learnt: Callable[[Mapping[str, int], Protected], Additions],
    words: Counter[str],
) -> _Built:
    protected = _protected(context, start)
    first_id, additions = _first_id(context, config, start), learnt(words, protected)
    asked = None if config.new_tokens == "auto" else int(config.new_tokens)
    held_out = measured_passages(context.latest_folder("dataset"), context.manifest.language)
    size, sweep = choose_size(start, additions, held_out, first_id=first_id, asked=asked)
    grow = partial(added, start, new_tokens=size, first_id=first_id)
    grown = grow(additions)
    if config.method == "extend":
        require_size(grown, asked or size, facts["min_occurrences"], careful=bool(protected.words))
    unprotected = grow(learnt(words, Protected())) if protected.words else None
    # The order of the words must not matter.
    return _Built(grown, facts, lambda: grow(learnt(dict(reversed(words.items())), protected)), sweep, unprotected)


def measured_passages(dataset: Path, language: str) -> list[str]:
    """Text of a dataset folder's held-out split, from which nothing is learnt, that densities are measured on."""
    return passages(read_split(dataset, "test", language), characters=_SAMPLE)


def _gain(context: StageContext, content: dict[str, Any], built: _Built) -> tuple[Gain, tuple[Made, ...]]:
    """What the vocabulary gains, and the folder with the picture of it, where there are sizes to draw."""
    language = context.manifest.language
    held_out = measured_passages(context.latest_folder("dataset"), language)
    gain = gain_of(content, built.vocabulary, held_out, scripts_of(language), sweep=built.sweep)
    if gain.sweep is None:
        return gain, ()
    folder = context.folder / "density"
    draw_gain(gain, folder / "characters_per_token.png", title=f"{language}, {gain.new.n} held-out texts")
    return gain, (Made("density", "report", folder, "base"),)


def _price(context: StageContext, built: _Built, trial: Trial) -> dict[str, Any]:
    """What protecting English costs, as a fact, where it had to be protected."""
    if built.unprotected is None:
        return {}
    protected, judged = read_english(context.latest_folder("dataset"))
    held_out = measured_passages(context.latest_folder("dataset"), context.manifest.language)
    density = characters_per_token(built.unprotected.tokenizer, held_out)
    texts = {"protected": len(protected), "judged": len(judged), "unprotected": asdict(density)}
    return {"english": texts | asdict(changed_english(trial, judged))}


def _learnt(
    context: StageContext,
    config: Config,
    start: NewVocabulary,
    occurrences: int,
    words: Mapping[str, int],
    protected: Protected,
) -> Additions:
    scripts = scripts_of(context.manifest.language)
    dialect = dialect_of(start.content, scripts)
    most = SWEEP[-1] if config.new_tokens == "auto" else config.new_tokens
    rules = Rules(scripts, config.longest, config.banned)
    lesson = Lesson(most, occurrences, allow=lambda entry: rules.allow(dialect.to_bytes(entry)))
    with context.progress("learning new tokens", 1) as advance:
        additions = learn(start, words, lesson, protected=protected, least_uses=config.least_uses)
        advance(1)
    return additions


def _trial(context: StageContext, config: Config, folder: Path, built: _Built) -> Trial:
    """What the gates look at: the vocabulary as it lies in its folder."""
    dataset, language = context.latest_folder("dataset"), context.manifest.language
    judged = lines_of(read_english(dataset)[1]) if built.unprotected else None
    return Trial.of_folders(
        context.sources["base"],
        folder,
        built.vocabulary,
        scripts=(*scripts_of(language), *config.drop_scripts),
        target=[text[:_SAMPLE] for text, _ in islice(read_weighted(dataset, "train", language), 200)],
        english=judged or [text[:_SAMPLE] for text in read_split(dataset, "test", "en")[:200]],
        again=lambda: built.again().content,
        replaced=config.method == "replace",
    )


def _replaced(context: StageContext, config: Config, content: dict[str, Any], rows: int) -> NewVocabulary:
    dataset = context.latest_folder("dataset")
    texts = {language: read_split(dataset, "train", language) for language in config.ratios}
    try:
        mixed = at_ratios(texts, config.ratios)
        return replace(content, mixed, size=int(config.new_tokens), old_rows=rows)
    except ValueError as error:
        raise CorpusError(
            f"the vocabulary cannot be replaced: {error}.", "Check `ratios`, `new_tokens` and `corpus.sources`."
        ) from error


def _words(context: StageContext, config: Config, dialect: Dialect) -> Counter[str]:
    scripts = scripts_of(context.manifest.language)
    if config.donor is not None:
        donor = read_tokenizer_json(context.recipe_folder / config.donor)
        rules = Rules(scripts, config.longest, config.banned)
        return donor_words(donor, dialect, rules, name=config.donor.as_posix())
    words = damped(_weighted_words(context, dialect, scripts), config.damping)
    if not words:
        raise CorpusError(
            f"the training corpus holds no word in {' or '.join(scripts)} letters.",
            "Check `corpus.sources` in the recipe: is this the right file for the language?",
        )
    return words


def _weighted_words(context: StageContext, dialect: Dialect, scripts: tuple[str, ...]) -> Counter[str]:
    """Words of the training split; each source counts as often as its weight says."""
    dataset, language = context.latest_folder("dataset"), context.manifest.language
    total = sum(len(text) for text, _ in read_weighted(dataset, "train", language))
    words: dict[str, float] = defaultdict(float)
    with context.progress("counting words", total) as advance:
        for weight, rows in groupby(read_weighted(dataset, "train", language), key=itemgetter(1)):
            for word, count in count_words((text for text, _ in rows), dialect, scripts, advance).items():
                words[word] += weight * count
    return +Counter({word: round(count) for word, count in words.items()})


def _protected(context: StageContext, start: NewVocabulary) -> Protected:
    """In a script of its own nothing can do harm; in the Latin one most of the corpus's English text is protected."""
    scripts = scripts_of(context.manifest.language)
    if not shares_english_script(scripts):
        return Protected()
    english, _ = read_english(context.latest_folder("dataset"))
    if not english:
        raise CorpusError(
            f"{context.manifest.language!r} shares its script with English, of which the corpus holds no two texts.",
            "Add a source with `language: en` to `corpus.sources`: prose and code, some megabytes.",
        )
    return Protected.of_texts(english, dialect_of(start.content, scripts), scripts, never=PROTECTED)


def _table_rows(folder: Path, content: dict[str, Any]) -> int:
    rows, last = int(load_config(folder).get_text_config().vocab_size), max(all_entries(content).values())
    if last >= rows:
        raise ModelError(
            f"{folder} has {rows} embedding rows, but its tokenizer gives ids up to {last}.",
            "Check that tokenizer and weights belong together.",
        )
    return rows


def _first_id(context: StageContext, config: Config, start: NewVocabulary) -> int:
    """After all that stays; in a vocabulary that was not reduced, after every sibling's rows too."""
    if config.keep_first or config.drop_scripts:
        return len(start.copied)
    used = max(all_entries(start.content).values()) + 1
    first = used if config.reuse_padding else len(start.copied)
    for name, folder in context.sources.items():
        if name != "base":
            entries = all_entries(read_tokenizer_json(folder))
            rows = _table_rows(folder, read_tokenizer_json(folder))
            first = max(first, max(entries.values()) + 1 if config.reuse_padding else rows)
    return first


def _examples(vocabulary: NewVocabulary) -> list[str]:
    to_text = dialect_of(vocabulary.content).to_text
    words = [text for token in vocabulary.tokens if (text := to_text(token)) and text.startswith(" ") and len(text) > 4]
    return words[:: max(len(words) // 24, 1)][:24]
