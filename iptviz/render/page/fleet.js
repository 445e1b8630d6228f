"use strict";
// More of the map of nodes and service ports. Every text goes in as text: nothing of a dump is ever markup.
const data = JSON.parse(document.getElementById("data").textContent);
const STEP = 100;

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

const map = document.getElementById("map");
let [rows, columns] = data.held;
const allColumns = columns + data.columns.length;

function spread(states) {
  return states.replace(/(\d+)(\D)/g, (_, count, sign) => sign.repeat(Number(count)));
}

// Most of a map is as it should be: such a cell is its sign alone, which the legend explains once.
function cell(sign) {
  const [className, meaning] = data.signs[sign];
  const made = element("td", sign, className);
  if (className !== "same") made.append(element("span", " " + meaning, "unseen"));
  return made;
}

function heading([title, names]) {
  const made = element("th");
  made.scope = "row";
  if (!names.length) {
    made.textContent = title;
    return made;
  }
  const details = element("details");
  details.append(element("summary", title), element("p", names.join(", ")));
  made.append(details);
  return made;
}

function cells(row, from, to) {
  return [...spread(data.states[row])].slice(from, to).map(cell);
}

function addRows() {
  const body = map.tBodies[0];
  const last = Math.min(rows + STEP, data.states.length);
  for (; rows < last; rows += 1) {
    const line = element("tr");
    line.append(heading(data.rows[rows - data.held[0]]), ...cells(rows, 0, columns));
    body.append(line);
  }
  refresh();
}

function addColumns() {
  const last = Math.min(columns + STEP, allColumns);
  for (let column = columns; column < last; column += 1) {
    const made = element("th", undefined, "turned");
    made.scope = "col";
    made.append(element("div", data.columns[column - data.held[1]]));
    map.tHead.rows[0].append(made);
  }
  [...map.tBodies[0].rows].forEach((line, row) => line.append(...cells(row, columns, last)));
  columns = last;
  refresh();
}

function offer(id, left, noun) {
  const button = document.getElementById(id);
  button.hidden = left <= 0;
  button.textContent = "Show more " + noun + " (" + left + " left)";
}

function refresh() {
  offer("more-rows", data.states.length - rows, "rows");
  offer("more-columns", allColumns - columns, "columns");
  document.getElementById("shown").textContent =
    rows + " of " + data.states.length + " rows, " + columns + " of " + allColumns + " columns";
}

if (map) {
  document.getElementById("more-rows").addEventListener("click", addRows);
  document.getElementById("more-columns").addEventListener("click", addColumns);
  refresh();
}

// --- print: paper shows what is folded ---
let folded = [];
window.addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach((one) => { one.open = true; });
});
window.addEventListener("afterprint", () => folded.forEach((one) => { one.open = false; }));
