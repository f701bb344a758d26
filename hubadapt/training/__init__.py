"""What a trainer needs to learn a vocabulary: row parameters, packing, guards. Built on transformers' Trainer."""
