"""Writes `hubadapt/hub_lists.json`: the words that the Hub accepts in the metadata of cards, with their sources.

Task and library names come from the npm package `@huggingface/tasks`, language codes from `@huggingface/languages`
(both MIT), licence identifiers from `docs/hub/repositories-licenses.md` of a clone of `huggingface/hub-docs`. Needs npm
and node:

    python tools/hub_lists.py CLONE_OF_HUB_DOCS
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parents[1] / "hubadapt" / "hub_lists.json"
TASKS, LANGUAGES = "@huggingface/tasks", "@huggingface/languages"
PAGE = "docs/hub/repositories-licenses.md"
READ = f"""
import {{ PIPELINE_TYPES, MODEL_LIBRARIES_UI_ELEMENTS }} from "{TASKS}";
import * as languages from "{LANGUAGES}";
const two = languages.LANGUAGES_ISO_639_1, three = languages.LANGUAGES_ISO_639_3;
console.log(JSON.stringify({{
  pipeline_tags: PIPELINE_TYPES,
  library_names: Object.keys(MODEL_LIBRARIES_UI_ELEMENTS),
  languages: Object.fromEntries(Object.values(two).map((one) => [one.code, one.name])),
  more_languages: Object.keys(three),
}}));
"""


def from_npm(folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """The lists of both packages, and the versions they were read from."""
    subprocess.run(["npm", "install", "--silent", "--prefix", folder, TASKS, LANGUAGES], check=True)
    (folder / "read.mjs").write_text(READ, "utf-8")
    printed = subprocess.run(["node", folder / "read.mjs"], check=True, capture_output=True, text=True).stdout
    versions = {
        name: json.loads((folder / "node_modules" / name / "package.json").read_text("utf-8"))["version"]
        for name in (TASKS, LANGUAGES)
    }
    return json.loads(printed), versions


def licences(clone: Path) -> tuple[list[str], str]:
    """Identifiers of the page's table, and the commit and day of the page."""
    git = ["git", "-C", str(clone)]
    page = subprocess.run([*git, "show", f"HEAD:{PAGE}"], check=True, capture_output=True, text=True).stdout
    head = subprocess.run([*git, "log", "-1", "--format=%h, %cs"], check=True, capture_output=True, text=True).stdout
    return re.findall(r"^\|[^|]*\| `([^`]+)`", page, re.MULTILINE), head.strip()


def main() -> None:
    """Write the file anew."""
    with tempfile.TemporaryDirectory() as folder:
        lists, versions = from_npm(Path(folder))
    identifiers, commit = licences(Path(sys.argv[1]))
    sources = [f"npm {name} {version} (MIT)" for name, version in versions.items()]
    content = {
        "read": subprocess.run(["date", "-u", "+%F"], check=True, capture_output=True, text=True).stdout.strip(),
        "sources": [*sources, f"github.com/huggingface/hub-docs {PAGE} at {commit} (Apache-2.0)"],
        "licenses": " ".join(identifiers),
        "pipeline_tags": " ".join(lists["pipeline_tags"]),
        "library_names": " ".join(lists["library_names"]),
        "languages": lists["languages"],
        "more_languages": " ".join([*lists["more_languages"], "code", "multilingual"]),
    }
    TARGET.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
