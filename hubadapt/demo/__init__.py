"""The demonstration: its text and base model come from packages of the registry, all it does is the product's own."""
