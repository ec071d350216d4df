"use strict";
const MOST = 200;
const body = document.getElementById("notices");
const rows = new Map();
const voided = new Set();
const stays = new Set();
let total = 0;

function cell(row, text, small) {
  const td = row.insertCell();
  td.textContent = text || "–";
  if (small) td.append(Object.assign(document.createElement("small"), { textContent: small }));
  return td;
}

function kindOf(type) {
  const name = type.replace(/^care\.(encounter|provider)\./, "").replace(/^care\./, "").replace(/\.v1$/, "");
  const style = name.includes("cancelled") || name === "deleted" ? "cancelled" : name.startsWith("task") ? "task" : name;
  return [name.replace(/[.-]/g, " "), style];
}

function add(notice, fresh) {
  if (rows.has(notice.webhook_id)) return;
  const row = body.insertRow(0);
  const [words, style] = kindOf(notice.event_type);
  row.className = fresh ? "fresh" : "";
  cell(row, new Date(notice.received_at).toLocaleTimeString([], { hour12: false }), "no. " + notice.order);
  const kind = Object.assign(document.createElement("span"), { textContent: words, className: "kind " + style });
  row.insertCell().append(kind);
  cell(row, notice.patient);
  cell(row, notice.facility);
  cell(row, notice.task || notice.diagnosis, "happened " + new Date(notice.occurred_at).toLocaleString([], { hour12: false }));
  cell(row, notice.bases.join(", ").replaceAll("-", " "));
  row.dataset.event = notice.event_id;
  rows.set(notice.webhook_id, row);
  if (notice.encounter_id) stays.add(notice.encounter_id);
  for (const id of notice.retracts) voided.add(id);
  while (body.rows.length > MOST) body.deleteRow(-1);
}

function settle() {
  for (const row of body.rows) row.classList.toggle("void", voided.has(row.dataset.event));
  document.getElementById("total").textContent = total;
  document.getElementById("stays").textContent = stays.size;
  document.getElementById("retracted").textContent = voided.size;
  document.getElementById("empty").hidden = body.rows.length > 0;
}

function say(state, words) {
  const live = document.getElementById("live");
  live.dataset.state = state;
  live.textContent = words;
}

async function catchUp() {
  const latest = await (await fetch("/latest")).json();
  for (const notice of latest.items) add(notice, false);
  total = latest.total;
  settle();
}

const source = new EventSource("/live");
source.addEventListener("open", () => { say("live", "live"); catchUp(); });
source.addEventListener("error", () => say("away", "away, trying again"));
source.addEventListener("notice", (event) => {
  const notice = JSON.parse(event.data);
  if (!rows.has(notice.webhook_id)) total = Math.max(total, notice.order);
  add(notice, true);
  settle();
});
catchUp();
