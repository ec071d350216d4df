"use strict";
// What makes a page live: clocks that count on, hints from the server (SSE) after which the page fetches itself, and
// keys. Rows never move under the cursor or the focus: then only their contents change, and the rest waits for "r".

const body = document.body;
const watch = (body.dataset.watch || "").split(" ").filter(Boolean);
const every = Number(body.dataset.every || 0) * 1000;
const isLive = watch.length > 0 || every > 0;
const changes = document.getElementById("changes");
const liveness = document.getElementById("liveness");
const pauseButton = document.getElementById("pause");
// A page whose contents another service tells asks no more often than it says: each look is written down there.
const AT_MOST_EVERY_MS = Math.max(1500, Number(body.dataset.pace || 0) * 1000);

// ---- clocks: the same words as services/dashboard/clocks.py
function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 172800) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  if (s < 1209600) return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

function tick() {
  const now = Date.now();
  for (const clock of document.querySelectorAll(".clock[data-due]")) {
    const left = Date.parse(clock.dataset.due) - now;
    const words = left < 0 ? `overdue by ${span(-left)}` : `due in ${span(left)}`;
    const shown = clock.querySelector(".words");
    if (shown.textContent !== words) shown.textContent = words;
    if (left < 0 && !clock.classList.contains("clock-overdue")) becomeOverdue(clock);
  }
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const words = `${span(now - Date.parse(time.dateTime))} ago`;
    if (time.textContent !== words) time.textContent = words;
  }
}

function becomeOverdue(clock) {
  clock.classList.remove("clock-soon", "clock-later");
  clock.classList.add("clock-overdue");
  clock.querySelector(".icon").innerHTML = '<path d="M8 1.5 15 14H1Z"/><path class="cut" d="M8 6v4M8 11.6v.9"/>';
  const edge = clock.closest(".clock-edge-soon, .clock-edge-later");
  if (edge) { edge.classList.remove("clock-edge-soon", "clock-edge-later"); edge.classList.add("clock-edge-overdue"); }
}
tick();
setInterval(tick, 1000);

// ---- the fragment
let waiting = 0;      // changes told and not yet shown
let isPaused = false;
let isFetching = false;
let isDue = false;
let lastFetch = 0;

const live = () => document.getElementById("live");
const isOccupied = () => {
  const part = live();
  const active = document.activeElement;
  const isTyping = active && part.contains(active) && active.matches("input:not([data-pick]), select, textarea");
  const isBegun = [...part.querySelectorAll("input:not([type=checkbox]), textarea")].some((field) => field.value !== field.defaultValue);
  return { rows: part.contains(active) || part.matches(":hover"), typing: isTyping || isBegun };
};

function say(state, words) {
  if (!liveness || liveness.dataset.state === state) return;
  liveness.dataset.state = state;
  liveness.textContent = words;
}

function offer(count) {
  if (!count) { changes.replaceChildren(); return; }
  const button = changes.querySelector("button") || document.createElement("button");
  button.type = "button";
  button.innerHTML = `${count} new – refresh <kbd>r</kbd>`;
  button.onclick = () => refresh(true);
  if (!button.isConnected) changes.replaceChildren(button);
}

async function refresh(isWanted) {
  if (isFetching) { isDue = true; return; }
  const since = Date.now() - lastFetch;
  if (!isWanted && since < AT_MOST_EVERY_MS) {
    if (!isDue) { isDue = true; setTimeout(() => { if (isDue) { isDue = false; refresh(false); } }, AT_MOST_EVERY_MS - since); }
    return;
  }
  isFetching = true;
  isDue = false;
  lastFetch = Date.now();
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, credentials: "same-origin" });
    if (answer.redirected && new URL(answer.url).pathname === "/login") { location.href = "/login"; return; }
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = page.getElementById("live");
    if (next) show(next, isWanted);
  } catch { /* the server is away: the stream says so, and brings us back here */ }
  finally {
    isFetching = false;
    if (isDue) { isDue = false; refresh(false); }
  }
}

function show(next, isWanted) {
  const occupied = isOccupied();
  if (occupied.typing && !isWanted) { offer(++waiting); return; }
  if (occupied.rows && !isWanted) {
    const moved = patchInPlace(live(), next);
    waiting = moved;
    offer(moved);
  } else {
    replaceKeepingFocus(next);
    waiting = 0;
    offer(0);
  }
  tick();
}

