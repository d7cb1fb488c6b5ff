// Bundles scripts and styles into ../static: names bear a hash of the content, each file also lies
// there compressed, and manifest.json says what is called how.
import { build } from "esbuild";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const here = path.dirname(fileURLToPath(import.meta.url));
const target = path.join(here, "..", "static");

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });

const entries = ["theme.js", "main.js", "code.js", "logs.js", "history.js", "login.js", "styles/main.css", "icon.svg"];
const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: entries.map((name) => path.join("source", name)),
  outdir: target,
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2022"],
  loader: { ".svg": "copy" },
  legalComments: "linked",
  metafile: true,
});

const manifest = {};
for (const [output, { entryPoint, inputs }] of Object.entries(metafile.outputs)) {
  const source = entryPoint ?? (output.endsWith(".svg") ? Object.keys(inputs)[0] : undefined);
  if (source) manifest[path.basename(source)] = path.basename(output);
}
for (const name of readdirSync(target)) {
  const content = readFileSync(path.join(target, name));
  writeFileSync(path.join(target, `${name}.gz`), gzipSync(content, { level: 9 }));
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
  writeFileSync(path.join(target, `${name}.br`), brotliCompressSync(content, quality));
}
writeFileSync(path.join(target, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
