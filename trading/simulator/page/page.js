"use strict";
// The control page: asks the control API what is going on and tells it what to change.
// Everything shown is set as text, never as markup: names and ids come from strangers.

const EVERY_MS = 1500;
const PAGE = 25;
const KEPT = 60;
const $ = (id) => document.getElementById(id);
const view = { offset: 0, search: "", chosen: "", after: null, points: {}, last: {}, drawn: {}, kinds: {}, entries: [] };
let token = sessionStorage.getItem("control-token") || "";

async function ask(method, path, body) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const read = await answer.json();
  if (answer.status === 401) throw new Locked(read.error);
  if (!answer.ok) throw new Refused(read.field ? `${read.field}: ${read.error}` : read.error);
  return read;
}
class Refused extends Error {}
class Locked extends Error {}

// Small helpers -----------------------------------------------------------------

function make(tag, text, className) {
  const node = document.createElement(tag);
  if (text !== undefined && text !== "") node.textContent = text;
  if (className) node.className = className;
  return node;
}

function button(text, act, className, label) {
  const node = make("button", text, className);
  node.type = "button";
  if (label) node.setAttribute("aria-label", label);
  node.addEventListener("click", () => doing(act));
  return node;
}

function row(cells) {
  const node = document.createElement("tr");
  node.append(...cells);
  return node;
}

function cell(text, className) {
  return make("td", text, className);
}

function heading(content) {
  const node = make("th");
  node.scope = "row";
  node.append(content);
  return node;
}

/** Decimal text with thousands commas; at most `places` digits after the point, cut, not rounded. */
function number(text, places = 8) {
  if (text === "" || text === undefined || text === null) return "—";
  const [whole, part = ""] = text.replace("-", "").split(".");
  const shown = part.slice(0, places).replace(/0+$/, "");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",") + (shown ? `.${shown}` : "");
  return (text.startsWith("-") && /[1-9]/.test(grouped) ? "−" : "") + grouped;
}

function signed(text, places) {
  const shown = number(text, places);
  return /^[−—]/.test(shown) || !/[1-9]/.test(shown) ? shown : `+${shown}`;
}

function direction(text) {
  return !/[1-9]/.test(text) ? "quiet" : text.startsWith("−") ? "down" : "up";
}

/** A rate such as 0.00015 in percent, as text. */
function percent(text) {
  if (!text) return "—";
  const digits = text.replace("-", "").replace(".", "").padEnd(7, "0");
  const point = text.replace("-", "").split(".")[0].length + 2;
  const shown = `${digits.slice(0, point).replace(/^0+(?=\d)/, "")}.${digits.slice(point, point + 4)}`;
  return `${text.startsWith("-") ? "−" : ""}${shown} %`;
}

function clock(ms) {
  return new Date(ms).toLocaleTimeString("en-GB");
}

function changed(name, value) {
  const text = JSON.stringify(value);
  if (view.drawn[name] === text) return false;
  view.drawn[name] = text;
  return true;
}

function say(text, bad) {
  const node = $("said");
  node.textContent = text;
  node.classList.toggle("bad", Boolean(bad));
  node.hidden = false;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { node.hidden = true; }, bad ? 12000 : 5000);
}

async function doing(act) {
  try {
    const text = await act();
    if (text) say(text);
  } catch (error) {
    if (error instanceof Locked) return lock();
    say(`Not done. ${error instanceof Refused ? error.message : "The simulator did not answer."}`, true);
  }
  await look();
}

// Market ------------------------------------------------------------------------

function drawMarket(rows) {
  const body = $("market").tBodies[0];
  if (changed("instruments", rows.map((each) => each.inst_id))) {
    body.replaceChildren(...rows.map(marketRow));
    $("fault").inst.append(...rows.map((each) => make("option", each.inst_id)));
  }
  rows.forEach((each, index) => updateMarket(body.rows[index].cells, each));
}

