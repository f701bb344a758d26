"""The Hugging Face Hub: plan a push, carry it out, fetch models."""