// Contents change where they stand; rows that would come, go or move are only counted.
function patchInPlace(old, next) {
  let moved = 0;
  const lists = (root) => [...root.querySelectorAll("[data-list]")];
  const keysOf = (list) => [...list.children].map((row) => row.dataset.key).filter(Boolean);
  const olds = lists(old), nexts = lists(next);
  nexts.forEach((list, index) => {
    const before = olds[index] ? keysOf(olds[index]) : [];
    keysOf(list).forEach((key, place) => { if (before[place] !== key) moved += 1; });
    if (!keysOf(list).length && before.length) moved += before.length;
  });
  for (const row of next.querySelectorAll("[data-list] > [data-key]")) {
    const twin = old.querySelector(`[data-key="${CSS.escape(row.dataset.key)}"]`);
    if (twin && !twin.contains(document.activeElement) && !sameText(twin, row)) {
      const fresh = row.cloneNode(true);
      if (isPicked(twin)) pick(fresh, true);
      twin.replaceWith(fresh);
    }
  }
  return moved;
}

const sameText = (a, b) => a.textContent.replace(/\s+/g, " ") === b.textContent.replace(/\s+/g, " ");

function replaceKeepingFocus(next) {
  const old = live();
  const active = old.contains(document.activeElement) ? document.activeElement : null;
  const key = active && active.closest("[data-key]")?.dataset.key;
  const place = active && key ? [...active.closest("[data-key]").querySelectorAll("a, button, input, select, summary")].indexOf(active) : -1;
  const open = [...old.querySelectorAll("details[open][id]")].map((each) => each.id);
  const rowsBefore = [...old.querySelectorAll("[data-list] > [data-key]")];
  const known = new Set(rowsBefore.map((row) => row.dataset.key));
  const picked = new Set(rowsBefore.filter(isPicked).map((row) => row.dataset.key));
  old.replaceWith(document.adoptNode(next));
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  for (const row of next.querySelectorAll("[data-list] > [data-key]")) {
    if (known.size && !known.has(row.dataset.key)) row.classList.add("fresh");
    if (picked.has(row.dataset.key)) pick(row, true);
  }
  countPicked();
  if (key) {
    const row = next.querySelector(`[data-key="${CSS.escape(key)}"]`);
    const target = row?.querySelectorAll("a, button, input, select, summary")[place] || row?.querySelector("[data-row]");
    (target || document.getElementById("content")).focus({ preventScroll: true });
  }
}

// ---- rows that are ticked, for one act on many
const pickBoxOf = (row) => row.querySelector("input[data-pick]");
const isPicked = (row) => Boolean(pickBoxOf(row)?.checked);

function pick(row, isOn) {
  const box = pickBoxOf(row);
  if (box) box.checked = isOn;
}

function countPicked() {
  const shown = document.getElementById("picked");
  if (!shown) return;
  const boxes = [...document.querySelectorAll("input[data-pick]")];
  const count = boxes.filter((box) => box.checked).length;
  shown.textContent = String(count);
  const all = document.querySelector("input[data-pick-all]");
  if (all) { all.checked = count > 0 && count === boxes.length; all.indeterminate = count > 0 && count < boxes.length; }
}

// Fields that the chosen act does not ask for are hidden, and not sent.
const acting = document.querySelector("form.many select[name=action]");
function showFields() {
  for (const label of acting.form.querySelectorAll("label[data-for]")) {
    const isAsked = label.dataset.for.split(" ").includes(acting.value);
    label.hidden = !isAsked;
    label.querySelector("input, select").disabled = !isAsked;
  }
}
if (acting) { acting.addEventListener("change", showFields); showFields(); }

document.addEventListener("change", (event) => {
  if (event.target.matches("input[data-pick-all]")) {
    for (const box of document.querySelectorAll("input[data-pick]")) box.checked = event.target.checked;
  }
  if (event.target.matches("input[data-pick], input[data-pick-all]")) countPicked();
});
countPicked();

// ---- the stream
let stream = null;
let wasAway = false;
let retry = 0;