function marketRow(each) {
  const name = each.inst_id;
  const line = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  line.setAttribute("class", "spark");
  line.setAttribute("viewBox", "0 0 100 100");
  line.setAttribute("preserveAspectRatio", "none");
  line.setAttribute("role", "img");
  line.append(document.createElementNS("http://www.w3.org/2000/svg", "path"));
  const drawn = cell();
  drawn.append(line);
  const moves = make("span", "", "moves");
  for (const share of ["-5", "-1", "+1", "+5"]) {
    const shown = `${share.replace("-", "−")} %`;
    moves.append(button(shown, () => move(name, share), "small", `Move ${name} by ${shown}`));
  }
  const moving = cell();
  moving.append(moves);
  const set = make("form", "", "setter");
  const input = make("input");
  input.setAttribute("aria-label", `Price of ${name}`);
  input.setAttribute("inputmode", "decimal");
  input.maxLength = 30;
  const pin = make("button", "Pin", "small");
  const walk = button("Walk", () => release(name), "small walk", `Let ${name} walk on`);
  set.append(input, pin, walk);
  set.addEventListener("submit", (event) => {
    event.preventDefault();
    doing(() => setPrice(name, input));
  });
  const setting = cell();
  setting.append(set);
  return row([heading(name), drawn, cell("", "n"), cell("", "n"), cell(), moving, setting]);
}

function updateMarket(cells, each) {
  const [, drawn, price, funding, state, , setting] = cells;
  drawLine(drawn.firstChild, each);
  if (changed(`price ${each.inst_id}`, [each.last, each.mark])) {
    price.textContent = number(each.last);
    price.append(make("small", number(each.mark)));
    const before = Number(view.last[each.inst_id]);
    const now = Number(each.last);
    price.classList.remove("flash-up", "flash-down");
    if (before && now !== before) {
      void price.offsetWidth;
      price.classList.add(now > before ? "flash-up" : "flash-down");
    }
    view.last[each.inst_id] = each.last;
  }
  if (changed(`rest ${each.inst_id}`, [each.funding_rate, each.funding_at, each.pinned, each.state])) {
    funding.textContent = each.funding_rate ? percent(each.funding_rate) : "";
    if (each.funding_at) funding.append(make("small", clock(each.funding_at).slice(0, 5)));
    const suspended = each.state !== "live";
    const word = suspended ? "Suspended" : each.pinned ? "Pinned" : "Walking";
    state.replaceChildren(make("span", word, suspended ? "badge danger" : each.pinned ? "badge warn" : "badge"));
    setting.querySelector(".walk").disabled = !each.pinned;
  }
}

