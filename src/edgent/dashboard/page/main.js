// The connection: a stream of documents, the whole one first and then what is new. It mends itself, and says so.

import { at, say } from "./dom.js";
import * as device from "./device.js";
import * as edge from "./edge.js";

const SILENT = 4000; // milliseconds without a word after which the stream counts as lost
const AGAIN = 2000; // until another one is tried, where the browser does not do that by itself
const HISTORY = 600; // rows that are kept: what the other side keeps

const views = { device, edge };
const histories = ["rows", "beliefs", "remarks"];
let shown = null;
let heardAt = 0;

function heard(message, whole) {
  const news = JSON.parse(message.data);
  for (const name of histories) {
    const before = whole || shown === null ? [] : shown[name] || [];
    const last = before.length ? before[before.length - 1][0] : 0;
    news[name] = before.concat((news[name] || []).filter((row) => row[0] > last)).slice(-HISTORY);
  }
  shown = news;
  heardAt = Date.now();
  state("live", "good");
  for (const kind of Object.keys(views)) at(kind).hidden = kind !== news.kind;
  views[news.kind].show(news);
}

function state(words, kind) {
  say("stream", words);
  at("stream").className = `pill ${kind}`;
}

function lost() {
  state(heardAt ? "connection lost: trying again" : "connecting", heardAt ? "bad" : "wait");
}

function open() {
  const source = new EventSource("events");
  source.addEventListener("whole", (message) => heard(message, true));
  source.addEventListener("news", (message) => heard(message, false));
  source.addEventListener("error", () => {
    lost();
    // Refused, and not only broken off: a browser gives that up for good.
    if (source.readyState === EventSource.CLOSED) setTimeout(open, AGAIN);
  });
}

setInterval(() => {
  if (Date.now() - heardAt > SILENT) lost();
}, 1000);
const redraw = () => shown && views[shown.kind].show(shown, true);
addEventListener("resize", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
open();
