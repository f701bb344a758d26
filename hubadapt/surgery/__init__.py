"""Surgery on checkpoints: folders in, folders out; the transformer's body is never loaded."""
