// A plan as a picture: a lane for each machine, what it computes as a block, and what crosses as an arrow between.

import { at, drawn, milliseconds } from "./dom.js";

const [LANE, GAP, NAME] = [72, 60, 20]; // pixels high: a lane, what is between them, and a lane's name in it
const [EDGE, LEAST] = [6, 320]; // pixels wide: beside the blocks, and of the whole at least

export function drawPlan(parts) {
  const picture = at("plan");
  const blocks = parts.filter((part) => part.where === "device" || part.where === "edge");
  const width = Math.max(LEAST, picture.parentElement.clientWidth);
  const room = (width - 2 * EDGE) / blocks.length;
  const y = { device: 1, edge: 1 + LANE + GAP };
  picture.setAttribute("viewBox", `0 0 ${width} ${2 * LANE + GAP + 2}`);
  picture.setAttribute("aria-label", parts.map((part) => `${part.where}: ${part.what}, ${milliseconds(part.ms)}`).join("; "));
  picture.replaceChildren(
    ...["device", "edge"].flatMap((side) => [
      drawn("rect", { class: "lane", x: 0.5, y: y[side], width: width - 1, height: LANE, rx: 6 }),
      drawn("text", { class: "name", x: EDGE + 6, y: y[side] + 15 }, side),
    ]),
    ...blocks.flatMap((part, number) => block(part, EDGE + number * room, room, y[part.where] + NAME)),
    ...parts.filter((part) => part.where === "up" || part.where === "down").flatMap((part) => arrow(part, room, y)),
  );
}

function block(part, left, room, top) {
  const computes = part.what !== "input" && part.what !== "answer";
  const middle = left + room / 2;
  const words = [
    drawn("text", { class: computes ? "on" : "", x: middle, y: top + 19, "text-anchor": "middle" }, part.what),
    drawn("text", { class: computes ? "on" : "ms", x: middle, y: top + 36, "text-anchor": "middle" }, milliseconds(part.ms)),
  ];
  if (!computes) return words;
  const side = part.where === "edge" ? "there" : "here";
  return [drawn("rect", { class: side, x: left + 4, y: top, width: room - 8, height: LANE - NAME - 6, rx: 4 }), ...words];
}

function arrow(part, room, y) {
  const up = part.where === "up";
  const x = EDGE + (up ? 1 : 2) * room;
  const [from, to] = up ? [y.device + LANE, y.edge] : [y.edge, y.device + LANE];
  const tip = up ? -7 : 7;
  return [
    drawn("path", { class: "way", d: `M${x} ${from} V${to + tip}` }),
    drawn("path", { class: "tip", d: `M${x} ${to} l-6 ${tip * 1.4} h12 z` }),
    ...[...part.what.split(", "), milliseconds(part.ms)].map((line, number, lines) =>
      drawn("text", { class: number === lines.length - 1 ? "ms" : "", x: x + (up ? -10 : 10), y: y.device + LANE + 18 + 16 * number, "text-anchor": up ? "end" : "start" }, line),
    ),
  ];
}
