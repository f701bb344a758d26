"""BibTeX of a published model: the run, hubadapt, the models it was made from, and LEP where it was used."""

from __future__ import annotations

import re

from hubadapt.lineage import MAIN, Names, parents
from hubadapt.types import Artifact, Manifest

LEP = """\
@misc{tikhomirov2024lep,
  title = {Facilitating large language model {Russian} adaptation with {Learned Embedding Propagation}},
  author = {Tikhomirov, Mikhail and Chernyshev, Daniil},
  year = {2024},
  eprint = {2412.21140},
  archivePrefix = {arXiv},
}"""


def citation(manifest: Manifest, artifact: Artifact, names: Names) -> str:
    """Entries for everything that a user of the model owes a mention.

    Args:
        manifest: The run.
        artifact: A model of it.
        names: What things are called on the Hub.
    """
    id, branch = names[artifact.name], names.revision(artifact.name)
    on_branch = {} if branch == MAIN else {"note": f"branch {branch}"}
    entries = [_entry("misc", names.title(artifact.name), id, author=id.split("/")[0], **on_branch)]
    for name, ref in manifest.sources().items():
        if name in ("base", artifact.of):
            entries.append(_entry("misc", names[name].split("/")[-1], names[name], note=f"revision {ref.revision}"))
    version = manifest.packages.get("hubadapt", "")
    entries.append(_entry("software", "hubadapt", "hubadapt", **({"version": version} if version else {})))
    carried = artifact.of != "base" and len(parents(manifest, artifact)) > 1
    return "\n\n".join([*entries, *([LEP] if carried else [])])


def _entry(kind: str, key: str, title: str, **fields: str) -> str:
    where = {} if kind == "software" else {"howpublished": "Hugging Face Hub"}
    lines = [f"  {field} = {{{_escaped(value)}}}," for field, value in ({"title": title} | fields | where).items()]
    return "\n".join([f"@{kind}{{{re.sub(r'[^A-Za-z0-9.-]', '-', key)},", *lines, "}"])


def _escaped(text: str) -> str:
    return re.sub(r"([&%$#_{}])", r"\\\1", text)
