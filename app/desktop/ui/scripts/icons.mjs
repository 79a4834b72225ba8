// Draws the mark in all its forms: `npm run icons`. Writes app/desktop/icons; needs rsvg-convert (Debian: librsvg2-bin).
//
// The mark is a bay, three quarters of a ring, which shelters a container. One geometry serves the app's icon, the tray
// and the window (parts/Mark.svelte repeats its numbers).
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const out = join(import.meta.dirname, "../../icons");
mkdirSync(join(out, "tray"), { recursive: true });

// On a field of 32: the ring's middle line, its width, and the angle of its middle opening (clockwise, 0 is right).
const [centre, radius, width] = [16, 11.5, 4.5];
const opening = -45;

const point = (degrees) => {
  const angle = (degrees * Math.PI) / 180;
  return `${(centre + radius * Math.cos(angle)).toFixed(3)} ${(centre + radius * Math.sin(angle)).toFixed(3)}`;
};
/** An arc of the ring, clockwise from one angle to another. */
const arc = (from, to, attributes = "") =>
  `<path d="M${point(from)}A${radius} ${radius} 0 ${to - from > 180 ? 1 : 0} 1 ${point(to)}" fill="none" stroke-width="${width}" ${attributes}/>`;
const [begin, end] = [opening + 45, opening + 315];
const block = (attributes = "") => `<rect x="11.5" y="12.5" width="9" height="7" rx="1.5" ${attributes}/>`;

const forms = {
  stopped: (ink) => arc(begin, end, `stroke="${ink}"`) + block(`fill="${ink}"`),
  running: (ink) => arc(begin, end, `stroke="${ink}"`) + block(`fill="${ink}"`) + `<circle cx="25" cy="7" r="4.25" fill="${ink}"/>`,
  failed: (ink) =>
    arc(begin, 105, `stroke="${ink}"`) + arc(165, end, `stroke="${ink}"`) +
    `<path d="M13 13l6 6M19 13l-6 6" stroke="${ink}" stroke-width="2.5" stroke-linecap="round"/>`,
};
for (const step of [1, 2, 3, 4]) {
  forms[`starting-${step}`] = (ink) =>
    arc(begin, end, `stroke="${ink}" stroke-opacity="0.32"`) + arc(begin, begin + 67.5 * step, `stroke="${ink}"`) +
    block(`fill="${ink}" fill-opacity="0.32"`);
}

const svg = (size, body, title) =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size} ${size}"><title>${title}</title>${body}</svg>\n`;
const png = (source, target, size) =>
  execFileSync("rsvg-convert", ["--width", String(size), "--height", String(size), "--output", target, source]);

for (const [state, draw] of Object.entries(forms)) {
  for (const [ink, colour] of [["black", "#000000"], ["white", "#ffffff"]]) {
    const base = join(out, "tray", `${state}-${ink}`);
    writeFileSync(`${base}.svg`, svg(32, draw(colour), `Cove, ${state}`));
    png(`${base}.svg`, `${base}.png`, 44);
  }
}

// The app: the bay in light, the water deep teal. 824 of 1024, as macOS's grid has it.
const app = `<defs><linearGradient id="water" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#16827d"/><stop offset="1" stop-color="#0a4f50"/></linearGradient></defs>
<rect x="100" y="100" width="824" height="824" rx="186" fill="url(#water)"/>
<g transform="translate(208 208) scale(19)">${arc(begin, end, 'stroke="#f4faf8"')}${block('fill="#9fe3d4"')}</g>`;
writeFileSync(join(out, "app.svg"), svg(1024, app, "Cove"));
writeFileSync(join(out, "mark.svg"), svg(32, arc(begin, end, 'stroke="#0f6a6a"') + block('fill="#0f6a6a"'), "Cove"));
// Windows and Linux leave no margin around icons.
const tight = app.replace('x="100" y="100" width="824" height="824" rx="186"', 'x="32" y="32" width="960" height="960" rx="210"')
  .replace("translate(208 208) scale(19)", "translate(160 160) scale(22)");
writeFileSync(join(out, "app-tight.svg"), svg(1024, tight, "Cove"));

const rendered = (source, size) => {
  const target = join(out, "rendered.png");
  png(join(out, source), target, size);
  const bytes = readFileSync(target);
  execFileSync("rm", [target]);
  return bytes;
};

png(join(out, "app-tight.svg"), join(out, "icon.png"), 512);
for (const size of [32, 128, 256]) png(join(out, "app-tight.svg"), join(out, `${size}x${size}.png`), size);

// ICO: a directory of PNGs.
const sizes = [16, 24, 32, 48, 64, 256];
const pictures = sizes.map((size) => rendered("app-tight.svg", size));
const head = Buffer.alloc(6 + 16 * sizes.length);
head.writeUInt16LE(1, 2);
head.writeUInt16LE(sizes.length, 4);
let offset = head.length;
sizes.forEach((size, index) => {
  const at = 6 + 16 * index;
  head.writeUInt8(size % 256, at);
  head.writeUInt8(size % 256, at + 1);
  head.writeUInt16LE(1, at + 4);
  head.writeUInt16LE(32, at + 6);
  head.writeUInt32LE(pictures[index].length, at + 8);
  head.writeUInt32LE(offset, at + 12);
  offset += pictures[index].length;
});
writeFileSync(join(out, "icon.ico"), Buffer.concat([head, ...pictures]));

// ICNS: chunks of a type, a length and a PNG.
const chunks = [["ic11", 32], ["ic12", 64], ["ic07", 128], ["ic08", 256], ["ic09", 512], ["ic10", 1024]].map(([type, size]) => {
  const picture = rendered("app.svg", size);
  const start = Buffer.alloc(8);
  start.write(type, 0, "latin1");
  start.writeUInt32BE(picture.length + 8, 4);
  return Buffer.concat([start, picture]);
});
const body = Buffer.concat(chunks);
const start = Buffer.alloc(8);
start.write("icns", 0, "latin1");
start.writeUInt32BE(body.length + 8, 4);
writeFileSync(join(out, "icon.icns"), Buffer.concat([start, body]));
