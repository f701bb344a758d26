"""What is taken out of a vocabulary, and what is not."""

from __future__ import annotations

from dataclasses import replace

from trials import add_entry, ask, content_of, pin, trial_of

from hubadapt.tokenizer.families import all_entries, read_merges
from hubadapt.tokenizer.reduce import reduce


def test_a_merge_that_stands_before_the_one_that_makes_its_part_stays():
    content = content_of()
    add_entry(content, "q", "z")
    add_entry(content, "j", "qz")
    pin(content)
    content["model"]["merges"][-2:] = content["model"]["merges"][:-3:-1]
    old_rows = max(all_entries(content).values()) + 1
    smaller = reduce(content, lambda entry, index: entry != "the", old_rows=old_rows)
    assert read_merges(smaller.content)[-2:] == [("j", "qz"), ("q", "z")]
    trial = replace(trial_of(), old_content=content, new_content=smaller.content, copied=smaller.copied, tokens=())
    assert ask("merges", trial).failed == 0
