"""Row training: the model computes what it did before, new rows alone learn, and a state dict holds only them."""

from __future__ import annotations

import numpy as np
import pico
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hubadapt.checkpoint import find_tables, load_config, read_tensor
from hubadapt.errors import CorpusError
from hubadapt.model import load_model, load_tokenizer
from hubadapt.training.packing import pack
from hubadapt.training.rows import RowTraining
from hubadapt.vocab_map import VocabMap


@pytest.fixture(
    scope="module", params=[("llama", True), ("llama", False), ("gpt_neox", False), ("gemma2", True)], ids=str
)
def adapted(request, tmp_path_factory):
    """Folder of an embedded model, its piece map and the id of the first new token."""
    architecture, tied = request.param
    workshop = pico.Workshop.build(
        tmp_path_factory.mktemp("rows") / "work", architecture=architecture, tied=tied,
        without=("pretrain", "evaluate", "sample"),
    )  # fmt: skip
    workshop.run()
    pieces = VocabMap.load(workshop.out / "1-tokenizer" / "tokenizer" / "vocab_map.safetensors")
    return workshop.out / "2-embed" / "model", pieces, workshop.manifest.stages[1].facts["old_size"]


@pytest.fixture
def learner(adapted) -> RowTraining:
    folder, pieces, first = adapted
    return RowTraining(load_model(folder), pieces, first, np.arange(first))


@pytest.fixture
def ids(adapted) -> torch.Tensor:
    tokens = load_tokenizer(adapted[0]).encode(" ".join(pico.russian(6) + pico.english(6)))
    return torch.tensor([tokens[:40], tokens[40:80]])


def test_before_any_step_the_loss_is_that_of_the_model(adapted, learner, ids):
    expected = load_model(adapted[0])(input_ids=ids, labels=ids).loss
    torch.testing.assert_close(learner(ids, ids)["loss"], expected, rtol=1e-5, atol=1e-5)


def test_a_softmax_over_fewer_candidates_changes_the_loss_only_by_what_it_leaves_out(adapted, ids):
    folder, pieces, first = adapted
    some = RowTraining(load_model(folder), pieces, first, ids[ids < first].unique().numpy())
    logits = load_model(folder)(input_ids=ids).logits
    left_out = torch.ones(logits.shape[-1], dtype=torch.bool)
    left_out[ids[ids < first]] = False
    left_out[first:] = False
    logits[..., left_out] = -torch.inf
    expected = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    torch.testing.assert_close(some(ids, ids)["loss"], expected, rtol=1e-5, atol=1e-5)


def test_only_new_rows_learn(adapted, learner, ids):
    folder, _, first = adapted
    learnt = {name for name, parameter in learner.named_parameters() if parameter.requires_grad}
    assert learnt and all("rows" in name for name in learnt)
    loss = learner(ids, ids)["loss"]
    loss.backward()
    optimizer = torch.optim.SGD([parameter for parameter in learner.parameters() if parameter.requires_grad], lr=1e-3)
    optimizer.step()
    assert learner(ids, ids)["loss"] < loss
    names = find_tables(load_config(folder)).names
    for name, rows in zip(names, learner.trained_rows(), strict=True):
        before = read_tensor(folder, name)[first:]
        assert rows.shape == before.shape and not torch.equal(rows, before)


def test_at_the_beginning_trained_rows_are_the_composed_ones(adapted, learner):
    folder, _, first = adapted
    names = find_tables(load_config(folder)).names
    assert len(names) == len(learner.trained_rows()) == (1 if learner.tied else 2)
    for name, rows in zip(names, learner.trained_rows(), strict=True):
        torch.testing.assert_close(rows, read_tensor(folder, name)[first:])


def test_a_state_dict_is_small_and_puts_back_what_was_learnt(adapted, learner, ids):
    folder, pieces, first = adapted
    with torch.no_grad():
        for parameter in learner.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter))
    state = {name: value.clone() for name, value in learner.state_dict().items()}
    assert sum(value.numel() for value in state.values()) == sum(
        parameter.numel() for parameter in learner.parameters() if parameter.requires_grad
    )
    other = RowTraining(load_model(folder), pieces, first, np.arange(first))
    other.load_state_dict(state)
    assert torch.equal(other(ids, ids)["loss"], learner(ids, ids)["loss"])


class Bytes:
    """A tokenizer that gives a text's bytes."""

    def encode(self, text: str, add_special_tokens: bool) -> list[int]:
        assert not add_special_tokens
        return list(text.encode())


@given(
    st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=6),
    st.integers(2, 9), st.integers(1, 12), st.integers(0, 5),
)  # fmt: skip
def test_packed_blocks_are_documents_one_after_the_other(texts, size, blocks, seed):
    packed = pack(texts, Bytes(), first=256, shape=(blocks, size), seed=seed)
    assert packed.shape == (blocks, size) and packed.dtype == np.int64
    stream = packed.flatten().tolist()
    assert stream[0] == 256
    documents = bytes_between(stream)
    whole = sorted(text.encode() for text in texts)
    assert all(document in whole for document in documents[:-1])
    assert any(text.startswith(documents[-1]) for text in whole)
    for start in range(0, len(documents) - len(texts), len(texts)):
        assert sorted(documents[start : start + len(texts)]) == whole
    again = pack(texts, Bytes(), first=256, shape=(blocks, size), seed=seed)
    assert np.array_equal(packed, again)


def bytes_between(stream: list[int]) -> list[bytes]:
    documents: list[list[int]] = []
    for token in stream:
        if token == 256:
            documents.append([])
        else:
            documents[-1].append(token)
    return [bytes(document) for document in documents]


@given(st.lists(st.text(st.sampled_from("ab"), min_size=3, max_size=12), min_size=1, max_size=6), st.integers(1, 8))
def test_only_blocks_worth_it_are_taken(texts, blocks):
    texts = ["aaaaaaaa", *texts]
    packed = pack(texts, Bytes(), first=256, shape=(blocks, 4), seed=0, worth=lambda block: ord("a") in block)
    assert packed.shape == (blocks, 4)
    assert all(ord("a") in block for block in packed)


def test_documents_that_give_no_block_are_refused():
    for texts, worth in (([], lambda block: True), (["abcdef"], lambda block: False)):
        with pytest.raises(CorpusError, match="give no block of 4 tokens worth training on"):
            pack(texts, Bytes(), first=256, shape=(1, 4), seed=0, worth=worth)
