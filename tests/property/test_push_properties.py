"""Whatever people and runs do in whatever order: no edit on the Hub is lost in silence, and no push repeats itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from hubadapt.hub.changes import Standing, changed, git_blob, removed, standing
from hubadapt.hub.owner_words import split_words, with_room, with_words
from hubadapt.hub.plan import Remote, RemoteFile, RepositoryPlan, Upload
from hubadapt.hub.receipt import Entry, SentFile
from hubadapt.manifest import hash_bytes

TAGGED = "---\ntags: [hubadapt]\n---\n# "


def upload(path: str, text: str) -> Upload:
    return Upload(path, len(text.encode()), hash_bytes(text.encode()), text=text)


@dataclass
class World:
    """A branch on the Hub, a run that publishes to it, and the run's receipt."""

    run: dict[str, str]
    hub: dict[str, str] = field(default_factory=dict)
    receipt: Entry | None = None

    @property
    def plan(self) -> RepositoryPlan:
        return RepositoryPlan("x", "me/x", "dataset", tuple(upload(*item) for item in self.run.items()), "")

    @property
    def remote(self) -> Remote:
        files = {path: RemoteFile(git_blob(upload(path, text)), None) for path, text in self.hub.items()}
        return Remote("c" * 40, files | {".gitattributes": RemoteFile("", None)})

    def look(self) -> Standing:
        return standing(self.plan, self.remote, self.receipt, read=self.hub.__getitem__, blob_of=git_blob)

    def push(self, *, replace: bool = False) -> int | None:
        """How many files changed; None where the push stopped."""
        found = self.look()
        if found.foreign or found.strangers or (found.edited and not replace):
            return None
        sent = changed(self.plan, self.remote, self.receipt, words=found.words, blob_of=git_blob)
        gone = removed(self.plan, self.remote, self.receipt)
        self.hub |= {file.path: file.text for file in sent}
        self.hub = {path: text for path, text in self.hub.items() if path not in gone}
        there = self.remote.files
        files = {file.path: SentFile(there=there[file.path].content, sha256=file.sha256) for file in self.plan.uploads}
        self.receipt = Entry(
            endpoint="", type="dataset", id="me/x", commit="1" * 40, files=files, words=dict(found.words)
        )
        return len(sent) + len(gone)

    def write_words(self, text: str) -> None:
        split = split_words(self.hub.get("README.md", ""))
        if split:
            self.hub["README.md"] = with_words(split[0], text)


texts = st.sampled_from(["one\n", "two\n", "## three\n"])
runs = st.builds(
    lambda title, files: {"README.md": with_room(TAGGED + title), **files},
    texts,
    st.dictionaries(st.sampled_from(["a.json", "b.json"]), texts),
)
acts = st.one_of(
    st.tuples(st.just("run"), runs),
    st.tuples(st.just("words"), texts | st.just("")),
    st.tuples(st.just("edit"), st.sampled_from(["README.md", "a.json", "b.json", "own.txt"])),
    st.tuples(st.just("delete"), st.sampled_from(["a.json", "README.md"])),
    st.tuples(st.just("lose the receipt"), st.none()),
)
pushes = st.sampled_from([None, "push", "push", "replace"])


@settings(max_examples=150)
@given(runs, st.lists(st.tuples(acts, pushes), max_size=8))
def test_pushes_keep_words_stop_at_edits_and_settle(run, steps):
    world = World(run)
    assert world.push() == len(run)
    for (what, how), push in steps:
        if what == "run":
            world.run = how
        elif what == "words":
            world.write_words(how)
        elif what == "edit" and how in {*world.hub, "own.txt"}:
            world.hub[how] = world.hub.get(how, "") + "edited\n"
        elif what == "delete":
            world.hub.pop(how, None)
        elif what == "lose the receipt":
            world.receipt = None
        before, ours = dict(world.hub), {*world.receipt.files} if world.receipt else set()
        if push and world.push(replace=push == "replace") is None:
            assert world.hub == before
        elif push:
            check_settled(world, before, ours, replaced=push == "replace")


def check_settled(world: World, before: dict[str, str], ours: set[str], *, replaced: bool) -> None:
    """After a push: what the run makes stands there and nothing else of ours, words are kept, no more is to be sent."""
    for path, text in world.run.items():
        split = split_words(world.hub[path])
        assert (split[0] if split else world.hub[path]) == text
    assert not {*world.hub} & (ours - {*world.run})
    kept = split_words(before.get("README.md", ""))
    if kept:
        assert split_words(world.hub["README.md"])[1] == kept[1]
    assert world.hub.get("own.txt") == before.get("own.txt")
    if not replaced:
        edited = {path: text for path, text in before.items() if text.endswith("edited\n")}
        assert edited.items() <= world.hub.items()
    assert world.push() == 0
