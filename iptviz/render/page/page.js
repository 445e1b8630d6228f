"use strict";
// The list of services and the browser of chains. Every text goes in as text: nothing of a dump is ever markup.
const data = JSON.parse(document.getElementById("data").textContent);
const STEP = 200;

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function chainLink(table, chain, text) {
  const link = element("a", text === undefined ? chain : text);
  link.href = "#chain=" + encodeURIComponent(table) + "/" + encodeURIComponent(chain);
  return link;
}

// --- services ---
const body = document.querySelector("#list tbody");
const labels = [...document.querySelectorAll("#list th")].map((one) => one.textContent);
const more = document.getElementById("more");
const found = document.getElementById("found");
let rows = data.rows.map((row, index) => ({ cells: row[0], mood: row[1], table: row[2], chain: row[3], index,
  text: row[0].join(" ").toLowerCase() }));
let matching = rows;
let shown = 0;

function hasChain(table, chain) {
  return Object.hasOwn(data.chains, table) && Object.hasOwn(data.chains[table], chain);
}

function serviceRow(row) {
  const line = element("tr", undefined, row.mood);
  row.cells.forEach((cell, place) => {
    const td = element("td");
    td.dataset.label = labels[place];
    if (place === 0 && hasChain(row.table, row.chain)) td.append(chainLink(row.table, row.chain, cell));
    else td.textContent = cell;
    line.append(td);
  });
  return line;
}

function showMore() {
  const next = matching.slice(shown, shown + STEP);
  body.append(...next.map(serviceRow));
  shown += next.length;
  more.hidden = shown >= matching.length;
  more.textContent = "Show more (" + (matching.length - shown) + " left)";
  document.getElementById("unprinted").textContent =
    shown < matching.length ? "and " + (matching.length - shown) + " more, which the page itself lists" : "";
}

function refresh() {
  const words = document.getElementById("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  matching = rows.filter((row) => words.every((word) => row.text.includes(word)));
  found.textContent = matching.length + " of " + rows.length;
  body.replaceChildren();
  shown = 0;
  showMore();
}

const order = new Intl.Collator("en", { numeric: true });
document.querySelectorAll("#list th button").forEach((button) => {
  button.addEventListener("click", () => {
    const heading = button.closest("th");
    const descending = heading.getAttribute("aria-sort") === "ascending";
    document.querySelectorAll("#list th").forEach((one) => one.setAttribute("aria-sort", "none"));
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const column = Number(button.dataset.column);
    rows.sort((a, b) => order.compare(a.cells[column], b.cells[column]) || a.index - b.index);
    if (descending) rows.reverse();
    refresh();
  });
});
document.getElementById("search").addEventListener("input", refresh);
more.addEventListener("click", showMore);
refresh();

// --- chains ---
const browser = document.getElementById("browser");
const names = document.getElementById("chain-names");
const input = document.getElementById("chain");
for (const [table, chains] of Object.entries(data.chains)) {
  for (const chain of Object.keys(chains).slice(0, 2000)) {
    const option = element("option");
    option.value = table + " " + chain;
    names.append(option);
  }
}

function callers(table, chain) {
  return Object.entries(data.chains[table])
    .filter(([, one]) => one.rules.some((rule) => [].concat(rule[2]).includes(chain))).map(([name]) => name);
}

function ruleItem(table, [line, text, jump, share]) {
  const item = element("li");
  if (share) item.append(element("b", share + " "));
  const code = element("code");
  // What comes last is what the rule does; a comment may name a chain, too. A rule of nft may lead to several.
  const find = (where, what, from) => Array.isArray(jump) ? where.indexOf(what, from) : where.lastIndexOf(what);
  let done = 0;
  for (const one of [].concat(jump)) {
    const at = one && hasChain(table, one) ? find(text, " " + one, done) : -1;
    if (at >= 0) {
      code.append(text.slice(done, at + 1), chainLink(table, one));
      done = at + 1 + one.length;
    }
  }
  code.append(text.slice(done));
  item.append(...(line ? [element("span", "line " + line + " ", "line")] : []), code);
  return item;
}

function showChain(table, chain) {
  if (!hasChain(table, chain)) {
    browser.replaceChildren(element("p", "The page does not hold a chain " + table + " " + chain + ".", "bad"));
    return;
  }
  const one = data.chains[table][chain];
  const heading = element("h3", table + " " + chain);
  heading.tabIndex = -1;
  const policy = one.policy ? ", policy " + one.policy : "";
  const what = one.holds || "rule";
  const about = element("p", one.rules.length + " " + what + (one.rules.length === 1 ? "" : "s") + policy, "count");
  const from = callers(table, chain);
  const up = element("p", from.length ? "From: " : "Nothing in this table leads here.");
  from.slice(0, 40).forEach((name, place) => up.append(place ? ", " : "", chainLink(table, name)));
  if (from.length > 40) up.append(" and " + (from.length - 40) + " more");
  const list = element("ol", undefined, "tree");
  list.append(...one.rules.slice(0, 1000).map((rule) => ruleItem(table, rule)));
  browser.replaceChildren(heading, about, up, list);
  if (one.rules.length > 1000) browser.append(element("p", "The first 1000 " + what + "s are shown."));
  input.value = table + " " + chain;
  heading.focus();
  document.getElementById("chains").scrollIntoView();
}

function follow() {
  const match = /^#chain=([^/]*)\/(.*)$/.exec(location.hash);
  if (match) showChain(decodeURIComponent(match[1]), decodeURIComponent(match[2]));
}
window.addEventListener("hashchange", follow);
input.addEventListener("change", () => {
  const at = input.value.indexOf(" ");
  const table = at < 0 ? "nat" : input.value.slice(0, at);
  location.hash = "#chain=" + encodeURIComponent(table) + "/" + encodeURIComponent(input.value.slice(at + 1).trim());
});
follow();

// --- print: paper shows what is folded ---
let folded = [];
window.addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach((one) => { one.open = true; });
});
window.addEventListener("afterprint", () => folded.forEach((one) => { one.open = false; }));
