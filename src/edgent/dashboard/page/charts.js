// Lines over time, by uPlot, which is loaded before.

import { at, bandwidth, clock, colour, moment } from "./dom.js";

const { uPlot } = globalThis;

class Chart {
  constructor(id) {
    this.id = id;
    this.plot = null;
  }

  // `again`: the colours or the width have changed, so it is made anew.
  draw(data, again) {
    const place = at(this.id);
    if (place.clientWidth === 0) return;
    if (again && this.plot) {
      this.plot.destroy();
      this.plot = null;
    }
    if (this.plot) this.plot.setData(data);
    else this.plot = new uPlot({ width: place.clientWidth, height: 180, ...this.options() }, data, place);
  }
}

const [MINUTE, HOUR, DAY] = [60, 3600, 86400]; // in seconds
const UNITS = [[1, [1, 2, 5, 10, 15, 30]], [MINUTE, [1, 2, 5, 10, 15, 30]], [HOUR, [1, 2, 3, 6, 12]], [DAY, [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]]];

// Each tick has words of its own: they are whole seconds apart, and tell the day where there are several.
const times = () =>
  axis({
    space: 110,
    size: 32,
    incrs: UNITS.flatMap(([unit, counts]) => counts.map((count) => count * unit)),
    values: (_, ticks) => ticks.map((tick) => moment(tick, ticks[ticks.length - 1] - ticks[0] >= DAY / 2)),
  });

const time = { label: "at", value: (_, seconds) => (seconds === null ? "–" : clock(seconds)) };

const axis = (more = {}) => ({ stroke: colour("muted"), grid: { stroke: colour("grid"), width: 1 }, ticks: { stroke: colour("grid"), width: 1 }, font: "12px system-ui", ...more });

export class LinkChart extends Chart {
  show(beliefs, again) {
    this.changes = beliefs.filter((row) => row[4]).map((row) => row[1]);
    this.draw([1, 2, 3].map((column) => beliefs.map((row) => row[column])), again);
  }

  options() {
    const told = (_, value) => (value === null ? "–" : bandwidth(value));
    return {
      scales: { y: { distr: 3 } },
      hooks: { draw: [(plot) => this.drawChanges(plot)] },
      axes: [times(), axis({ size: 84, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : bandwidth(tick))) })],
      series: [
        time,
        { label: "up", stroke: colour("uplink"), width: 2, value: told },
        { label: "down", stroke: colour("middle"), width: 2, dash: [6, 4], value: told },
      ],
    };
  }

  drawChanges({ ctx: pen, bbox: box, valToPos }) {
    pen.save();
    pen.strokeStyle = colour("deadline");
    pen.lineWidth = 2 * devicePixelRatio;
    pen.setLineDash([3, 5]);
    for (const at of this.changes) {
      const x = valToPos(at, "x", true);
      pen.beginPath();
      pen.moveTo(x, box.top);
      pen.lineTo(x, box.top + box.height);
      pen.stroke();
    }
    pen.restore();
  }
}

export class LoadChart extends Chart {
  show(rows, again) {
    this.draw([1, 2, 3].map((column) => rows.map((row) => row[column])), again);
  }

  options() {
    const told = (_, value) => (value === null ? "–" : `${value.toFixed(1)} a second`);
    return {
      scales: { y: { range: (_, low, high) => [0, Math.max(1, high * 1.1)] } },
      axes: [times(), axis({ size: 56 })],
      series: [
        time,
        { label: "answered", stroke: colour("middle"), width: 2, value: told },
        { label: "refused", stroke: colour("deadline"), width: 2, dash: [6, 4], value: told },
      ],
    };
  }
}
