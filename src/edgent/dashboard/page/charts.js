// Lines over time, by uPlot, which is loaded before.

import { at, bandwidth, colour } from "./dom.js";

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
    else this.plot = new uPlot({ width: place.clientWidth, height: 200, ...this.options() }, data, place);
  }
}

const axis = (more = {}) => ({ stroke: colour("muted"), grid: { stroke: colour("grid"), width: 1 }, ticks: { stroke: colour("grid"), width: 1 }, font: "12px system-ui", ...more });

export class LinkChart extends Chart {
  show(beliefs, again) {
    this.draw([1, 2, 3].map((column) => beliefs.map((row) => row[column])), again);
  }

  options() {
    const told = (_, value) => (value === null ? "–" : bandwidth(value));
    return {
      scales: { y: { distr: 3 } },
      axes: [axis(), axis({ size: 84, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : bandwidth(tick))) })],
      series: [
        {},
        { label: "up", stroke: colour("uplink"), width: 2, value: told },
        { label: "down", stroke: colour("middle"), width: 2, dash: [6, 4], value: told },
      ],
    };
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
      axes: [axis(), axis({ size: 56 })],
      series: [
        {},
        { label: "answered", stroke: colour("middle"), width: 2, value: told },
        { label: "refused", stroke: colour("deadline"), width: 2, dash: [6, 4], value: told },
      ],
    };
  }
}