function drawLine(svg, each) {
  const points = view.points[each.inst_id];
  if (!points) return;
  const low = Math.min(...points);
  const span = Math.max(...points) - low;
  const path = points.map((value, index) => {
    const x = (index * 100) / Math.max(points.length - 1, 1);
    const y = span ? 92 - ((value - low) * 84) / span : 50;
    return `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
  });
  svg.firstChild.setAttribute("d", path.join(""));
  svg.setAttribute("aria-label", `${each.inst_id} from ${points[0]} to ${points[points.length - 1]}`);
}

async function move(name, share) {
  const answer = await ask("POST", "prices", { [name]: { move: `${share}%` } });
  return `${name} moved by ${share.replace("-", "−")} % to ${number(answer.prices[name])}.`;
}

async function setPrice(name, input) {
  const answer = await ask("POST", "prices", { [name]: input.value.trim().replaceAll(",", "") });
  input.value = "";
  return `${name} is pinned at ${number(answer.prices[name])}.`;
}

async function release(name) {
  const answer = await ask("POST", "prices", { [name]: null });
  return `${name} walks on from ${number(answer.prices[name])}, unless the market stands still.`;
}

// Accounts ----------------------------------------------------------------------

function drawAccounts(answer) {
  const first = answer.total ? view.offset + 1 : 0;
  $("page-text").textContent = `${first}–${view.offset + answer.accounts.length} of ${answer.total}`;
  $("newer").disabled = view.offset === 0;
  $("older").disabled = view.offset + PAGE >= answer.total;
  if (!changed("accounts", [answer.accounts, view.chosen])) return;
  const body = $("accounts").tBodies[0];
  const focused = document.activeElement?.dataset?.key;
  body.replaceChildren(...answer.accounts.map(accountRow));
  if (!answer.accounts.length) body.append(empty(6, view.search ? "No account matches." : "No accounts yet. POST /accounts opens one."));
  if (focused) [...body.querySelectorAll("button")].find((each) => each.dataset.key === focused)?.focus();
}

function accountRow(each) {
  const open = button(each.key, () => choose(each.key), "link key");
  open.dataset.key = each.key;
  const held = Object.entries(each.balances).filter(([, cash]) => cash !== "0");
  const shown = held.slice(0, 2).map(([ccy, cash]) => `${number(cash, 2)} ${ccy}`).join(", ");
  const label = cell(each.label);
  if (each.frozen) label.append(" ", make("span", "Frozen", "badge danger"));
  const node = row([
    heading(open), label, cell(number(each.equity_usd, 2), "n"),
    cell(held.length > 2 ? `${shown}, +${held.length - 2}` : shown || "—", "n"),
    cell(String(each.positions_open), each.positions_open ? "n" : "n quiet"),
    cell(String(each.orders_open), each.orders_open ? "n" : "n quiet"),
  ]);
  node.classList.toggle("chosen", each.key === view.chosen);
  return node;
}

function empty(columns, text) {
  const node = cell(text, "quiet");
  node.colSpan = columns;
  return row([node]);
}

function choose(key) {
  view.chosen = view.chosen === key ? "" : key;
}

function drawAccount(account) {
  const box = $("account");
  box.hidden = !account;
  if (!account || !changed("account", account)) return;
  const head = make("div", "", "head");
  head.append(make("h2", account.key), make("span", `uid ${account.uid}`, "quiet mono"));
  head.append(make("span", account.pos_mode === "net_mode" ? "net" : "long and short", "badge"));
  const frozen = account.frozen;
  const path = `accounts/${encodeURIComponent(account.key)}`;
  head.append(button(frozen ? "Unfreeze" : "Freeze", async () => {
    await ask("PATCH", path, { frozen: !frozen });
    return `${account.key} ${frozen ? "may trade again" : "may not place orders (51024)"}.`;
  }, "small"));
  const positions = table(["Position", "Mode", "Contracts", "Entry", "Mark", "Liquidation", "Profit"], account.positions.map((each) => [
    `${each.inst_id}${each.pos_side === "net" ? "" : ` ${each.pos_side}`}`, each.mgn_mode, [number(each.qty)],
    [number(each.avg_px)], [number(each.mark_px)], [number(each.liq_px, 4)], [signed(each.upl, 2), direction(number(each.upl, 2))],
  ]), "No open position.");
  const orders = table(["Order", "Client id", "Instrument", "Side", "Type", "Size", "Filled", "Price"], account.orders.map((each) => [
    each.ord_id, each.cl_ord_id, each.inst_id, each.side, each.ord_type, [number(each.sz)], [number(each.filled)], [number(each.px)],
  ]), "No resting order.");
  box.replaceChildren(head, positions, orders);
}

/** Rows of texts; a figure is a list of its text and, at will, a class. */
function table(names, rows, none) {
  const node = make("table");
  const figures = rows.length ? rows[0].map(Array.isArray) : [];
  node.append(make("thead"), make("tbody"));
  node.tHead.append(row(names.map((name, index) => {
    const head = make("th", name, figures[index] ? "n" : "");
    head.scope = "col";
    return head;
  })));
  for (const each of rows.slice(0, 100)) {
    node.tBodies[0].append(row(each.map((value) => Array.isArray(value) ? cell(value[0], `n ${value[1] || ""}`) : cell(value))));
  }
  if (!rows.length) node.tBodies[0].append(empty(names.length, none));
  if (rows.length > 100) node.tBodies[0].append(empty(names.length, `${rows.length - 100} more are not shown.`));
  const box = make("div", "", "scroll");
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", `${names[0]}s of this account`);
  box.append(node);
  return box;
}

// Faults ------------------------------------------------------------------------

function drawFaults(rows) {
  if (!changed("faults", rows)) return;
  $("faults").replaceChildren(...rows.map(faultItem));
  if (!rows.length) $("faults").append(make("li", "Nothing is broken.", "quiet"));
  if (rows.length > 1) {
    const item = make("li");
    item.append(button("Remove all", async () => { await ask("DELETE", "faults"); return "All faults are removed."; }));
    $("faults").append(item);
  }
}

function faultItem(each) {
  const item = make("li");
  const text = make("div");
  const names = Object.entries(each.match).map(([name, value]) => `${name} ${value}`);
  const when = [
    each.nth && `only match ${each.nth}`, each.prob < 1 && `${+(each.prob * 100).toFixed(4)} %`, each.times && `${each.times} times`,
    each.from_s && `after ${each.from_s} s`, each.for_s !== null && `for ${each.for_s} s`,
  ].filter(Boolean);
  text.append(make("div", each.argument ? `${each.kind}: ${each.argument}` : each.kind, "what"));
  text.append(make("div", [names.join(", ") || "everything", ...when, `${each.hits} hits`].join(" · "), "when"));
  item.append(text, make("span", each.state, each.state === "active" ? "badge danger" : "badge"));
  item.append(button("Remove", async () => {
    await ask("DELETE", `faults/${each.id}`);
    return `The fault ${each.kind} is removed.`;
  }, "small", `Remove ${each.kind}`));
  return item;
}

const DOORS = { rest: "Calls and order operations", push: "Pushes", login: "Logins", ack: "Subscriptions", connect: "Connections" };

function drawKinds(answer) {
  const form = $("fault");
  for (const [where, title] of Object.entries(DOORS)) {
    const group = make("optgroup");
    group.label = title;
    for (const kind of answer.kinds.filter((each) => each.where === where)) {
      view.kinds[kind.kind] = kind;
      group.append(make("option", kind.kind));
    }
    form.kind.append(group);
  }
  form.op.append(...answer.ops.map((each) => make("option", each)));
  form.kind.addEventListener("change", kindChosen);
  kindChosen();
}

function kindChosen() {
  const form = $("fault");
  const kind = view.kinds[form.kind.value];
  $("does").textContent = `${kind.does[0].toUpperCase()}${kind.does.slice(1)}.`;
  $("argument").hidden = !kind.argument;
  $("argument").firstChild.textContent = `${kind.argument} `;
  form.argument.placeholder = kind.default;
  form.argument.value = "";
  $("after").hidden = !kind.choosable;
  form.after.value = "";
}

async function addFault(form) {
  const kind = view.kinds[form.kind.value];
  const fault = { kind: kind.kind };
  if (kind.argument && form.argument.value.trim()) fault[kind.argument] = form.argument.value.trim();
  if (kind.choosable && form.after.value) fault.after = form.after.value === "yes";
  const match = {};
  for (const name of ["op", "account", "inst", "side", "channel"]) {
    if (form[name].value) match[name] = form[name].value;
  }
  const body = { fault, match };
  for (const name of ["times", "from_s", "for_s"]) {
    if (form[name].value) body[name] = Number(form[name].value);
  }
  if (form.prob.value) body.prob = Number(form.prob.value) / 100;
  await ask("POST", "faults", body);
  form.reset();
  kindChosen();
  return `The fault ${kind.kind} is added.`;
}

const QUICK = {
  storm: async () => {
    await ask("POST", "faults", { fault: "code:50011", for_s: 10 });
    return "Every call answers 50011 for 10 s.";
  },
  cut: async () => `${(await ask("POST", "cut-sockets")).sessions} sockets are cut.`,
  notice: async () => `${(await ask("POST", "restart-notice")).sessions} sockets are told of a restart (64008).`,
  restart: async () => `${(await ask("POST", "restart", { down_s: 5 })).sessions} sockets are cut; calls fail for 5 s.`,
};

// Settings, scenario, ledger ----------------------------------------------------

function drawSettings(values) {
  if (!changed("settings", { ...values, clock_offset_ms: values.clock_drift_ppm ? 0 : values.clock_offset_ms })) return;
  const form = $("settings");
  if (form.contains(document.activeElement)) {
    delete view.drawn.settings;
    return;
  }
  for (const [name, value] of Object.entries(values)) {
    form[name].value = value;
    form[name].dataset.was = String(value);
  }
}

async function applySettings(form) {
  const body = {};
  for (const field of form.querySelectorAll("input, select")) {
    if (field.value !== field.dataset.was) body[field.name] = field.value.trim();
  }
  const { latency_ms: latency, ...limits } = body;
  if (Object.keys(limits).length) await ask("POST", "limits", limits);
  if (latency !== undefined) await ask("POST", "latency", { ms: latency });
  document.activeElement.blur();
  delete view.drawn.settings;
  return Object.keys(body).length ? "The settings are in force." : "Nothing was changed.";
}

function drawScenario(run) {
  $("scenario").hidden = run.state === "none";
  const done = run.steps.filter((each) => each.done >= each.times).length;
  const failed = run.steps.filter((each) => each.errors.length).length;
  $("scenario").textContent = `Scenario ${run.name || "without a name"}: ${run.state}, ${done} of ${run.steps.length} steps done`
    + (failed ? `, ${failed} failed.` : ".");
}

const QUIET = new Set(["seq", "ts", "kind", "account", "uid", "body_hash", "tag"]);

function drawLedger(entries) {
  if (!entries.length) return;
  view.entries = [...entries.reverse(), ...view.entries].slice(0, KEPT);
  $("ledger").tBodies[0].replaceChildren(...view.entries.map((each) => {
    const what = Object.entries(each)
      .filter(([name, value]) => !QUIET.has(name) && value !== "" && typeof value !== "object")
      .map(([name, value]) => `${name} ${value}`).join(" · ");
    const text = cell(what.length > 160 ? `${what.slice(0, 160)}…` : what, "quiet");
    text.title = what;
    return row([heading(make("span", String(each.seq), "quiet")), cell(clock(each.ts), "n"), cell(each.kind), cell(each.account || "—", "key"), text]);
  }));
}

// The loop ----------------------------------------------------------------------

async function refresh() {
  const health = await ask("GET", "health");
  const after = view.after === null ? Math.max(health.entries - KEPT, 0) : Math.max(view.after, health.entries - KEPT);
  const accounts = `accounts?limit=${PAGE}&offset=${view.offset}&search=${encodeURIComponent(view.search)}`;
  const [market, faults, limits, list, ledger, run] = await Promise.all([
    ask("GET", view.after === null ? "market?points=40" : "market"), ask("GET", "faults"), ask("GET", "limits"),
    ask("GET", accounts), ask("GET", `ledger?after=${after}&limit=${KEPT}`), ask("GET", "scenario"),
  ]);
  for (const each of market.market) {
    if (each.points) view.points[each.inst_id] = each.points.map(Number);
    const points = view.points[each.inst_id];
    if (!each.points && market.ts - (view.pointed || 0) >= 15000) points.splice(0, points.length - 39);
    if (!each.points && market.ts - (view.pointed || 0) >= 15000) points.push(Number(each.last));
    points[points.length - 1] = Number(each.last);
  }
  if (market.ts - (view.pointed || 0) >= 15000) view.pointed = market.ts;
  for (const name of ["accounts", "sessions", "entries"]) $(`count-${name}`).textContent = number(String(health[name]));
  drawMarket(market.market);
  drawAccounts(list);
  drawFaults(faults.faults);
  drawSettings(limits);
  drawScenario(run);
  drawLedger(ledger.entries);
  view.after = ledger.entries.length ? Math.max(...view.entries.map((each) => each.seq)) : after;
  drawAccount(view.chosen ? await shown(view.chosen) : null);
}

async function shown(key) {
  try {
    return await ask("GET", `accounts/${encodeURIComponent(key)}`);
  } catch (error) {
    if (error instanceof Refused) view.chosen = "";
    return null;
  }
}

function live(state, text) {
  $("live").dataset.state = state;
  $("live").lastElementChild.textContent = text;
}

async function look() {
  clearTimeout(look.timer);
  if (look.busy) return;
  look.busy = true;
  try {
    if (!document.hidden) {
      await refresh();
      live("live", "Live");
      $("main").hidden = false;
      $("token").hidden = true;
    }
  } catch (error) {
    if (error instanceof Locked) return lock();
    live("wait", `As of ${clock(Date.now())}: no answer`);
  } finally {
    look.busy = false;
  }
  look.timer = setTimeout(look, EVERY_MS);
}

function lock() {
  clearTimeout(look.timer);
  live("wait", "Locked");
  if (token) say("This is not the control token.", true);
  token = "";
  sessionStorage.removeItem("control-token");
  $("token").hidden = false;
  $("main").hidden = true;
}

async function begin() {
  try {
    if (!Object.keys(view.kinds).length) drawKinds(await ask("GET", "faults/kinds"));
  } catch (error) {
    if (error instanceof Locked) return lock();
    live("wait", "No answer");
    setTimeout(begin, EVERY_MS);
    return;
  }
  await look();
}

function submitting(id, act) {
  $(id).addEventListener("submit", (event) => {
    event.preventDefault();
    doing(() => act(event.currentTarget ?? $(id)));
  });
}

submitting("fault", () => addFault($("fault")));
submitting("settings", () => applySettings($("settings")));
$("token").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("token").token.value;
  sessionStorage.setItem("control-token", token);
  $("token").reset();
  begin();
});
for (const node of document.querySelectorAll("[data-do]")) {
  node.addEventListener("click", () => doing(QUICK[node.dataset.do]));
}
$("search").addEventListener("input", () => {
  clearTimeout(look.search);
  look.search = setTimeout(() => {
    Object.assign(view, { search: $("search").value.trim(), offset: 0 });
    look();
  }, 250);
});
$("newer").addEventListener("click", () => { view.offset = Math.max(view.offset - PAGE, 0); look(); });
$("older").addEventListener("click", () => { view.offset += PAGE; look(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
begin();
