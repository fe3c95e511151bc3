// Makes explorer.js, explorer.css and LICENCES.txt in the folder that is named, from this folder's packages.
import { build } from "esbuild";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

const out = process.argv[2];
const made = await build({
  entryPoints: ["explorer.mjs"],
  outfile: join(out, "explorer.js"),
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2022"],
  define: { "process.env.NODE_ENV": '"production"' },
  legalComments: "none", // LICENCES.txt has them whole
  metafile: true,
});

// GraphiQL's fonts are two thirds of its style; the browser's own will do.
const style = join(out, "explorer.css");
await writeFile(style, (await readFile(style, "utf8")).replace(/@font-face\s*\{[^}]*\}/g, ""));

const folders = new Set();
for (const input of Object.keys(made.metafile.inputs)) {
  const found = input.match(/^.*node_modules\/(?:@[^/]+\/)?[^/]+/);
  if (found) folders.add(found[0]);
}
/** For a package that names the MIT licence and ships no text of it. */
function permission({ name, license, author }) {
  if (license !== "MIT") throw new Error(`${name}: ${license}, and no text`);
  const holder = typeof author === "string" ? author : (author?.name ?? `the contributors of ${name}`);
  return mit.replace("HOLDER", holder);
}

const mit = `MIT License

Copyright (c) HOLDER

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

const texts = new Map();
for (const folder of [...folders].sort()) {
  const about = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const file = (await readdir(folder)).find((name) => /^licen[cs]e/i.test(name));
  const text = file ? (await readFile(join(folder, file), "utf8")).trim() : permission(about);
  texts.set(text, [...(texts.get(text) ?? []), `${about.name} ${about.version} (${about.license})`]);
}
const parts = [...texts].map(([text, names]) => `${names.join("\n")}\n\n${text}\n`);
const head = "explorer.js and explorer.css are made from these packages, under these licences.\n";
await writeFile(join(out, "LICENCES.txt"), [head, ...parts].join(`\n${"-".repeat(80)}\n\n`));
