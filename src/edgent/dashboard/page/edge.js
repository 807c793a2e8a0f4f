// An edge, as it is told: see `edge_view.py`.

import { at, fill, milliseconds, say } from "./dom.js";
import { LoadChart } from "./charts.js";

const load = new LoadChart("load-chart");
const [RATE, REFUSALS] = [2, 3]; // of a row

export function show(told, again = false) {
  const last = told.rows[told.rows.length - 1] || [];
  say("title", "edge");
  say("subtitle", told.address);
  say("devices-edge", told.address);
  document.title = "Edgent: edge";
  at("edge-state").hidden = true;
  say("edge-rate", (last[RATE] || 0).toFixed(1));
  say("edge-refusals", (last[REFUSALS] || 0).toFixed(1));
  say("busy", told.busy_cores.toFixed(2));
  say("cameras", told.cameras_per_core === null ? "–" : String(told.cameras_per_core));
  say("waiting", `${told.queue.waiting} of ${told.queue.bound}`);
  showWords(told);
  load.show(told.rows, again);
  const devices = told.devices.map((one) => [one.name, one.answered, one.refused, one.failed, milliseconds(one.mean_ms), `${one.seconds_ago.toFixed(0)} s ago`]);
  fill("devices", ["device", "answered", "refused", "failed", "mean", "asked"], devices);
  const models = told.models.map((one) => [one.name, one.version, one.answered, one.refused, milliseconds(one.queue_ms), milliseconds(one.compute_ms)]);
  fill("models", ["model", "version", "answered", "refused", "queue", "computing"], models);
}

function showWords({ queue, active }) {
  const asks = active === 1 ? "1 device asks" : `${active} devices ask`;
  say("load-words", `${asks} now; ${queue.running} of ${queue.slots} computed at once; who comes now would wait ${milliseconds(queue.wait_ms)}.`);
}
