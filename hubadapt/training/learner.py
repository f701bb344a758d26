"""What a trainer trains: a module whose state is what it learns and nothing else."""

from __future__ import annotations

from typing import Any

from torch import nn


class Learner(nn.Module):
    """A module of which a checkpoint holds the parameters that learn, each once, also where tables are tied."""

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """What is learnt, by name."""
        return {name: parameter.detach() for name, parameter in self.named_parameters() if parameter.requires_grad}

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        """Put back what `state_dict` gave."""
        learnt = self.state_dict()
        for name, value in state_dict.items():
            learnt[name].copy_(value)
        return nn.modules.module._IncompatibleKeys([], [])
