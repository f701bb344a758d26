"""The picture of a training's losses depends on those alone."""

from __future__ import annotations

import pytest

from hubadapt.training.loss_curve import draw_losses

LOSSES = [{"step": step, "loss": 5 - step / 10} for step in range(1, 21)]


@pytest.mark.parametrize("losses", [LOSSES, LOSSES[:1]], ids=["many", "one"])
@pytest.mark.parametrize("name", ["a.png", "a.svg"])
def test_equal_losses_give_equal_bytes_and_others_do_not(tmp_path, name, losses):
    for place, shown in (("one", losses), ("two", losses), ("other", LOSSES[1:])):
        (tmp_path / place).mkdir()
        draw_losses(shown, tmp_path / place / name)
    one, two, other = ((tmp_path / place / name).read_bytes() for place in ("one", "two", "other"))
    assert one == two != other
