// What the page weighs: scripts, styles and markup, gzipped. More than the limit fails the build.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const LIMIT = 200 * 1024;
const folder = process.argv[2] ?? "dist";
const files = readdirSync(folder, { recursive: true }).filter((name) => /\.(js|css|html)$/.test(name));
const weight = files.reduce((sum, name) => sum + gzipSync(readFileSync(join(folder, name)), { level: 9 }).length, 0);
console.log(`${folder}: ${files.length} files, ${(weight / 1024).toFixed(1)} KiB gzipped of ${LIMIT / 1024}`);

const page = readFileSync(join(folder, "index.html"), "utf8");
const inline = /<script(?![^>]*\ssrc=)|\son\w+=|javascript:/i.exec(page);
if (weight > LIMIT || inline !== null) {
  console.error(inline === null ? "too heavy: find out what came in" : `the content security policy would refuse ${inline[0]}`);
  process.exit(1);
}
