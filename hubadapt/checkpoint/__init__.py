"""Safetensors checkpoints on disk: find and read the embedding tables, write a copy with other tables.

The transformer's body is never loaded as a model; its bytes go from file to file.
"""

from hubadapt.checkpoint.checks import read_tensor, require_finite
from hubadapt.checkpoint.gguf import from_gguf
from hubadapt.checkpoint.new_tensor import NewTensor
from hubadapt.checkpoint.shards import shard_map
from hubadapt.checkpoint.tables import Tables, find_tables, load_config
from hubadapt.checkpoint.whole import require_empty, require_space
from hubadapt.checkpoint.write import Written, bytes_needed, write_with_tables, written_size

__all__ = [
    "NewTensor",
    "Tables",
    "Written",
    "bytes_needed",
    "find_tables",
    "from_gguf",
    "load_config",
    "read_tensor",
    "require_empty",
    "require_finite",
    "require_space",
    "shard_map",
    "write_with_tables",
    "written_size",
]