function connect() {
  stream = new EventSource(`/live?${watch.map((topic) => `watch=${encodeURIComponent(topic)}`).join("&")}`);
  stream.addEventListener("hello", (event) => {
    say("live", "live");
    retry = 0;
    const said = JSON.parse(event.data);
    if (wasAway || said.missed) refresh(wasAway);
    wasAway = false;
  });
  stream.addEventListener("changed", () => { if (!isPaused) refresh(false); else offer(++waiting); });
  stream.onerror = () => {
    wasAway = true;
    say("away", "reconnecting");
    if (stream.readyState !== EventSource.CLOSED) return;
    // The browser has given up (the session may have ended, or a proxy answered): ask the page itself, then try again.
    stream.close();
    retry = Math.min(retry + 1, 10);
    setTimeout(() => { refresh(true); connect(); }, 1000 * retry);
  };
}

function poll() {
  say("live", `live, every ${every / 1000} s`);
  setInterval(() => { if (!isPaused && !document.hidden) refresh(false); }, every);
}

function togglePause() {
  isPaused = !isPaused;
  pauseButton.setAttribute("aria-pressed", String(isPaused));
  pauseButton.textContent = isPaused ? "Resume" : "Pause";
  say(isPaused ? "paused" : "live", isPaused ? "paused" : "live");
  if (!isPaused) refresh(true);
}

if (isLive && live()) {
  if (watch.length) connect();
  if (every) poll();
  pauseButton.hidden = false;
  pauseButton.addEventListener("click", togglePause);
}

// ---- keys
const help = document.getElementById("help");
const keysOn = document.getElementById("keys-on");
if (help) {
  const openHelp = document.getElementById("help-open");
  openHelp.hidden = false;
  openHelp.addEventListener("click", () => help.showModal());
  keysOn.checked = localStorage.getItem("single-keys") !== "off";
  keysOn.addEventListener("change", () => localStorage.setItem("single-keys", keysOn.checked ? "on" : "off"));
}

function step(by) {
  const rows = [...document.querySelectorAll("[data-row]")].filter((row) => row.offsetParent !== null);
  if (!rows.length) return;
  const at = rows.indexOf(document.activeElement.closest?.("[data-row]") || null);
  const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + by, 0), rows.length - 1)];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  r: () => { if (live()) refresh(true); },
  p: () => { if (isLive) togglePause(); },
  x: () => {
    const row = document.activeElement.closest?.("[data-key]");
    if (row && pickBoxOf(row)) { pick(row, !isPicked(row)); countPicked(); }
  },
  "/": () => document.querySelector(".filters select, .filters input:not([type=hidden])")?.focus(),
  "?": () => help?.showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.matches("input:not([data-pick]), select, textarea") || help?.open || (keysOn && !keysOn.checked)) return;
  const act = KEYS[event.key];
  if (act) { event.preventDefault(); act(); }
});

const trying = document.querySelector("form[data-try]");
trying?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const shown = trying.querySelector(".trying");
  const bar = shown.querySelector("progress");
  const words = shown.querySelector("[role=status]");
  const mistake = document.querySelector("[data-mistake]");
  const button = trying.querySelector("button");
  const take = (line) => {
    if (!line.trim()) return;
    const said = JSON.parse(line);
    if (said.of) { bar.max = said.of; bar.value = said.done; words.textContent = `${said.done} of ${said.of} messages`; }
    if (said.mistake) { mistake.textContent = said.mistake; mistake.hidden = false; }
    if (said.html) {
      document.getElementById("report").innerHTML = said.html;
      trying.elements.configuration.value = said.configuration;
      document.getElementById("score-title").scrollIntoView({ block: "start" });
    }
  };
  button.disabled = true;
  shown.hidden = false;
  mistake.hidden = true;
  words.textContent = "uploading";
  try {
    const answer = await fetch(trying.action, {
      method: "POST", body: new FormData(trying), headers: { accept: "application/x-ndjson" },
    });
    if (!answer.ok) throw new Error(`refused (${answer.status})`);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const lines = (rest + part.value).split("\n");
      rest = lines.pop();
      lines.forEach(take);
    }
    take(rest);
  } catch (error) {
    mistake.textContent = `The file could not be tried: ${error.message}.`;
    mistake.hidden = false;
  } finally {
    button.disabled = false;
    shown.hidden = true;
  }
});
