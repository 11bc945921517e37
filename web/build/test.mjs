/** Runs the unit tests: bundles each `test/*.test.ts` for Node and hands them to Node's own test runner. */
import { mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const WEB = dirname(dirname(fileURLToPath(import.meta.url)));
const out = await mkdtemp(join(tmpdir(), "noroshi-page-"));
let status = 1;
try {
  await symlink(join(WEB, "node_modules"), join(out, "node_modules"));
  const tests = (await readdir(join(WEB, "test"))).filter((name) => name.endsWith(".test.ts"));
  await build({
    absWorkingDir: WEB,
    entryPoints: tests.map((name) => join("test", name)),
    outdir: out,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    target: ["node20"],
    logLevel: "warning",
  });
  const files = tests.map((name) => join(out, name.replace(/\.ts$/, ".mjs")));
  status = spawnSync(process.execPath, ["--test", "--test-reporter=spec", ...files], { stdio: "inherit" }).status ?? 1;
} finally {
  await rm(out, { recursive: true, force: true });
}
process.exit(status);
