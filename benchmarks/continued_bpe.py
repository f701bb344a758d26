"""Learning merges on top of a byte-level BPE: seconds, memory, and the same work by the pure-Python tool.

Each run is a process of its own that reads the corpus, counts words of the script and learns. The peer is
https://github.com/taidopurason/tokenizer-extension: give a checkout with --peer. It has no rules about which merges to
leave out, so here neither has; it also learns from what stands between the words.

    python benchmarks/continued_bpe.py tokenizer.json 10 32000 corpus/*.jsonl.gz --peer ../tokenizer-extension
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

SCRIPT = ("Cyrillic",)


def read(files: list[Path], megabytes: float) -> list[str]:
    from hubadapt.corpus.documents import read_documents

    texts, size = [], 0
    for file in files:
        for document in read_documents(file, license="unknown"):
            texts.append(document.text)
            size += len(document.text.encode())
            if size >= megabytes * 1e6:
                return texts
    return texts


Learn = Callable[[list[str], int], list[list[str]]]


def here(content: dict) -> Learn:
    from hubadapt.tokenizer.count import count_words
    from hubadapt.tokenizer.dialects import dialect_of
    from hubadapt.tokenizer.extend import segmenter
    from hubadapt.tokenizer.families import all_entries
    from hubadapt.tokenizer.learn import Lesson, learn_merges

    def learn(texts: list[str], new_tokens: int) -> list[list[str]]:
        words = count_words(texts, dialect_of(content, SCRIPT), SCRIPT)
        lesson = Lesson(new_tokens, 2, allow=lambda entry: True)
        merges = learn_merges(words, all_entries(content), segmenter(content), lesson)
        return [[merge.left, merge.right] for merge in merges]

    return learn


def there(content: dict, peer: str) -> Learn:
    import regex
    from tokenizers import Tokenizer

    sys.path.insert(0, peer)
    from tokenizer_extension.train_vocab_extension import train_vocab_extension

    class Wrapped:
        _tokenizer = Tokenizer.from_str(json.dumps(content))

    def learn(texts: list[str], new_tokens: int) -> list[list[str]]:
        # The peer takes documents; one a line, without those in which the script does not occur.
        has_letter = regex.compile(rf"\p{{{SCRIPT[0]}}}").search
        lines = (line for text in texts for line in text.splitlines(keepends=True) if has_letter(line))
        return [list(merge) for merge in train_vocab_extension(Wrapped(), lines, new_tokens)["merges"]]

    return learn


def child(options: argparse.Namespace) -> None:
    texts = read(options.corpus, options.megabytes)
    content = json.loads(options.tokenizer.read_text("utf-8"))
    learn = there(content, options.peer) if options.child == "peer" else here(content)
    start = time.perf_counter()
    merges = learn(texts, options.new_tokens)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    json.dump({"seconds": seconds, "gigabytes": peak, "merges": merges}, sys.stdout)


def run(who: str) -> dict:
    done = subprocess.run([sys.executable, *sys.argv, "--child", who], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def density(content: dict, merges: list[list[str]], texts: list[str]) -> float:
    from hubadapt.tokenizer.extend import extend
    from hubadapt.tokenizer.families import all_entries
    from hubadapt.tokenizer.learn import Merge
    from hubadapt.tokenizer.measure import characters_per_token

    known = set(all_entries(content))
    pairs = [Merge(*pair) for pair in merges]
    grown = extend(content, pairs, first_id=max(all_entries(content).values()) + 1)
    assert known <= set(all_entries(grown.content))
    return characters_per_token(grown.tokenizer, texts).value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("megabytes", type=float)
    parser.add_argument("new_tokens", type=int)
    parser.add_argument("corpus", type=Path, nargs="+")
    parser.add_argument("--peer")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--child", choices=["ours", "peer"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options)
        return
    results = {who: [run(who) for _ in range(options.runs)] for who in ("ours", *(["peer"] if options.peer else []))}
    for who, found in results.items():
        seconds = [result["seconds"] for result in found]
        print(
            f"{who}: median {statistics.median(seconds):.1f} s of {sorted(round(value, 1) for value in seconds)}, "
            f"{max(result['gigabytes'] for result in found):.2f} GB at the most, {len(found[0]['merges'])} merges"
        )
    if options.peer:
        compare(options, *(results[who][0]["merges"] for who in ("ours", "peer")))
        ratio = statistics.median(b["seconds"] / a["seconds"] for a, b in zip(*results.values(), strict=True))
        print(f"the peer takes {ratio:.1f} times as long")


def compare(options: argparse.Namespace, ours: list[list[str]], theirs: list[list[str]]) -> None:
    content, texts = json.loads(options.tokenizer.read_text("utf-8")), read(options.corpus, options.megabytes)[::20]
    made = [{"".join(pair) for pair in merges} for merges in (ours, theirs)]
    same = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), len(ours))
    print(
        f"the lists agree up to merge {same}; {len(made[0] & made[1]) / len(made[1]):.1%} of the peer's tokens are ours"
    )
    values = [density(content, merges, texts) for merges in (ours, theirs)]
    print(f"characters per token on a twentieth of the corpus: ours {values[0]:.4f}, the peer's {values[1]:.4f}")


if __name__ == "__main__":
    main()
