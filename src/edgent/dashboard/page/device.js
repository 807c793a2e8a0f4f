// A device, as it is told: see `device_view.py`. Every number shown is one that was sent, or made of those here.

import { at, bandwidth, bytes, clock, drawn, element, fill, milliseconds, percent, say } from "./dom.js";
import { LinkChart } from "./charts.js";
import { drawPlan } from "./plan.js";
import { drawTimeline, legend } from "./timeline.js";

const RECENT = 60; // seconds that the figures of the moment look back
const RATE = 5; // seconds over which answers a second are counted
const IN_TABLE = 20;
const LABEL = 14; // pixels high, of a box
const link = new LinkChart("link-chart");
let chosen = null; // source whose picture is shown
let picture = ""; // the one that is shown

// A row: number, captured at, source, total, by, in time, exit, reason, stages.
const [AT, SOURCE, TOTAL, BY, MET, EXIT, WHY, STAGES] = [1, 2, 3, 4, 5, 6, 7, 8];

export function show(told, again = false) {
  say("title", told.model.name);
  say("subtitle", `version ${told.model.version}, deadline ${milliseconds(told.deadline_ms)}`);
  document.title = `Edgent: ${told.model.name}`;
  showEdgeState(told);
  showFigures(told);
  showPicture(told);
  showPlan(told.plan);
  legend(told.stages);
  drawTimeline(told.rows, told.stages, told.deadline_ms);
  showTable(told);
  showLink(told, again);
  showCounts(told.counts);
  showRemarks(told.remarks);
}

function showEdgeState({ edge }) {
  for (const place of document.querySelectorAll("#device .of-edge")) place.hidden = edge === null;
  if (edge === null) return;
  const pill = at("edge-state");
  pill.hidden = !edge.connected && !edge.problem;
  say("edge-state", edge.connected ? "edge connected" : edge.problem);
  pill.className = `pill ${edge.connected ? "good" : "wait"}`;
}

function showFigures({ rows, counts, now }) {
  const sources = Object.values(counts.sources);
  const sum = (place) => sources.reduce((total, counted) => total + counted[place], 0);
  const [inTime, late, , replaced] = [0, 1, 2, 3].map(sum);
  const lately = rows.filter((row) => row[AT] > now - RECENT).map((row) => row[TOTAL]).sort((a, b) => a - b);
  const counted = rows.filter((row) => row[AT] > now - RATE).length;
  say("rate", (counted / RATE).toFixed(1));
  say("in-time", percent(inTime, inTime + late));
  say("median", lately.length ? milliseconds(lately[Math.floor((lately.length - 1) / 2)]) : "–");
  say("by-edge", percent(counts.by.edge || 0, (counts.by.edge || 0) + counts.by.device));
  say("replaced", String(replaced));
}

function showPicture({ pictures, rows }) {
  const sources = Object.keys(pictures);
  if (sources.length === 0) return;
  if (!(chosen in pictures)) chosen = sources[0];
  showSources(sources);
  const shown = pictures[chosen];
  const wanted = `picture?source=${encodeURIComponent(chosen)}&number=${shown.number}`;
  if (wanted === picture) return;
  picture = wanted;
  const source = chosen;
  const image = new Image();
  // Picture and boxes change together, once it is there: boxes on another picture would be a lie.
  image.addEventListener("load", () => {
    if (wanted !== picture) return;
    at("stage").hidden = false;
    at("picture").src = image.src;
    at("picture").alt = `The last picture of ${source}: ${inWords(shown)}`;
    const called = shown.input.startsWith(`${source}/`) ? shown.input : source; // a file has a name that people know
    drawBoxes(shown.boxes, image.naturalWidth, image.naturalHeight);
    const row = rows.findLast((one) => one[0] === shown.number);
    say("said", `${called}: ${inWords(shown)}${row ? `; exit ${row[EXIT]} by the ${row[BY]}, ${milliseconds(row[TOTAL])}` : ""}`);
  });
  image.src = wanted;
}

function showSources(sources) {
  const group = at("sources");
  if (sources.length < 2) return group.replaceChildren();
  const names = [...group.children].map((button) => button.textContent);
  // Made anew only where they are others: a button that is replaced loses the keyboard.
  if (names.join("\n") !== sources.join("\n")) {
    group.replaceChildren(
      ...sources.map((name) => {
        const button = element("button", name);
        button.type = "button";
        button.addEventListener("click", () => {
          chosen = name;
          picture = "";
          press();
        });
        return button;
      }),
    );
  }
  press();
}

function press() {
  for (const button of at("sources").children) button.setAttribute("aria-pressed", String(button.textContent === chosen));
}

