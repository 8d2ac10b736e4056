// Writes the licences of everything that is linked into the binary, as each crate brings them: `make build` puts them
// beside it, `make install` into /usr/share/doc/hostcast. Usage: node packaging/licences.mjs FILE [CARGO TARGET]
//
// From the crates' own files, which cargo has fetched anyway: nothing is asked of the network, nothing is guessed, and a
// crate that brings no licence fails the build.
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";

const cargo = process.env.CARGO ?? "cargo";
const run = (...args) => execFileSync(cargo, args, { encoding: "utf8", maxBuffer: 1 << 28 });
const host = () => /^host: (.*)$/m.exec(execFileSync("rustc", ["-vV"], { encoding: "utf8" }))[1];
const [file, target = host()] = process.argv.slice(2);

const metadata = JSON.parse(run("metadata", "--locked", "--format-version", "1", "--filter-platform", target));
const sources = new Map(metadata.packages.map((crate) => [`${crate.name} v${crate.version}`, crate]));

// What only runs while something is built is not in the binary: macros, and what build scripts need.
const linked = run(
  "tree", "--locked", "--package", "hostcast", "--edges", "normal,no-proc-macro", "--target", target,
  "--prefix", "none", "--format", "{p}",
);
const names = new Set(linked.split("\n").filter(Boolean).map((line) => line.split(" ").slice(0, 2).join(" ")));
const ours = new Set(metadata.workspace_members);

// One folder further down lies what is bundled in C. Where a LICENSE stands, COPYING beside it is another choice.
function licencesIn(folder, depth = 3) {
  const entries = readdirSync(folder, { withFileTypes: true });
  const named = (pattern) => entries.filter((entry) => entry.isFile() && pattern.test(entry.name));
  const found = named(/^(licen[cs]e|unlicense|notice)/i);
  const files = (found.length ? found : named(/^copying/i)).map((entry) => path.join(folder, entry.name));
  const within = depth > 1 ? entries.filter((entry) => entry.isDirectory()) : [];
  return [...files, ...within.flatMap((entry) => licencesIn(path.join(folder, entry.name), depth - 1))];
}

// Each text once, with all that it is the licence of; how its lines are broken makes no other text of it.
const texts = new Map();
for (const name of [...names].sort()) {
  const crate = sources.get(name);
  if (ours.has(crate.id)) continue;
  const folder = path.dirname(crate.manifest_path);
  const files = licencesIn(folder);
  if (files.length === 0) throw new Error(`${name} (${crate.license}) brings no licence: ${folder}`);
  for (const file of files) {
    const text = readFileSync(file, "utf8").replace(/\r\n?/g, "\n").replace(/[ \t]+$/gm, "").trim();
    const key = text.replace(/\s+/g, " ");
    if (!texts.has(key)) texts.set(key, { text, crates: new Set() });
    texts.get(key).crates.add(`${name} (${crate.license})`);
  }
}

const line = "=".repeat(80);
const parts = [...texts.values()].map(
  ({ text, crates }) => `${line}\n${[...crates].join("\n")}\n${line}\n\n${text}\n`,
);
writeFileSync(file, `The hostcast binary contains the software that is named below, under the licences that follow the names. Where
there is a choice ("OR"), any of them holds. It also contains the standard library of Rust, by the contributors to
the Rust project, under the Apache License 2.0, which is among them. The page within it contains no software of
others. hostcast itself is under MIT OR Apache-2.0.

${parts.join("\n")}`);
