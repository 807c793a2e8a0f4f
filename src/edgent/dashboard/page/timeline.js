// Bars of the last answers, each in the colours of its stages: the device's are blue, the link's orange, the edge's green.

import { at, colour, element, milliseconds } from "./dom.js";

const WIDTH = 9; // pixels of a bar and the gap behind it
const [LEFT, BOTTOM, TOP] = [52, 6, 8];
const HIGHEST = 2.5; // deadlines: one answer that took for ever must not flatten the others
const [TOTAL, MET, STAGES] = [3, 5, 8];

export function legend(stages) {
  const place = at("legend");
  if (place.childElementCount) return;
  for (const name of [...stages, "deadline"]) {
    const entry = element("span");
    entry.append(element("i", "", name), name);
    place.append(entry);
  }
}

export function drawTimeline(rows, stages, deadline) {
  const canvas = at("timeline");
  const { clientWidth: width, clientHeight: height } = canvas;
  if (width === 0) return;
  const last = rows.slice(-Math.max(1, Math.floor((width - LEFT) / WIDTH)));
  const highest = Math.min(HIGHEST * deadline, Math.max(1.25 * deadline, ...last.map((row) => row[TOTAL] * 1.05)));
  const up = (ms) => height - BOTTOM - (Math.min(ms, highest) / highest) * (height - BOTTOM - TOP);
  const pen = sized(canvas, width, height);
  grid(pen, width, up, highest);
  last.forEach((row, number) => bar(pen, LEFT + number * WIDTH, row, stages, up));
  line(pen, width, up(deadline));
  const late = last.filter((row) => !row[MET]).length;
  canvas.setAttribute("aria-label", `The last ${last.length} answers by stage; ${late} later than the deadline of ${milliseconds(deadline)}`);
}

function sized(canvas, width, height) {
  const ratio = devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  return pen;
}

function grid(pen, width, up, highest) {
  const power = 10 ** Math.floor(Math.log10(highest / 4));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => highest / one <= 5);
  pen.font = "12px system-ui, sans-serif";
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (let ms = 0; ms <= highest; ms += step) {
    pen.fillStyle = colour("grid");
    pen.fillRect(LEFT, up(ms), width - LEFT, 1);
    pen.fillStyle = colour("muted");
    pen.fillText(`${ms} ms`, LEFT - 6, Math.max(up(ms), 8));
  }
}

function bar(pen, left, row, stages, up) {
  let sum = 0;
  stages.forEach((stage, place) => {
    const ms = row[STAGES][place];
    if (ms <= 0) return;
    pen.fillStyle = colour(stage);
    pen.fillRect(left, up(sum + ms), WIDTH - 2, up(sum) - up(sum + ms));
    sum += ms;
  });
  if (row[MET]) return;
  pen.fillStyle = colour("deadline");
  pen.fillRect(left, 0, WIDTH - 2, 4);
}

function line(pen, width, y) {
  pen.strokeStyle = colour("deadline");
  pen.lineWidth = 2;
  pen.setLineDash([6, 5]);
  pen.beginPath();
  pen.moveTo(LEFT, y);
  pen.lineTo(width, y);
  pen.stroke();
}