const named = (one) => one.label || `class ${one.class}`;

function inWords({ label, boxes, top }) {
  if (boxes.length) {
    const counted = new Map();
    for (const box of boxes) counted.set(named(box), (counted.get(named(box)) || 0) + 1);
    return [...counted].map(([name, count]) => (count > 1 ? `${count} x ${name}` : name)).join(", ");
  }
  if (top.length) return `${named(top[0])} ${top[0].score === null ? "" : top[0].score.toFixed(2)}`.trim();
  return label || "nothing seen";
}

function drawBoxes(boxes, width, height) {
  const canvas = at("boxes");
  canvas.setAttribute("viewBox", `0 0 ${width} ${height}`);
  // As large on a phone as on a desk, whatever the picture's size.
  const size = (LABEL * width) / (at("picture").clientWidth || width);
  canvas.replaceChildren(
    ...boxes.flatMap((box) => {
      const [left, top, right, bottom] = box.xyxy;
      const hue = (box.class * 222.5) % 360;
      const label = `${named(box)} ${box.score === null ? "" : box.score.toFixed(2)}`;
      const frame = drawn("rect", { x: left, y: top, width: right - left, height: bottom - top, class: "box", stroke: `hsl(${hue} 85% 60%)` });
      const above = Math.max(top - size * 0.3, size);
      const text = drawn("text", { x: left + size * 0.2, y: above, "font-size": size, fill: `hsl(${hue} 90% 75%)`, stroke: "#000", "stroke-width": size / 6, "paint-order": "stroke" }, label);
      return [frame, text];
    }),
  );
}

function showPlan(plan) {
  if (!plan) return;
  say("plan-words", plan.words);
  at("plan-region").hidden = false;
  drawPlan(plan.parts);
  const facts = [`${milliseconds(plan.total_ms)} predicted${plan.meets_deadline ? "" : ", which is too late"}`];
  if (plan.accuracy !== null) facts.push(`${plan.measure} ${(100 * plan.accuracy).toFixed(1)} %`);
  if (plan.chance !== null) facts.push(`in time with a chance of ${(100 * plan.chance).toFixed(0)} %`);
  say("plan-facts", facts.join("; "));
}

function showTable({ rows, stages }) {
  if (!at("answers").closest("details").open) return;
  const last = rows.slice(-IN_TABLE).reverse();
  const kinds = last.map((row) => (row[MET] ? "" : "late"));
  const cells = last.map((row) => [
    clock(row[AT]), row[SOURCE], row[MET] ? "in time" : "late", row[TOTAL].toFixed(1), row[BY], row[EXIT] ?? "–", ...row[STAGES].map((ms) => ms.toFixed(1)), row[WHY],
  ]);
  fill("answers", ["captured", "source", "came", "ms", "by", "exit", ...stages, "why"], cells, { kinds, words: [1, 5 + stages.length + 1] });
}

function showLink({ link: believed, beliefs, traffic }, again) {
  if (believed) {
    const slow = (factor) => (factor === 1 ? "as profiled" : `${factor.toFixed(2)} times its profile`);
    say(
      "link-words",
      `Up ${bandwidth(believed.up_bps)}, down ${bandwidth(believed.down_bps)}, round trip ${milliseconds(believed.round_trip_ms)}; ` +
        `the edge's queue ${milliseconds(believed.queue_ms)}. The device takes ${slow(believed.device_factor)}, the edge ${slow(believed.edge_factor)}.`,
    );
  }
  const changes = beliefs.filter((row) => row[4]);
  const last = changes.length ? `, last at ${clock(changes[changes.length - 1][1])}` : "";
  say("changes", beliefs.length ? `Changes of the uplink's level in this time: ${changes.length}${last}.` : "");
  say("bytes", `Requests sent ${bytes(traffic[0])} up; their answers were ${bytes(traffic[1])}.`);
  link.show(beliefs, again);
}

function showCounts({ sources, missed, detours }) {
  const rows = Object.entries(sources).map(([name, counts]) => [name, ...counts]);
  fill("frames", ["source", "in time", "late", "refined", "replaced", "failed"], rows);
  fill("missed", ["reason", "answers"], missed);
  fill("detours", ["reason", "answers"], detours);
}

function showRemarks(remarks) {
  const lines = remarks.slice(-20).reverse().map(([, when, source, words]) => `${clock(when)} ${source}: ${words}`);
  const shown = [...at("remarks").children].map((item) => item.textContent);
  if (lines.length === 0) lines.push("Nothing so far.");
  if (shown.join("\n") !== lines.join("\n")) at("remarks").replaceChildren(...lines.map((line) => element("li", line)));
}
