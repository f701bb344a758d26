"""What a record tells of the machine."""

from __future__ import annotations

from hubadapt.machine import hardware


def test_graphics_cards_are_named_with_their_number_where_torch_can_use_them(monkeypatch):
    assert "graphics" not in hardware()
    names = ["Some GPU", "Some GPU", "Another"]
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: len(names))
    monkeypatch.setattr("torch.cuda.get_device_name", lambda number: names[number])
    assert hardware()["graphics"] == "2 × Some GPU, 1 × Another"
