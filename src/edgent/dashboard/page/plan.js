// A plan as a picture: a lane for each machine, what it computes as a block, and what crosses as an arrow between.

import { at, drawn, milliseconds } from "./dom.js";

const [LANE, GAP] = [56, 46];
const NAME = 60; // pixels for the lanes' names
const LEAST = 340; // pixels of the whole: on less its words run into each other

export function drawPlan(parts) {
  const picture = at("plan");
  const blocks = parts.filter((part) => part.where === "device" || part.where === "edge");
  const width = Math.max(LEAST, picture.parentElement.clientWidth);
  const room = (width - NAME) / blocks.length;
  const y = { device: 6, edge: 6 + LANE + GAP };
  picture.setAttribute("viewBox", `0 0 ${width} ${2 * LANE + GAP + 12}`);
  picture.setAttribute("aria-label", parts.map((part) => `${part.where}: ${part.what}, ${milliseconds(part.ms)}`).join("; "));
  picture.replaceChildren(
    ...["device", "edge"].flatMap((side) => [
      drawn("rect", { class: "lane", x: 0.5, y: y[side], width: width - 1, height: LANE, rx: 6 }),
      drawn("text", { class: "name", x: 10, y: y[side] + LANE / 2 + 4 }, side),
    ]),
    ...blocks.flatMap((part, number) => block(part, NAME + number * room, room, y[part.where])),
    ...parts.filter((part) => part.where === "up" || part.where === "down").flatMap((part) => arrow(part, room, y)),
  );
}

function block(part, left, room, top) {
  const computes = part.what !== "input" && part.what !== "answer";
  const middle = left + room / 2;
  const words = [
    drawn("text", { class: computes ? "on" : "", x: middle, y: top + 25, "text-anchor": "middle" }, part.what),
    drawn("text", { class: computes ? "on" : "ms", x: middle, y: top + 42, "text-anchor": "middle" }, milliseconds(part.ms)),
  ];
  if (!computes) return words;
  const side = part.where === "edge" ? "there" : "here";
  return [drawn("rect", { class: side, x: left + 6, y: top + 6, width: room - 12, height: LANE - 12, rx: 4 }), ...words];
}

function arrow(part, room, y) {
  const up = part.where === "up";
  const x = NAME + (up ? 1 : 2) * room;
  const [from, to] = up ? [y.device + LANE, y.edge] : [y.edge, y.device + LANE];
  const tip = up ? -7 : 7;
  return [
    drawn("path", { class: "way", d: `M${x} ${from} V${to + tip}` }),
    drawn("path", { class: "tip", d: `M${x} ${to} l-6 ${tip * 1.4} h12 z` }),
    drawn("text", { x: x + (up ? -10 : 10), y: y.device + LANE + 20, "text-anchor": up ? "end" : "start" }, part.what),
    drawn("text", { class: "ms", x: x + (up ? -10 : 10), y: y.device + LANE + 36, "text-anchor": up ? "end" : "start" }, milliseconds(part.ms)),
  ];
}
