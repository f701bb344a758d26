"""A configuration that names code is refused before anything is loaded; what only looks like it is not."""

from __future__ import annotations

import json

import pytest

from hubadapt.errors import ModelError
from hubadapt.verify.foreign_code import require_no_code


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "generation_config.json"])
@pytest.mark.parametrize(
    "content",
    [
        {"auto_map": {"AutoModelForCausalLM": "modeling_evil.Evil"}},
        {"text_config": {"auto_map": {"AutoConfig": "evil--x"}}},
        {"custom_pipelines": {"evil": {"impl": "evil.Pipe"}}},
        {"layers": [{"attn_implementation": "evil/kernel"}]},
        {"_attn_implementation": {"text_config": "evil/kernel@main"}},
    ],
)
def test_code_is_refused_wherever_it_stands(tmp_path, name, content):
    (tmp_path / name).write_text(json.dumps(content), "utf-8")
    with pytest.raises(ModelError, match=rf"{name} of me/m names code of its own \(.*\), which is never run here"):
        require_no_code(tmp_path, "me/m")


def test_plain_settings_are_no_code(tmp_path):
    content = {"model_type": "llama", "attn_implementation": "sdpa", "torch_dtype": "float32", "map": "a/b"}
    (tmp_path / "config.json").write_text(json.dumps(content), "utf-8")
    require_no_code(tmp_path, "me/m")


@pytest.mark.parametrize("content", ["{", "[" * 100_000])
def test_what_is_no_json_is_named(tmp_path, content):
    (tmp_path / "config.json").write_text(content, "utf-8")
    with pytest.raises(ModelError, match=r"config\.json of me/m is no JSON"):
        require_no_code(tmp_path, "me/m")
