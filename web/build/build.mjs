/**
 * Builds the page into the Python package: `index.html` and assets named by their content, all local. No inline
 * script or style, so the strictest content security policy holds.
 *
 *     node build/build.mjs            # once
 *     node build/build.mjs --watch    # again at each change
 */
import { copyFile, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, context } from "esbuild";
import { baseMap } from "./basemap.mjs";

const WEB = dirname(dirname(fileURLToPath(import.meta.url)));
const OUT = join(WEB, "../src/noroshi/service/static");
/** Where the node serves OUT. */
const PUBLIC = "/static";

/**
 * Puts the names of the built files into the page.
 * @param {import("esbuild").Metafile} metafile
 */
async function writePage(metafile) {
  const names = Object.keys(metafile.outputs).map((name) => basename(name));
  /** @param {RegExp} pattern */
  const named = (pattern) => {
    const found = names.find((name) => pattern.test(name));
    if (!found) throw new Error(`the build made no file like ${pattern}`);
    return `${PUBLIC}/assets/${found}`;
  };
  const page = await readFile(join(WEB, "index.html"), "utf8");
  const built = page
    .replace("%STYLE%", named(/^page-.*\.css$/))
    .replace("%SCRIPT%", named(/^page-.*\.js$/))
    .replace("%ICON%", `${PUBLIC}/icon.svg`);
  await copyFile(join(WEB, "icon.svg"), join(OUT, "icon.svg"));
  await writeFile(join(OUT, "index.html"), built);
}

/**
 * Keeps the licences of all that went into the bundle, and of the map's source, beside it.
 * @param {import("esbuild").Metafile} metafile
 */
async function writeLicences(metafile) {
  const bundled = Object.keys(metafile.inputs).flatMap((name) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(name)?.[1] ?? []);
  const texts = [];
  for (const name of [...new Set([...bundled, "world-atlas"])].sort()) {
    const home = join(WEB, "node_modules", name);
    const { version, license } = JSON.parse(await readFile(join(home, "package.json"), "utf8"));
    const file = (await readdir(home)).find((entry) => /^licen[sc]e/i.test(entry));
    const words = file ? await readFile(join(home, file), "utf8") : "";
    texts.push(`${name} ${version} (${license})\n\n${words.trim()}\n`);
  }
  await writeFile(join(OUT, "licences.txt"), texts.join(`\n${"-".repeat(80)}\n\n`));
}

/** @type {import("esbuild").Plugin} */
const page = {
  name: "page",
  setup(steps) {
    steps.onStart(async () => {
      await rm(OUT, { recursive: true, force: true });
      await mkdir(OUT, { recursive: true });
    });
    steps.onEnd(async (result) => {
      if (result.errors.length > 0 || !result.metafile) return;
      await writePage(result.metafile);
      await writeLicences(result.metafile);
    });
  },
};

/** @type {import("esbuild").BuildOptions} */
const options = {
  absWorkingDir: WEB,
  entryPoints: { page: "src/main.ts" },
  outdir: join(OUT, "assets"),
  publicPath: `${PUBLIC}/assets`,
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  legalComments: "none",
  metafile: true,
  logLevel: "info",
  plugins: [baseMap(), page],
};

if (process.argv.includes("--watch")) await (await context(options)).watch();
else await build(options);
