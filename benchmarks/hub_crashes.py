"""An embedded Hub killed (SIGKILL) at random moments of uploads and commits, started again, and asked what it holds.

    python benchmarks/hub_crashes.py --kills 200 --seed 1

Each round makes a repository, lets workers commit to it as fast as they can (five small files each, every third commit
with a big file that came by git-lfs or by Xet), kills the server after a random time, starts it again, and compares:
every acknowledged commit must be in the history, every commit there must hold all of its files, every big file must
have its sha256. At the end `git fsck` reads every repository.
"""

import argparse
import base64
import hashlib
import http.client
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "contract"))
from xet_by_hand import shard_of, xorb_of

from hubadapt.localhub.accounts import write_token

_FILES = 5
_WORKERS = 4


@dataclass
class Server:
    """A Hub in a process of its own."""

    data: Path
    process: subprocess.Popen[bytes] | None = None
    address: str = ""

    def start(self) -> float:
        """Start it and wait until it accepts connections; returns the seconds that took."""
        began = time.perf_counter()
        command = [sys.executable, "-m", "hubadapt.localhub", "--data", str(self.data)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.process.stdout
        self.address = urlsplit(self.process.stdout.readline().decode().strip()).netloc
        assert self.address, "the server did not start again"
        return time.perf_counter() - began

    def kill(self) -> None:
        """End it as a power failure of the process would."""
        assert self.process
        self.process.kill()
        self.process.communicate()

    def ask(self, method: str, path: str, body: bytes = b"", token: str = "") -> tuple[int, bytes]:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {token}"} if token else {})
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()


@dataclass
class Round:
    """What the workers of one round were told had been done."""

    server: Server
    token: str
    name: str
    seed: int
    commits: dict[str, str] = field(default_factory=dict)  # folder → commit id
    big: dict[str, str] = field(default_factory=dict)  # path → sha256
    unclear: int = 0

    def work(self, worker: int) -> None:
        """Commit until the server is gone."""
        chance = random.Random(f"{self.seed}/{worker}")
        for number in itertools.count():
            try:
                self._commit(f"{worker}-{number}", chance, by_xet=number % 6 == 3, with_big=number % 3 == 0)
            except (OSError, http.client.HTTPException):
                self.unclear += 1
                return

    def _commit(self, folder: str, chance: random.Random, by_xet: bool, with_big: bool) -> None:
        content = base64.b64encode(chance.randbytes(chance.randrange(1, 5000))).decode()
        lines: list[tuple[str, dict[str, object]]] = [("header", {"summary": folder})]
        lines += [("file", {"path": f"{folder}/{n}.txt", "content": content}) for n in range(_FILES)]
        if with_big:
            raw = chance.randbytes(chance.randrange(100_000, 3_000_000))
            sha256 = (self._by_xet if by_xet else self._by_lfs)(raw)
            lines.append(("lfsFile", {"path": f"{folder}/big.bin", "oid": sha256, "algo": "sha256"}))
        body = b"\n".join(json.dumps({"key": key, "value": value}).encode() for key, value in lines)
        status, reply = self.server.ask("POST", f"/api/models/{self.name}/commit/main", body, self.token)
        assert status == 200, reply
        self.commits[folder] = json.loads(reply)["commitOid"]
        if with_big:
            self.big[f"{folder}/big.bin"] = sha256

    def _by_lfs(self, raw: bytes) -> str:
        sha256 = hashlib.sha256(raw).hexdigest()
        wanted = {"operation": "upload", "objects": [{"oid": sha256, "size": len(raw)}]}
        path = f"/{self.name}.git/info/lfs/objects/batch"
        actions = json.loads(self.server.ask("POST", path, json.dumps(wanted).encode(), self.token)[1])["objects"][0]
        target = urlsplit(actions["actions"]["upload"]["href"])
        status, reply = self.server.ask("PUT", f"{target.path}?{target.query}", raw)
        assert status == 200, reply
        return sha256

    def _by_xet(self, raw: bytes) -> str:
        sha256, xorb = hashlib.sha256(raw).hexdigest(), hashlib.sha256(b"xorb" + raw).hexdigest()
        path = f"/api/models/{self.name}/xet-write-token/main"
        ticket = json.loads(self.server.ask("GET", path, token=self.token)[1])["accessToken"]
        chunks = [raw[start : start + 65536] for start in range(0, len(raw), 65536)]
        for where, body in (
            (f"xorbs/default/{xorb}", xorb_of(*chunks)),
            ("shards", shard_of(xorb, len(chunks), sha256, len(raw))),
        ):
            status, reply = self.server.ask("POST", f"/xet/m/v1/{where}", body, ticket)
            assert status == 200, reply
        return sha256

    def faults(self) -> list[str]:
        """What the server, started again, lost or holds in half."""
        get = lambda path: self.server.ask("GET", path, token=self.token)[1]  # noqa: E731
        history = {commit["id"]: commit["title"] for commit in self._pages()}
        found = [f"lost commit {oid}" for folder, oid in self.commits.items() if history.get(oid) != folder]
        listed = json.loads(get(f"/api/models/{self.name}?blobs=true"))["siblings"]
        paths = {entry["rfilename"] for entry in listed}
        for folder in set(history.values()) - {"initial commit"}:
            missing = [f"{folder}/{n}.txt" for n in range(_FILES) if f"{folder}/{n}.txt" not in paths]
            found += [f"half a commit: no {path}" for path in missing]
        for path, sha256 in self.big.items():
            if hashlib.sha256(get(f"/{self.name}/resolve/main/{path}")).hexdigest() != sha256:
                found.append(f"wrong content: {path}")
        return found

    def _pages(self) -> list[dict[str, str]]:
        commits: list[dict[str, str]] = []
        for page in itertools.count():
            path = f"/api/models/{self.name}/commits/main?limit=1000&p={page}"
            more = json.loads(self.server.ask("GET", path, token=self.token)[1])
            commits += more
            if len(more) < 1000:
                return commits
        raise AssertionError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        faults = _run(Server(Path(folder) / "hub"), options.kills, options.seed)
    return 1 if faults else 0


def _run(server: Server, kills: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    faults: list[str] = []
    acknowledged = big = unclear = 0
    starts = [server.start()]
    token = write_token(server.data)
    for number in range(kills):
        name = f"local/round-{number}"
        assert server.ask("POST", "/api/repos/create", json.dumps({"name": name}).encode(), token)[0] == 200
        now = Round(server, token, name, seed * 1000 + number)
        with ThreadPoolExecutor(_WORKERS) as pool:
            waiting = [pool.submit(now.work, worker) for worker in range(_WORKERS)]
            threading.Event().wait(chance.uniform(0, 1.5))
            server.kill()
            for one in waiting:
                one.result()
        starts.append(server.start())
        faults += [f"{name}: {fault}" for fault in now.faults()]
        acknowledged, big, unclear = acknowledged + len(now.commits), big + len(now.big), unclear + now.unclear
    faults += _fsck(server.data)
    print(f"{kills} kills: {acknowledged} commits acknowledged, {big} of them with a big file; {unclear} cut off")
    print(f"{len(faults)} faults; the server started again each time, in at most {max(starts):.1f} s")
    print(*faults[:20], sep="\n")
    server.kill()
    return faults


def _fsck(data: Path) -> list[str]:
    if not shutil.which("git"):
        print("git is not installed: no fsck")
        return []
    found = []
    for git in sorted(data.glob("repos/models/local/*/git")):
        command = ["git", "-c", "safe.directory=*", "fsck", "--strict", "--full", "--no-dangling"]
        done = subprocess.run(command, cwd=git, capture_output=True, text=True, env=os.environ, check=False)
        if done.returncode or done.stdout.strip():
            found.append(f"{git}: {done.stdout}{done.stderr}")
    return found


if __name__ == "__main__":
    sys.exit(main())
