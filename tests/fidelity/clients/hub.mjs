// The JavaScript client: create, push, load, list, branch, pull request, delete.
import assert from "node:assert/strict";
import {
  commit, createBranch, createRepo, deleteBranch, deleteFile, deleteRepo, downloadFile, fileExists, listCommits,
  listFiles, modelInfo, uploadFiles, whoAmI,
} from "@huggingface/hub";

const hubUrl = process.env.HF_ENDPOINT;
const accessToken = process.env.HF_TOKEN;
const repo = { type: "model", name: "local/javascript" };
const at = { hubUrl, accessToken, repo };
const big = new Uint8Array(3_000_000).map((_, index) => (index * 2654435761) >>> 13);
const all = async (listing) => { const found = []; for await (const one of listing) found.push(one); return found; };
const bytes = async (path, revision) => new Uint8Array(await (await downloadFile({ ...at, path, revision })).arrayBuffer());

assert.equal((await whoAmI({ hubUrl, accessToken })).name, "local");
await createRepo(at);
await uploadFiles({
  ...at,
  files: [
    { path: "README.md", content: new Blob(["---\nlicense: mit\n---\nText\n"]) },
    { path: "sub/model.safetensors", content: new Blob([big]) },
  ],
});
assert.deepEqual(await bytes("sub/model.safetensors"), big);
assert.equal(new TextDecoder().decode(await bytes("README.md")).includes("Text"), true);
const listed = await all(listFiles({ ...at, recursive: true }));
assert.ok(listed.some((entry) => entry.path === "sub/model.safetensors" && entry.size === big.length));
assert.ok((await modelInfo({ ...at, name: repo.name })).id);
await createBranch({ ...at, branch: "stage/one" });
await commit({ ...at, branch: "stage/one", title: "Branch", operations: [
  { operation: "addOrUpdate", path: "branch.txt", content: new Blob(["1"]) },
] });
assert.equal(await fileExists({ ...at, path: "branch.txt" }), false);
assert.equal((await bytes("branch.txt", "stage/one")).length, 1);
await deleteBranch({ ...at, branch: "stage/one" });
const pull = await commit({ ...at, title: "Pull", isPullRequest: true, operations: [
  { operation: "addOrUpdate", path: "pull.txt", content: new Blob(["1"]) },
  { operation: "delete", path: "README.md" },
] });
assert.ok(pull.pullRequestUrl.endsWith("/discussions/1"));
assert.equal((await bytes("pull.txt", "refs/pr/1")).length, 1);
await deleteFile({ ...at, path: "sub/model.safetensors" });
assert.equal((await all(listCommits(at))).length, 3);
await deleteRepo(at);
