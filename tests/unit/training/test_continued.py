"""Continued pre-training: the loss is the model's, anchors are what their formulas say, new rows are free of them."""

from __future__ import annotations

import pico
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from hubadapt.training.anchors import AgreeOnOldText, PullToStart
from hubadapt.training.continued import Continued, distance, mix_back

FIRST_NEW = 300
IDS = torch.tensor([[5, 9, 2, 7, 11, 3], [5, 310, 2, 7, 305, 3]])


@pytest.fixture(params=[True, False], ids=["tied", "untied"])
def model(request, tmp_path):
    return AutoModelForCausalLM.from_pretrained(
        pico.write_model(tmp_path / "model", tied=request.param), dtype=torch.float32
    ).eval()


def copy_of(model):
    other = type(model)(model.config).eval()
    other.load_state_dict(model.state_dict())
    return other


def shaken(model, by: float = 0.1):
    generator = torch.Generator().manual_seed(0)
    other = copy_of(model)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter += by * torch.randn(parameter.shape, generator=generator)
    return other


def tables(model):
    return {id(model.get_input_embeddings().weight), id(model.get_output_embeddings().weight)}


def old_part(model, parameter):
    return parameter[:FIRST_NEW] if id(parameter) in tables(model) else parameter


def test_without_an_anchor_the_loss_is_the_models(model):
    expected = model(input_ids=IDS, labels=IDS).loss
    torch.testing.assert_close(Continued(model)(IDS, IDS)["loss"], expected, rtol=1e-5, atol=1e-6)


def test_the_anchors_term_is_added_with_its_weight(model):
    plain = Continued(model)(IDS, IDS)["loss"]
    held = Continued(model, lambda model, ids, logits: torch.tensor(2.0), weight=0.25)(IDS, IDS)["loss"]
    torch.testing.assert_close(held, plain + 0.5)


def test_a_checkpoint_holds_each_parameter_once_and_puts_it_back(model):
    learner = Continued(model)
    kept = {name: value.clone() for name, value in learner.state_dict().items()}
    assert sum(value.numel() for value in kept.values()) == sum(each.numel() for each in model.parameters())
    other = Continued(shaken(model))
    other.load_state_dict(kept)
    assert all(a.equal(b) for a, b in zip(other.parameters(), learner.parameters(), strict=True))


def test_the_pull_is_the_squared_distance_of_all_but_new_rows(model):
    pull, moved = PullToStart(model, FIRST_NEW), shaken(model)
    logits = model(input_ids=IDS).logits
    assert float(pull(model, IDS, logits).detach()) == 0
    pairs = [
        (old_part(moved, a), old_part(model, b)) for a, b in zip(moved.parameters(), model.parameters(), strict=True)
    ]
    expected = sum((a - b).square().sum() for a, b in pairs) / sum(b.square().sum() for _, b in pairs)
    with torch.no_grad():
        for parameter, other in zip(model.parameters(), moved.parameters(), strict=True):
            parameter.copy_(other)
    torch.testing.assert_close(pull(model, IDS, logits).detach(), expected.detach(), rtol=1e-4, atol=1e-7)


def test_the_pull_leaves_new_rows_without_a_gradient(model):
    pull = PullToStart(model, FIRST_NEW)
    with torch.no_grad():
        model.get_input_embeddings().weight += 0.1
    pull(model, IDS, model(input_ids=IDS).logits).backward()
    gradient = model.get_input_embeddings().weight.grad
    assert gradient[:FIRST_NEW].abs().min() > 0 and not gradient[FIRST_NEW:].any()


def test_a_model_agrees_with_itself_on_old_text(model):
    term = AgreeOnOldText(copy_of(model), FIRST_NEW)(model, IDS, model(input_ids=IDS).logits)
    assert float(term) == pytest.approx(0, abs=1e-6)


def test_agreement_is_the_divergence_over_the_old_vocabulary_on_blocks_of_old_tokens(model):
    source = shaken(model, 0.3)
    logits = model(input_ids=IDS).logits
    term = AgreeOnOldText(source, FIRST_NEW)(model, IDS, logits)
    taught, own = (
        each.logits[0, :, :FIRST_NEW].softmax(-1) for each in (source(input_ids=IDS[:1]), model(input_ids=IDS))
    )
    expected = (taught * (taught.log() - own.log())).sum(-1).mean()
    torch.testing.assert_close(term, expected, rtol=1e-3, atol=1e-6)
    assert float(term) > 0 and term.requires_grad
    assert not any(parameter.grad is not None for parameter in source.parameters())


def test_there_is_nothing_to_agree_on_where_every_block_has_a_new_token(model):
    logits = model(input_ids=IDS[1:]).logits
    assert float(AgreeOnOldText(copy_of(model), FIRST_NEW)(model, IDS[1:], logits)) == 0


@settings(max_examples=10)
@given(share=st.floats(0, 1))
def test_mixing_back_moves_all_but_new_rows_a_share_of_the_way(share):
    before = AutoModelForCausalLM.from_config(pico.config_of("llama", rows=340, tied=False))
    trained = shaken(before)
    expected = [
        old_part(trained, a).lerp(old_part(before, b), share)
        for a, b in zip(trained.parameters(), before.parameters(), strict=True)
    ]
    new_rows = trained.get_input_embeddings().weight[FIRST_NEW:].clone()
    apart = distance(trained, before, FIRST_NEW)
    mix_back(trained, before, share, FIRST_NEW)
    for parameter, wanted in zip(trained.parameters(), expected, strict=True):
        torch.testing.assert_close(old_part(trained, parameter), wanted)
    assert trained.get_input_embeddings().weight[FIRST_NEW:].equal(new_rows)
    assert distance(trained, before, FIRST_NEW) == pytest.approx((1 - share) * apart, rel=1e-3, abs=1e-6)
