"""For people who already have a `Trainer` or a TRL trainer: our card and our pushes in their script."""
