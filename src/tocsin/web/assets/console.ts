/** Tocsin's console. Every page works without it; with it the page is live. */

import { announce, showCount, toast } from "./announce";
import { dropCard, learnCards, takeAll, takeCard } from "./cards";
import { centreNow, learnNow, tellPast, tellTimes } from "./clock";
import { all, byId, parse, remember, remembered, setText } from "./dom";
import { setUpForms } from "./forms";
import { type AlarmMessage, type AllMessage, type CamerasMessage, setUpLive } from "./live";
import { setUpReport } from "./report";
import { setUpSound, soundNew, soundOwed } from "./sound";
import { setUpWaiting } from "./waiting";

/** What is known of an open alarm, on whichever page. */
interface Known {
  owes: boolean;
  text: string;
}

const KEY = "tocsin.announced";
const known = new Map<string, Known>();
const announced = new Set<string>((remembered("session", KEY) ?? "").split(" ").filter(Boolean));
let first = true;

function learn(card: HTMLElement): Known {
  const d = card.dataset;
  const drill = d["drill"] === "yes" ? "Drill. " : "";
  const name = card.querySelector("h2 a")?.textContent?.trim() ?? "";
  const place = card.querySelector(".place")?.textContent?.trim() ?? "";
  const priority = card.querySelector(".chip-priority")?.firstChild?.textContent?.trim() ?? "";
  const state = d["state"];
  return {
    owes: d["signal"] === "alarm" && (state === "UNACK" || state === "RTN_UNACK") && d["silenced"] !== "yes",
    text: `${drill}${priority}: ${name}, ${place}`,
  };
}

/** Tell new alarms once, however many pages of this tab they are seen on. */
function tellNew(alarms: Iterable<[string, Known]>): void {
  const fresh = [...alarms].filter(([id, alarm]) => alarm.owes && !announced.has(id));
  const one = fresh[0];
  if (!one) return;
  for (const [id] of fresh) announced.add(id);
  const text = fresh.length === 1 ? `New alarm. ${one[1].text}` : `${fresh.length} new alarms. ${fresh.map(([, alarm]) => alarm.text).join(". ")}`;
  announce(text);
  soundNew();
  if (byId("alarms") || shownAlarm() === one[0]) return;
  toast({ text, href: fresh.length === 1 ? `/alarms/${encodeURIComponent(one[0])}` : "/", kind: "alarm p1", stays: true });
}

function settle(): void {
  for (const id of announced) if (!known.has(id)) announced.delete(id);
  remember("session", KEY, [...announced].join(" "));
  const owed = [...known.values()].filter((alarm) => alarm.owes).length;
  showCount(owed);
  soundOwed(owed);
}

function onAll({ html, ids }: AllMessage): void {
  const before = new Set(known.keys());
  known.clear();
  for (const card of all(parse(html), ".card")) known.set(card.dataset["id"] ?? "", learn(card));
  takeAll(html, ids, (id) => !first && !before.has(id));
  tellNew(known);
  first = false;
  const shown = shownAlarm();
  if (shown) refresh();
  settle();
}

function onAlarm({ id, open, html }: AlarmMessage): void {
  const card = parse(html).querySelector<HTMLElement>(".card");
  const wasKnown = known.has(id);
  if (!open) {
    known.delete(id);
    dropCard(id);
  } else if (card) {
    const alarm = learn(card);
    known.set(id, alarm);
    // Acknowledged and then raised again is news again.
    if (!alarm.owes) announced.delete(id);
    takeCard(card, !wasKnown);
    tellNew([[id, alarm]]);
  }
  // On the board: the flood's counts and groups, while there is one or as it begins and ends.
  const flood = byId("flood");
  if (shownAlarm() === id || flood?.dataset["on"] === "yes" || (flood && card?.dataset["hazard"] === "alarm-flood")) refresh();
  settle();
}

function onCameras({ html, summary }: CamerasMessage): void {
  if (summary !== undefined) setText(byId("cameras-summary"), summary);
  const place = byId("cameras-live");
  if (!place || html === undefined) return;
  place.replaceChildren(parse(html));
  tellTimes(place);
  // Lost sight is never called calm: every camera sees, and there is one.
  const cameras = all(place, ".camera");
  const box = byId("calm");
  if (box) box.dataset["calm"] = cameras.length > 0 && cameras.every((c) => c.dataset["state"] === "seeing") ? "yes" : "no";
}

/** The alarm whose own page this is. */
function shownAlarm(): string | undefined {
  return document.querySelector<HTMLElement>("main.one-alarm > .card")?.dataset["id"];
}

let refreshing: number | undefined;

/** Bring the time line, the pages and the pictures of this alarm's own page up to date. */
function refresh(): void {
  window.clearTimeout(refreshing);
  refreshing = window.setTimeout(async () => {
    try {
      const answer = await fetch(location.pathname, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (!answer.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of all(document, "main [data-refresh]")) {
        const fresh = page.getElementById(part.id);
        if (fresh && !part.contains(document.activeElement)) part.replaceWith(document.adoptNode(fresh));
      }
      const card = page.querySelector<HTMLElement>("main.one-alarm > .card");
      if (card) takeCard(document.adoptNode(card), false);
      tellTimes();
    } catch {
      // The next event, or the watchdog, tells.
    }
  }, 250);
}

learnNow(document.documentElement.dataset["now"]);
learnCards();
for (const card of all(document, "#alarms > .card")) known.set(card.dataset["id"] ?? "", learn(card));
setText(byId("live-word"), "Connecting");
const past = byId("past");
if (past) tellPast(past);
setUpForms();
setUpReport();
setUpWaiting();
setUpSound();
if (byId("live")) {
  setUpLive({ all: onAll, alarm: onAlarm, cameras: onCameras });
  const clock = byId("live-clock")?.querySelector("time");
  window.setInterval(() => {
    if (clock && !document.documentElement.classList.contains("stale")) clock.dateTime = centreNow().toISOString();
    tellTimes();
  }, 1000);
}
tellTimes();
