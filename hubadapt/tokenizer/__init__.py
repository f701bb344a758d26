"""Vocabulary work: tokenizers in, a tokenizer and a `VocabMap` out."""
