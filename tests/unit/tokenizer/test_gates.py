"""Each gate fails on a fault of the change, and only reports a fault that the base has already."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, replace

import pico
import pytest
from trials import STYLES, add_entry, ask, content_of, first_pieces, pin, trial_of

from hubadapt.errors import ModelError, SeveralErrors
from hubadapt.tokenizer.byte_level import byte_to_char
from hubadapt.tokenizer.extend import extend
from hubadapt.tokenizer.families import all_entries, read_merges
from hubadapt.tokenizer.gates import GATES, check_gates, try_gates
from hubadapt.tokenizer.gates.probes import ENGLISH, OTHER_SCRIPTS, PROTECTED
from hubadapt.tokenizer.gates.unicode import culprits, faulty_strings, strings_of
from hubadapt.tokenizer.learn import Merge
from hubadapt.tokenizer.reduce import reduce


def spelled(text: str) -> list[str]:
    """A text as byte-level entries of one byte each."""
    return [byte_to_char()[byte] for byte in text.encode()]


@pytest.mark.parametrize("style", STYLES)
def test_a_sound_extension_passes_every_gate(style):
    trial = trial_of(style)
    gates = try_gates(replace(trial, again=lambda: trial.new_content))
    assert {gate.name for gate in gates} == GATES.keys() - {"loading", "chat", "sentencepiece", "scores"}
    assert all(gate.tried and not gate.failed for gate in gates), gates


def test_every_code_point_but_the_surrogates_is_tried(monkeypatch):
    monkeypatch.setattr("hubadapt.tokenizer.gates.unicode.LAST", 0x10FFFF)
    gate = ask("code-points", trial_of("qwen"))
    assert gate.tried == 0x110000 - 2048
    # NFC itself changes more than a thousand characters.
    assert gate.failed == 0 and gate.reported > 1000


# Decoding


def clean_up(content):
    """Takes the space before a full stop away, as some decoders do."""
    strip = {"type": "Replace", "pattern": {"String": " ."}, "content": "."}
    content["decoder"] = {"type": "Sequence", "decoders": [content["decoder"], strip]}


@pytest.mark.parametrize("style", STYLES)
def test_text_that_is_no_longer_decoded_fails(style):
    assert ask("round-trip", trial_of(style, new=clean_up)).failed
    gate = ask("round-trip", trial_of(style, both=clean_up))
    assert gate.failed == 0 and gate.reported


def test_text_that_is_lost_in_another_way_fails():
    def comma(content):
        content["decoder"]["decoders"][-1]["content"] = ","

    assert ask("round-trip", trial_of("qwen", base=clean_up, new=comma)).failed


def without_a_byte(content):
    """Without the byte that begins the characters of Armenian and others."""
    piece = byte_to_char()[0xD5] if content["model"].get("byte_fallback") is False else "<0xD5>"
    del content["model"]["vocab"][piece]


@pytest.mark.parametrize("style", STYLES)
def test_a_byte_piece_that_was_dropped_fails_with_the_characters_it_loses(style):
    gate = ask("code-points", trial_of(style, new=without_a_byte))
    assert gate.failed == 64
    assert len(gate.failures) == 3 and gate.failures[0].startswith("U+0540")


@pytest.mark.parametrize("style", STYLES)
def test_a_byte_piece_that_the_base_lacks_is_reported(style):
    usual = ask("code-points", trial_of(style)).reported
    gate = ask("code-points", trial_of(style, both=without_a_byte))
    # The base with byte fallback puts a space before all text.
    assert (gate.failed, gate.reported) == (0, min(usual + 64, gate.tried))


def test_a_fault_between_characters_names_the_whole_string():
    strings = strings_of([*"abcd"])
    together = faulty_strings(strings, lambda texts: ["b c" in text for text in texts])
    assert culprits(together, lambda texts: ["b c" in text for text in texts]) == ["a b c d"]
    assert culprits(strings, lambda texts: ["c" in text for text in texts]) == ["c"]


@pytest.mark.parametrize("style", STYLES)
def test_text_that_is_rewritten_while_it_streams_fails(style):
    assert ask("streaming", trial_of(style, new=clean_up)).failed
    gate = ask("streaming", trial_of(style, both=clean_up))
    assert gate.failed == 0 and gate.reported


# Text that must not change


def join(text: str):
    """Appends a merge that joins the first two pieces of a text."""

    def damage(content):
        add_entry(content, *first_pieces(content, text))

    return damage


@pytest.mark.parametrize("style", STYLES)
def test_a_merge_that_english_text_feels_fails(style):
    assert ask("english", trial_of(style, new=lambda content: add_entry(content, "z", "q"))).failed == 0
    gate = ask("english", trial_of(style, new=lambda content: add_entry(content, "s", "a")))
    assert 0 < gate.failed < gate.tried
    assert "sa" in gate.failures[0]


def test_one_changed_text_in_a_hundred_is_tolerated_where_the_language_shares_the_script():
    quiet = ["The river."] * 400
    trial = trial_of(new=join("zq"), scripts=("Latin",), english=[*quiet, "zq", "zq and zq"])
    gate = ask("english", trial)
    assert (gate.failed, gate.reported) == (0, 2)
    gate = ask("english", replace(trial, english=["zq"] * 20))
    assert gate.failed == 20
    gate = ask("english", replace(trial, scripts=("Cyrillic",)))
    assert (gate.failed, gate.reported) == (2, 0)


def test_lines_of_english_text_with_words_of_the_language_may_change():
    trial = trial_of(english=["The word\nдом и река\nmeans house and river."])
    assert ask("english", trial).failed == 0
    assert ask("english", replace(trial, scripts=("Greek",))).failed == 1


@pytest.mark.parametrize(("script", "letters"), [("Greek", "αβ"), ("Han", "今天"), ("Latin", "éà")])
def test_a_merge_within_another_script_fails(script, letters):
    trial = trial_of(new=lambda content: add_entry(content, *spelled(letters[0])))
    gate = ask("other-scripts", trial)
    assert gate.failed and letters[0] in "".join(gate.failures)
    assert ask("other-scripts", replace(trial, scripts=("Cyrillic", script))).failed == 0


def test_a_merge_that_only_private_characters_contain_fails():
    assert ask("other-scripts", trial_of(new=lambda content: add_entry(content, *spelled("\uf8ff")[:2]))).failed == 0


def test_a_merge_of_digits_fails():
    gate = ask("digits", trial_of(new=lambda content: add_entry(content, "1", "2")))
    assert gate.failures[0] == "12" and gate.failed < gate.tried


def test_a_pre_tokenizer_that_cuts_numbers_otherwise_fails():
    def split_digits(content):
        content["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = pico.LLAMA3_PATTERN.replace("{1,3}", "{1,2}")

    trial = trial_of("llama3", base=lambda content: add_entry(content, "1", "2", "3"), new=split_digits)
    assert "123" in " ".join(ask("digits", trial).failures)


@pytest.mark.parametrize("run", ["  ", "\n\n", "\t\t", "\r\n"])
def test_a_merge_of_white_space_fails(run):
    gate = ask("spaces", trial_of(new=lambda content: add_entry(content, *spelled(run))))
    assert gate.failed
    assert ask("english", trial_of(english=[])).failed == 0


@pytest.mark.parametrize(
    ("name", "entry"),
    [("english", "zq"), ("other-scripts", "Î±"), ("digits", "12"), ("spaces", "ĠĠ")],
)
def test_text_written_with_a_token_that_was_taken_out_is_reported(name, entry):
    old = content_of(damage=lambda content: add_entry(content, *entry) and pin(content))
    smaller = reduce(old, lambda other, index: other != entry, old_rows=max(all_entries(old).values()) + 1)
    trial = replace(
        trial_of(english=["zq"]), old_content=old, new_content=smaller.content, copied=smaller.copied, tokens=()
    )
    gate = ask(name, trial)
    assert gate.failed == 0 and gate.reported


def test_nothing_is_said_about_the_text_of_a_vocabulary_that_was_replaced():
    names = {gate.name for gate in try_gates(trial_of(replaced=True))}
    assert not names & {"english", "other-scripts", "digits", "spaces", "chat"}
    assert {"round-trip", "code-points", "tokens", "special-tokens"} <= names


# Entries


@pytest.mark.parametrize("style", STYLES)
def test_a_token_without_merges_fails(style):
    space = "▁" if style == "byte-fallback" else "Ġ"
    trial = trial_of(style, new=lambda content: add_entry(content, space, "zq", merged=False), tokens=(f"{space}zq",))
    assert ask("merges", trial).failures == (f"{space}zq",)
    # Llama 3 takes a whole word without any merge, so that only longer words show the fault.
    assert ask("tokens", trial).failures == (() if style == "llama3" else (f"{space}zq",))


def test_tokens_of_the_base_that_do_not_encode_to_themselves_are_reported():
    gate = ask("tokens", trial_of(base=lambda content: pin(content) or add_entry(content, "z", "q", merged=False)))
    assert (gate.failed, gate.reported) == (0, 1)


def test_an_old_token_that_moved_fails():
    def swap(content):
        vocab = content["model"]["vocab"]
        vocab["a"], vocab["b"] = vocab["b"], vocab["a"]

    assert set(ask("old-ids", trial_of(new=swap)).failures) == {"a", "b"}


def test_a_new_token_that_takes_an_old_id_fails():
    trial = trial_of()
    trial.new_content["model"]["vocab"][trial.tokens[0]] = 7
    assert ask("old-ids", trial).failed


def test_an_id_that_two_tokens_of_the_base_share_is_reported():
    gate = ask("old-ids", trial_of(base=lambda content: content["model"]["vocab"].update(zq=7) or pin(content)))
    assert gate.failed == 0 and gate.reported


def renumbered(content):
    """As if specials stood behind the new tokens only: loading gives them ids by their number."""
    for added in content["added_tokens"]:
        del content["model"]["vocab"][added["content"]]


def flagged(content):
    content["added_tokens"][1]["special"] = False


def stripping(content):
    content["added_tokens"][1]["rstrip"] = True


def one_more(content):
    content["added_tokens"].append(
        content["added_tokens"][0] | {"content": "дом", "id": max(all_entries(content).values()) + 1}
    )


def beginning(content):
    content["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}},
    }


@pytest.mark.parametrize("damage", [renumbered, flagged, stripping, one_more, beginning])
def test_special_tokens_that_change_fail(damage):
    assert ask("special-tokens", trial_of(new=damage)).failed


def test_a_special_token_that_the_base_does_not_find_is_reported():
    def hidden(content):
        first = content["added_tokens"][0]
        content["added_tokens"].append(first | {"content": f".{first['content']}", "id": first["id"] + 10})
        pin(content)

    gate = ask("special-tokens", trial_of(base=hidden))
    assert (gate.failed, gate.reported) == (0, 1)


def without_the_last_merge(content):
    content["model"]["merges"].pop()


def first_merge_last(content):
    merges = content["model"]["merges"]
    merges.append(merges.pop(0))


def early_merge(content):
    add_entry(content, "z", "q")
    content["model"]["merges"].insert(0, content["model"]["merges"].pop())


def old_merge_gone(content):
    content["model"]["merges"].pop(0)


@pytest.mark.parametrize("style", ["gpt2", "llama3", "qwen"])
@pytest.mark.parametrize("damage", [without_the_last_merge, first_merge_last, early_merge, old_merge_gone])
def test_merges_out_of_order_or_missing_fail(style, damage):
    gate = ask("merges", trial_of(style, new=damage))
    assert gate.failed and gate.failures


def test_an_old_merge_that_is_learnt_again_keeps_its_place():
    content = content_of(
        damage=lambda content: add_entry(content, "q", "z") and add_entry(content, "k", "j") and pin(content)
    )
    first_id = max(all_entries(content).values()) + 1
    vocabulary = extend(content, [Merge("q", "z"), Merge("qz", "kj")], first_id=first_id)
    assert read_merges(vocabulary.content) == [*read_merges(content), ("qz", "kj")]


def test_an_old_merge_that_is_listed_again_fails():
    def again(content):
        content["model"]["merges"].append(content["model"]["merges"][0])

    assert ask("merges", trial_of(new=again)).failed


def test_a_merge_of_parts_that_are_no_entries_is_not_even_loaded():
    with pytest.raises(Exception, match="Token `zq` out of vocabulary"):
        ask("merges", trial_of(new=lambda content: content["model"]["merges"].append(["z", "q"])))


def test_tokens_of_the_base_that_no_merges_reach_are_reported():
    gate = ask(
        "merges", trial_of("llama3", base=lambda content: add_entry(content, "z", "q", merged=False) and pin(content))
    )
    assert (gate.failed, gate.reported) == (0, 1)


def test_new_tokens_that_the_pre_tokenizer_cuts_fail_unless_the_base_has_such():
    def cut(content):
        add_entry(content, "z", "1")

    new = {"new": cut, "tokens": ("z1",)}
    assert ask("merges", trial_of(**new)).failures == ("z1",)
    gate = ask("merges", trial_of(base=lambda content: add_entry(content, "a", "1") and pin(content), **new))
    assert (gate.failed, gate.reported) == (0, 1)


def test_another_order_of_merges_is_not_the_same_vocabulary():
    trial = trial_of()
    shuffled = trial_of(new=lambda content: content["model"]["merges"].reverse())
    assert ask("repeatable", replace(trial, again=lambda: trial_of().new_content)).failed == 0
    assert ask("repeatable", replace(trial, again=lambda: shuffled.new_content)).failed == 1


# All of them


def test_a_failing_gate_stops_in_two_lines_that_say_how_to_allow_it():
    trial, gates = trial_of(new=join("sa")), {"english": GATES["english"]}
    with pytest.raises(ModelError) as stopped:
        check_gates(trial, gates=gates)
    problem, hint = str(stopped.value).splitlines()
    assert "'english'" in problem and "sa" in problem and " cases: " in problem
    assert "allow: [english]" in hint


def test_several_failing_gates_are_told_together():
    with pytest.raises(SeveralErrors) as stopped:
        check_gates(trial_of(new=clean_up))
    assert {error.problem.split("'")[1] for error in stopped.value.errors} == {"round-trip", "code-points", "streaming"}


def test_an_allowed_gate_is_recorded_as_failed_but_allowed():
    (gate,) = check_gates(trial_of(new=join("sa")), allow=["english"], gates={"english": GATES["english"]})
    assert gate.failed and gate.allowed
    assert asdict(gate)["failures"] == gate.failures and len(gate.failures) <= 3


def test_probes_are_many_and_those_to_protect_are_in_plain_letters():
    assert len(set(OTHER_SCRIPTS)) == len(OTHER_SCRIPTS) > 50
    assert set(ENGLISH) <= set(PROTECTED)


def test_gates_are_imported_without_torch_and_transformers():
    code = (
        "import sys, hubadapt.tokenizer.gates; assert not {'torch', 'transformers', 'sentencepiece'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
