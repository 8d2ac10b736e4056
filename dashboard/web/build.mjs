// Bundles the page into the folder named on the command line:
//   index.html, assets/app-<hash>.js, assets/app-<hash>.css, assets/icon-<hash>.svg
// index.html refers to its sources; here each reference is replaced by the hashed output.
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const [out] = process.argv.slice(2);
if (!out) {
  console.error("usage: node build.mjs OUTDIR");
  process.exit(2);
}

const root = path.dirname(fileURLToPath(import.meta.url));
const outdir = path.resolve(out);
const sources = {
  "src/main.js": "assets/app",
  "src/app.css": "assets/app",
  "icon.svg": "assets/icon",
};

await rm(path.join(outdir, "assets"), { recursive: true, force: true });
await mkdir(outdir, { recursive: true });
const { metafile } = await esbuild.build({
  absWorkingDir: root,
  entryPoints: Object.entries(sources).map(([source, name]) => ({ in: source, out: name })),
  entryNames: "[dir]/[name]-[hash]",
  loader: { ".svg": "copy" },
  outdir,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome123", "firefox120", "safari17.5"],
  // Set where cargo builds; so that the page can tell that the daemon is of another version.
  define: { HOSTCAST_VERSION: JSON.stringify(process.env.CARGO_PKG_VERSION ?? "") },
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
});

// packaging/licences.mjs says so.
const foreign = Object.keys(metafile.inputs).filter((input) => input.includes("node_modules"));
if (foreign.length > 0) throw new Error(`the page contains software of others: ${foreign}`);

let html = await readFile(path.join(root, "index.html"), "utf8");
for (const source of Object.keys(sources)) {
  const built = Object.entries(metafile.outputs).find(
    ([, output]) => output.entryPoint === source || Object.keys(output.inputs).join() === source,
  );
  if (!built || !html.includes(`"${source}"`)) {
    throw new Error(`index.html and the build disagree about ${source}`);
  }
  const name = path.relative(outdir, path.resolve(root, built[0])).split(path.sep).join("/");
  html = html.replace(`"${source}"`, `"${name}"`);
}
await writeFile(path.join(outdir, "index.html"), html.replace(/>\s+</g, ">\n<"));
