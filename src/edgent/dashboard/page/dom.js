// Text and tables. What comes from outside is always set as text: nothing here reads markup.

export const at = (id) => document.getElementById(id);

export function say(id, text) {
  const element = at(id);
  if (element.textContent !== text) element.textContent = text;
}

export function element(name, text = "", kind = "") {
  const made = document.createElement(name);
  if (text !== "") made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

export function drawn(name, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== "") made.textContent = text;
  return made;
}

// Rows of text, or, where there are none, the words that stand beside the table; `kinds` gives a row its class, and columns in `words` hold text that may be long.
export function fill(id, head, rows, { kinds = [], words = [] } = {}) {
  const table = at(id);
  // With its region: one without rows would be a stop for the keyboard with nothing in it.
  table.parentElement.hidden = rows.length === 0;
  const instead = at(`${id}-none`);
  if (instead) instead.hidden = rows.length > 0;
  const titles = element("tr");
  for (const name of head) {
    const cell = element("th", name);
    cell.scope = "col";
    titles.append(cell);
  }
  table.tHead.replaceChildren(titles);
  table.tBodies[0].replaceChildren(
    ...rows.map((row, number) => {
      const line = element("tr", "", kinds[number] || "");
      line.append(...row.map((cell, column) => element("td", String(cell), words.includes(column) ? "words" : "")));
      return line;
    }),
  );
}

export const percent = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)} %` : "–");

export function milliseconds(value) {
  if (value === null || value === undefined) return "–";
  if (value >= 1000) return `${(value / 1000).toPrecision(3)} s`;
  return `${value < 1 ? value.toFixed(2) : value.toPrecision(3)} ms`;
}

export function bytes(count) {
  for (const [scale, unit] of [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]]) {
    if (count >= scale) return `${(count / scale).toPrecision(3)} ${unit}`;
  }
  return `${count} B`;
}

export function bandwidth(bits) {
  if (bits === null || bits === undefined) return "unknown";
  for (const [scale, unit] of [[1e9, "Gbit/s"], [1e6, "Mbit/s"], [1e3, "kbit/s"]]) {
    if (bits >= scale) return `${(bits / scale).toPrecision(3)} ${unit}`;
  }
  return `${bits} bit/s`;
}

const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const DATE = { day: "numeric", month: "short" };

// A moment on local clocks, with its day where that is asked for.
export function moment(seconds, withDay = false) {
  const at = new Date(seconds * 1000);
  const time = at.toLocaleTimeString([], TIME);
  return withDay ? `${at.toLocaleDateString([], DATE)} ${time}` : time;
}

// The same, with its day where that is not today.
export const clock = (seconds) => moment(seconds, new Date(seconds * 1000).toDateString() !== new Date().toDateString());

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
