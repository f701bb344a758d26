"""Clients that commit to one repository of an embedded Hub at the same time: what arrives in its history.

    python benchmarks/hub_commits.py --clients 8 --commits 50

Each client is a process of its own with the unmodified huggingface_hub. A last commit names a stale parent.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError

from hubadapt.localhub.accounts import write_token
from hubadapt.localhub.server import running

_NAME = "local/busy"
_CLIENT = f"""
import sys
from huggingface_hub import CommitOperationAdd, HfApi
api, client = HfApi(), sys.argv[1]
for number in range(int(sys.argv[2])):
    add = CommitOperationAdd(f"{{client}}/{{number}}.txt", f"{{client}} {{number}}".encode())
    api.create_commit("{_NAME}", [add], commit_message=f"{{client}} {{number}}")
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--commits", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "hub") as endpoint:
        token = write_token(Path(folder) / "hub")
        api = HfApi(endpoint=endpoint, token=token)
        api.create_repo(_NAME)
        first = api.model_info(_NAME).sha
        began = time.perf_counter()
        failed = _clients(options.clients, options.commits, {"HF_ENDPOINT": endpoint, "HF_TOKEN": token})
        seconds = time.perf_counter() - began
        titles = [commit.title for commit in api.list_repo_commits(_NAME)]
        files = api.list_repo_files(_NAME)
        stale = _status_of_stale(api, first)
    wanted = {f"{client} {number}" for client in range(options.clients) for number in range(options.commits)}
    print(f"{len(wanted & set(titles))} of {len(wanted)} commits in a history of {len(titles)}, {len(files) - 1} files")
    print(f"{failed} clients failed; {seconds:.0f} s, starts of the clients included; a stale parent gets {stale}")
    return 0 if len(titles) == len(wanted) + 1 and wanted < set(titles) and stale == 412 else 1


def _clients(count: int, commits: int, settings: dict[str, str]) -> int:
    command = [sys.executable, "-c", _CLIENT]
    started = [subprocess.Popen([*command, str(n), str(commits)], env=os.environ | settings) for n in range(count)]
    return sum(process.wait() != 0 for process in started)


def _status_of_stale(api: HfApi, parent: str) -> int:
    try:
        api.create_commit(_NAME, [CommitOperationAdd("a", b"1")], commit_message="Stale", parent_commit=parent)
    except HfHubHTTPError as error:
        return error.response.status_code
    return 200


if __name__ == "__main__":
    sys.exit(main())
