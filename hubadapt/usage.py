"""The usage snippet of a published model: one text, executed by a stage and printed in the card."""

from __future__ import annotations

from hubadapt.lineage import MAIN

_PLAIN = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained({model})
tokenizer = AutoTokenizer.from_pretrained({model})
inputs = tokenizer({prompt!r}, return_tensors="pt")
output = model.generate(**inputs, max_new_tokens={max_new_tokens}, do_sample=False)
print(tokenizer.decode(output[0], skip_special_tokens=True))
"""

_CHAT = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained({model})
tokenizer = AutoTokenizer.from_pretrained({model})
messages = [{{"role": "user", "content": {prompt!r}}}]
inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
output = model.generate(**inputs, max_new_tokens={max_new_tokens}, do_sample=False)
print(tokenizer.decode(output[0][inputs["input_ids"].shape[1]:], skip_special_tokens=True))
"""


def usage_snippet(model: str, *, prompt: str, max_new_tokens: int, chat: bool, revision: str = MAIN) -> str:
    """Python code that loads a model, writes after a prompt and prints the result.

    Args:
        model: Hub id or folder.
        prompt: The prompt.
        max_new_tokens: Length at the most.
        chat: Whether the prompt goes through the chat template.
        revision: Branch of the repository.
    """
    named = repr(model) if revision == MAIN else f"{model!r}, revision={revision!r}"
    return (_CHAT if chat else _PLAIN).format(model=named, prompt=prompt, max_new_tokens=max_new_tokens)
