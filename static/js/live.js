/* Keeps a page live: listens to the streams that its regions name, and when one changed fetches
   the page again and swaps those regions. The server alone says what is shown. docs/live.md */

const STALE_MS = 10_000;
const DEAD_MS = 20_000;
const BANNER_MS = 2_000;
const EVERY_MS = 1_000;
const JITTER_MS = 300;
const FLASH_MS = 900;
const SLOW_CODE = 4429;
const FINAL_CODES = new Set([4400, 4401, 4403]);

const status = document.querySelector("[data-live-status][data-live-url]");
const regions = () => [...document.querySelectorAll("[data-live][id]")];
const streamsOf = (region) => region.dataset.live.split(/\s+/).filter(Boolean);

if (status && regions().length) start();

function start() {
  const numbers = {};
  const dirty = new Set();
  const waiting = new Map();
  const shown = new Map();
  let socket = null;
  let failures = 0;
  let heardAt = Date.now();
  let lostAt = Date.now();
  let figuresAt = new Date(Number(status.dataset.liveRendered) * 1000 || Date.now());
  let calmUntil = 0;
  let fetching = false;
  let fetchedAt = 0;
  let timer = 0;
  let retry = 0;
  let over = false;

  const banner = document.createElement("div");
  banner.className = "cd-live-banner";
  banner.setAttribute("role", "status");
  banner.hidden = true;
  (document.getElementById("header-inner")?.closest("#main > *") ?? document.querySelector("header"))?.after(banner);

  connect();
  setInterval(watch, 1_000);
  regions().filter((r) => r.dataset.liveEvery).forEach(({ id, dataset }) => {
    setInterval(() => dirty.add(id) && schedule(), Number(dataset.liveEvery) * 1_000);
  });
  addEventListener("online", () => reconnect(0));
  addEventListener("pagehide", () => socket?.close());
  addEventListener("pageshow", (event) => event.persisted && reconnect(0));
  document.addEventListener("visibilitychange", () => document.hidden || schedule());
  document.addEventListener("pointerout", () => setTimeout(release, 50));
  document.addEventListener("change", () => setTimeout(release, 50));
  addEventListener("scroll", () => setTimeout(release, 50), { passive: true });

  // The socket.

  function connect() {
    clearTimeout(retry);
    retry = 0;
    const address = new URL(status.dataset.liveUrl, location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const mine = new WebSocket(address);
    socket = mine;
    heardAt = Date.now();
    mine.onopen = () => {
      const wanted = new Set(regions().flatMap(streamsOf));
      const subscribe = Object.fromEntries([...wanted].map((s) => [s, numbers[s] ?? null]));
      mine.send(JSON.stringify({ subscribe, rendered: Number(status.dataset.liveRendered) }));
    };
    mine.onmessage = (event) => socket === mine && hear(JSON.parse(event.data));
    mine.onclose = (event) => socket === mine && lose(event.code);
  }

  function hear(message) {
    heardAt = Date.now();
    if (message.at && !dirty.size && !fetching) figuresAt = new Date(message.at);
    if (message.subscribed) {
      if (failures) calmUntil = Date.now() + 3 * EVERY_MS; // no storm of flashes
      failures = 0;
      lostAt = 0;
      Object.assign(numbers, message.subscribed);
    } else if (message.resync) {
      calmUntil = Date.now() + 3 * EVERY_MS;
      Object.assign(numbers, message.seq);
      message.resync.forEach(mark);
    } else if (message.beat) {
      socket.send(JSON.stringify({ ack: numbers }));
    } else if (message.first === numbers[message.stream] + 1) {
      numbers[message.stream] = message.seq;
      mark(message.stream);
    } else if (message.stream) {
      socket.close(); // a gap: come back and be told what was missed
    }
    show();
  }

  function lose(code) {
    socket = null;
    lostAt ||= Date.now();
    if (FINAL_CODES.has(code)) {
      end();
      return;
    }
    failures += 1;
    const most = Math.min(30_000, 500 * 2 ** (failures - 1));
    reconnect(code === SLOW_CODE ? 30_000 : most * (0.5 + Math.random() / 2));
    show();
  }

  function reconnect(wait) {
    if (over || (socket && socket.readyState < WebSocket.CLOSING)) return;
    clearTimeout(retry);
    retry = setTimeout(connect, wait);
  }

  function watch() {
    if (socket && Date.now() - heardAt > DEAD_MS) {
      const dead = socket;
      lose(1006);
      dead.close();
    }
    show();
  }

  function end() {
    over = true;
    clearTimeout(timer);
    clearTimeout(retry);
    socket?.close();
    socket = null;
    show();
  }

  // What people see of it.

  function show() {
    const open = socket?.readyState === WebSocket.OPEN && !lostAt;
    const stale = over || (lostAt ? Date.now() - lostAt : Date.now() - heardAt) > (lostAt ? BANNER_MS : STALE_MS);
    const state = stale ? "stale" : open ? "live" : "waiting";
    const words = status.dataset;
    const time = clock(figuresAt);
    status.hidden = false;
    status.dataset.state = state;
    tell(status.querySelector("span"), {
      live: words.liveWordsLive,
      waiting: words.liveWordsWaiting,
      stale: words.liveWordsStale.replace("{time}", time),
    }[state]);
    document.documentElement.classList.toggle("live-stale", stale);
    banner.hidden = !(over || (lostAt && stale));
    tell(banner, over ? words.liveWordsOver : words.liveWordsLost.replace("{time}", time));
  }

  function clock(at) {
    return at.toLocaleTimeString(document.documentElement.lang || undefined, {
      hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
      timeZone: status.dataset.liveZone || undefined,
    });
  }

  // Fetching: one request for all regions, at most one a second, not all browsers at once.

  function mark(stream) {
    regions().filter((r) => streamsOf(r).includes(stream)).forEach((r) => dirty.add(r.id));
    schedule();
  }

  function schedule() {
    if (!dirty.size || timer || fetching || over || document.hidden) return;
    const rest = Math.max(0, fetchedAt + EVERY_MS - Date.now());
    timer = setTimeout(refresh, rest + Math.random() * JITTER_MS);
  }

  async function refresh() {
    timer = 0;
    fetching = true;
    fetchedAt = Date.now();
    const asked = [...dirty];
    dirty.clear();
    try {
      const page = await fetchPage();
      if (page) {
        const fresh = page.querySelector("[data-live-status]");
        status.dataset.liveRendered = fresh?.dataset.liveRendered ?? status.dataset.liveRendered;
        figuresAt = new Date(Number(status.dataset.liveRendered) * 1000);
        asked.forEach((id) => renew(id, page.getElementById(id), Date.now() < calmUntil));
      }
    } catch {
      asked.forEach((id) => dirty.add(id));
      fetchedAt = Date.now() + 4 * EVERY_MS;
    }
    fetching = false;
    schedule();
  }

  async function fetchPage() {
    const response = await fetch(location.href, {
      headers: { "X-Live": "1" }, redirect: "manual", cache: "no-store",
    });
    if (response.type === "opaqueredirect" || [401, 403, 404].includes(response.status)) {
      end(); // logged out, or it is not ours any more
      return null;
    }
    if (!response.ok) throw new Error(String(response.status));
    return new DOMParser().parseFromString(await response.text(), "text/html");
  }

  // Regions.

  function renew(id, next, quiet) {
    const region = document.getElementById(id);
    // Compared as the server wrote it: scripts of the theme change what stands in the page.
    if (!region || !next) return;
    if (shown.get(id) === next.outerHTML) {
      waiting.delete(id);
      document.getElementById(`${id}-new`)?.remove();
      return;
    }
    if (isHeld(region, next)) {
      waiting.set(id, next);
      offer(region, next);
    } else {
      waiting.delete(id);
      shown.set(id, next.outerHTML);
      swap(region, next, quiet);
    }
  }

  function isHeld(region, next) {
    if (isSelecting(region) || region.querySelector("input:focus, select:focus, textarea:focus")) return true;
    if (!("liveHold" in region.dataset)) return false;
    if (sameRows(region, next)) return false;
    return Boolean(
      region.querySelector("input:checked") || region.matches(":hover") || region.getBoundingClientRect().top < 0,
    );
  }

  function offer(region, next) {
    if (!("liveHold" in region.dataset)) return;
    const had = new Set(rowKeys(region));
    const count = rowKeys(next).filter((key) => !had.has(key)).length;
    let button = document.getElementById(`${region.id}-new`);
    if (!button) {
      button = document.createElement("button");
      button.type = "button";
      button.id = `${region.id}-new`;
      button.className = "cd-live-new";
      button.onclick = () => apply(region.id, true);
      region.before(button);
    }
    const words = status.dataset;
    const many = count === 1 ? words.liveWordsNewOne : words.liveWordsNewMany.replace("{count}", count);
    tell(button, count ? many : words.liveWordsChanged);
  }

  function release() {
    for (const [id, next] of waiting) {
      const region = document.getElementById(id);
      if (!region || !isHeld(region, next)) apply(id, false);
    }
  }

  function apply(id, byHand) {
    const region = document.getElementById(id);
    const next = waiting.get(id);
    waiting.delete(id);
    if (region && next) {
      shown.set(id, next.outerHTML);
      const node = swap(region, next, true);
      if (byHand) node.scrollIntoView({ block: "nearest" });
    }
  }
}

/* Put the server's new version in the place of a region; keep focus, scrolling, open details and
   ticked boxes; flash the figures that changed. */
function swap(region, next, quiet) {
  document.getElementById(`${region.id}-new`)?.remove();
  const fresh = document.importNode(next, true);
  if (region.isEqualNode(fresh)) return region;
  const aside = [...region.querySelectorAll(".simplebar-content-wrapper")].map((s) => s.scrollLeft);
  const before = figures(region);
  const open = [...region.querySelectorAll("details")].map((d) => d.open);
  const scrolled = [...region.querySelectorAll(".scroll, pre")].map((s) => [s.scrollLeft, s.scrollTop]);
  const ticked = new Set([...region.querySelectorAll("input:checked")].map((box) => box.value));
  const focused = pathTo(region, document.activeElement);
  const y = window.scrollY;

  region.replaceWith(fresh);

  fresh.querySelectorAll("details").forEach((d, at) => at in open && (d.open = open[at]));
  fresh.querySelectorAll(".scroll, pre").forEach((s, at) => {
    if (at in scrolled) [s.scrollLeft, s.scrollTop] = scrolled[at];
  });
  requestAnimationFrame(() => {
    fresh.querySelectorAll(".simplebar-content-wrapper").forEach((s, at) => (s.scrollLeft = aside[at] ?? 0));
  });
  if (ticked.size) fresh.querySelectorAll("input[type=checkbox]").forEach((box) => (box.checked = ticked.has(box.value)));
  if (focused) find(fresh, focused)?.focus({ preventScroll: true });
  if (window.scrollY !== y) window.scrollTo(window.scrollX, y);
  if (!quiet) flash(fresh, before);
  fresh.dispatchEvent(new CustomEvent("live:swapped", { bubbles: true, detail: { id: fresh.id } }));
  return fresh;
}

function flash(region, before) {
  for (const [key, { element, text }] of figures(region)) {
    const was = amount(before.get(key)?.text);
    const is = amount(text);
    if (was === null || is === null || was === is) continue;
    const name = is > was ? "cd-flash-up" : "cd-flash-down";
    element.classList.add(name);
    setTimeout(() => element.classList.remove(name), FLASH_MS);
  }
}

/* Figures by row and place in the row, so that a row that moved is compared with itself. */
function figures(region) {
  const found = new Map();
  const counts = new Map();
  for (const element of region.querySelectorAll(".n, .v, .num-col, .hero")) {
    if (element.matches("time, .t") || element.querySelector(".n, .num-col")) continue;
    const row = element.closest("tr, li, .kpi, dl, article");
    const key = row && region.contains(row) ? keyOf(row) : "";
    const place = counts.get(key) ?? 0;
    counts.set(key, place + 1);
    found.set(`${key} ${place}`, { element, text: element.textContent });
  }
  return found;
}

function amount(text) {
  const plain = (text ?? "").replaceAll("−", "-").replaceAll(",", "").trim();
  if (/\d:\d|\d{4}-\d\d/.test(plain)) return null;
  const number = plain.match(/-?\d+(\.\d+)?/);
  return number ? Number(number[0]) : null;
}

function keyOf(row) {
  const link = row.querySelector("a[href]");
  return link ? link.getAttribute("href") : String([...row.parentNode.children].indexOf(row));
}

function rowKeys(region) {
  return [...region.querySelectorAll("tbody tr")].map(keyOf);
}

function sameRows(region, next) {
  return rowKeys(region).join("\n") === rowKeys(next).join("\n");
}

function isSelecting(region) {
  const selection = getSelection();
  return Boolean(selection && !selection.isCollapsed && selection.containsNode(region, true));
}

function pathTo(region, element) {
  if (!element || !region.contains(element)) return null;
  if (element.id) return { id: element.id };
  const path = [];
  for (let node = element; node !== region; node = node.parentNode) {
    path.unshift([...node.parentNode.children].indexOf(node));
  }
  return { path, name: element.getAttribute("href") ?? element.getAttribute("name") };
}

function find(region, { id, path, name }) {
  if (id) return region.querySelector(`#${CSS.escape(id)}`);
  if (name) return region.querySelector(`:is(a[href="${CSS.escape(name)}"], [name="${CSS.escape(name)}"])`);
  return path.reduce((node, at) => node?.children[at], region);
}

function tell(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
