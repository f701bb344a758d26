"""A big file to an embedded Hub and back over the loopback, beside `cp` and sha256 of the same bytes; its memory.

    python benchmarks/hub_speed.py FOLDER --gigabytes 2 --pairs 3

FOLDER must not exist; what is made in it is deleted. In each pair come one after the other: `cp` of the file, flushed,
and its sha256; an upload through Xet, one through git-lfs (HF_HUB_DISABLE_XET), and a download, each by the unmodified
huggingface_hub in a process of its own and timed inside it, imports not included. The file is random: new in each pair,
so that nothing of it is there already. A speed is given as a share of that of `cp` and sha256 in the same pair.
The last part changes the first --tables share of a model file and counts what a second push through Xet sends.
"""

import argparse
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from hubadapt.localhub.accounts import write_token

_BLOCK = 1 << 24
_TIMED = """
import sys, time
from huggingface_hub import CommitOperationAdd, HfApi, hf_hub_download
api, (action, name, path, local) = HfApi(), sys.argv[1:]
began = time.perf_counter()
if action == "push":
    api.create_commit(name, [CommitOperationAdd(path, local)], commit_message="Push")
else:
    hf_hub_download(name, path, local_dir=local)
print(time.perf_counter() - began)
"""


class Server:
    """A Hub in a process of its own, whose memory can be read."""

    def __init__(self, data: Path) -> None:
        self.data = data
        command = [sys.executable, "-m", "hubadapt.localhub", "--data", str(data)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout
        self.endpoint = self._process.stdout.readline().decode().strip()
        self.token = write_token(data)

    def most_memory(self) -> int:
        """The most memory it ever held, in bytes."""
        status = Path(f"/proc/{self._process.pid}/status").read_text("ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--tables", type=float, default=0.2)
    options = parser.parse_args()
    options.folder.mkdir(parents=True)
    server = Server(options.folder / "hub")
    try:
        _pairs(server, options.folder, int(options.gigabytes * 1e9), options.pairs)
        _second_push(server, options.folder, int(options.gigabytes * 1e9 / 4), options.tables)
        print(f"the server held at most {server.most_memory() / 1e6:.0f} MB")
    finally:
        server.stop()
        shutil.rmtree(options.folder)
    return 0


def _pairs(server: Server, folder: Path, size: int, pairs: int) -> None:
    shares: dict[str, list[float]] = {"Xet upload": [], "git-lfs upload": [], "plain download": []}
    for number in range(pairs):
        _client(server, folder, "create", f"local/pair-{number}")
        base, rows = 0.0, []
        for kind in shares:
            file = folder / "model.safetensors"
            if kind != "plain download":
                _write_random(file, size)
            base = _copy_and_hash(file, folder / "copy")
            name, path = f"local/pair-{number}", f"{kind.partition(' ')[0]}.safetensors"
            if kind == "plain download":
                seconds = _client(server, folder, "pull", name, "git-lfs.safetensors", folder / "back")
                shutil.rmtree(folder / "back")
            else:
                seconds = _client(server, folder, "push", name, path, file, xet=kind.startswith("Xet"))
            shares[kind].append(base / seconds)
            rows.append(f"{kind} {seconds:.1f} s ({base / seconds:.0%} of cp and sha256, {base:.1f} s)")
        print(f"pair {number}: {'; '.join(rows)}", flush=True)
    for kind, found in shares.items():
        print(f"{kind}: {statistics.median(found):.0%} (from {min(found):.0%} to {max(found):.0%}, {len(found)} pairs)")


def _second_push(server: Server, folder: Path, size: int, share: float) -> None:
    name, file = "local/second", folder / "model.safetensors"
    _client(server, folder, "create", name)
    _write_random(file, size)
    _client(server, folder, "push", name, "model.safetensors", file)
    before = _held(server)
    tables = int(size * share)
    with file.open("r+b") as changed:
        changed.write(os.urandom(tables))
    _client(server, folder, "push", name, "model.safetensors", file)
    sent = _held(server) - before
    print(f"a second push with {tables / 1e6:.0f} MB of tables changed sent {sent / 1e6:.0f} MB, x {sent / tables:.3f}")


def _held(server: Server) -> int:
    return sum(path.stat().st_size for path in (server.data / "xet").rglob("*") if path.is_file())


def _client(server: Server, folder: Path, action: str, *arguments: object, xet: bool = True) -> float:
    settings = {"HF_ENDPOINT": server.endpoint, "HF_TOKEN": server.token, "HF_HOME": str(folder / "home")}
    settings |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1"} | ({} if xet else {"HF_HUB_DISABLE_XET": "1"})
    code = "import sys; from huggingface_hub import HfApi; HfApi().create_repo(sys.argv[2]); print(0)"
    command = [sys.executable, "-c", code if action == "create" else _TIMED, action, *map(str, arguments)]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=True)
    return float(done.stdout)


def _write_random(file: Path, size: int) -> None:
    with file.open("wb") as out:
        for start in range(0, size, _BLOCK):
            out.write(os.urandom(min(_BLOCK, size - start)))
        out.flush()
        os.fsync(out.fileno())


def _copy_and_hash(file: Path, copy: Path) -> float:
    began = time.perf_counter()
    shutil.copyfile(file, copy)
    with copy.open("rb") as out:
        os.fsync(out.fileno())
        hashlib.file_digest(out, "sha256")
    seconds = time.perf_counter() - began
    copy.unlink()
    return seconds


if __name__ == "__main__":
    sys.exit(main())
