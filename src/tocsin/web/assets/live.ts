/**
 * The live stream with a watchdog of its own. A half-open connection looks healthy to EventSource for
 * minutes; the centre sends a beat every 5 s, so 12 s of silence means that this page is old.
 */

import { clockText, learnNow, tellTimes } from "./clock";
import { byId, setText } from "./dom";

const SILENCE_MS = 12_000;
const RETRY_MS = [500, 1000, 2000, 4000, 8000, 15_000];

export interface AlarmMessage {
  id: string;
  rank: string;
  open: boolean;
  html: string;
}

export interface AllMessage {
  html: string;
  ids: string[];
}

export interface CamerasMessage {
  html?: string;
  summary?: string;
}

export interface Listener {
  all(message: AllMessage): void;
  alarm(message: AlarmMessage): void;
  cameras(message: CamerasMessage): void;
}

let source: EventSource | null = null;
let heardAt = 0;
let heardClock = new Date();
let failures = 0;
let retry: number | undefined;
let stale = false;

export function setUpLive(listener: Listener): void {
  if (!("signedIn" in document.documentElement.dataset)) return;
  heardAt = performance.now();
  connect(listener);
  window.setInterval(() => {
    if (performance.now() - heardAt > SILENCE_MS) {
      goStale("");
      // A source that is still "open" after such a silence is dead: begin anew.
      if (source) reconnect(listener);
    }
  }, 1000);
  const wake = (): void => {
    if (document.visibilityState !== "visible") return;
    if (performance.now() - heardAt > SILENCE_MS || !source) {
      failures = 0;
      reconnect(listener, 0);
    }
  };
  document.addEventListener("visibilitychange", wake);
  window.addEventListener("online", wake);
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) wake();
  });
  window.addEventListener("pagehide", () => source?.close());
}

function connect(listener: Listener): void {
  source?.close();
  const mine = new EventSource("/live");
  source = mine;
  const on = (name: string, take: (data: unknown) => void): void => {
    mine.addEventListener(name, (event) => {
      if (mine !== source) return;
      let data: unknown;
      try {
        data = JSON.parse((event as MessageEvent<string>).data);
      } catch {
        return; // Half a message is no sign of life.
      }
      take(data);
      heard();
    });
  };
  on("all", (data) => {
    failures = 0;
    listener.all(data as AllMessage);
  });
  on("alarm", (data) => listener.alarm(data as AlarmMessage));
  on("cameras", (data) => listener.cameras(data as CamerasMessage));
  on("beat", (data) => learnNow((data as { now?: string }).now));
  mine.onerror = () => {
    if (mine !== source) return;
    reconnect(listener);
  };
}

function reconnect(listener: Listener, afterMs?: number): void {
  source?.close();
  source = null;
  const step = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? 15_000;
  failures += 1;
  // Half of the wait is by chance: a whole control room does not come back in one blow.
  const wait = afterMs ?? step * (0.5 + Math.random() / 2);
  window.clearTimeout(retry);
  retry = window.setTimeout(() => connect(listener), wait);
  if (failures === 2) void askWhetherSignedOut();
}

/** EventSource hides why it was refused; a plain request tells a lost session from a lost network. */
async function askWhetherSignedOut(): Promise<void> {
  try {
    const answer = await fetch("/live", { redirect: "manual", headers: { Accept: "application/json" }, cache: "no-store" });
    void answer.body?.cancel();
    if (answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403) {
      goStale("signed-out");
    }
  } catch {
    // The network: the watchdog tells.
  }
}

function heard(): void {
  heardAt = performance.now();
  heardClock = new Date();
  stale = false;
  document.documentElement.classList.remove("stale");
  const live = byId("live");
  if (live) live.dataset["live"] = "live";
  setText(byId("live-word"), "Live");
  const banner = byId("stale");
  if (banner && !banner.hidden) banner.hidden = true;
  tellTimes();
}

function goStale(why: "" | "signed-out"): void {
  if (stale && !why) return;
  stale = true;
  document.documentElement.classList.add("stale");
  const live = byId("live");
  if (live) live.dataset["live"] = "stale";
  const since = clockText(heardClock);
  setText(byId("live-word"), "Not live");
  const banner = byId("stale");
  if (!banner) return;
  banner.textContent = why
    ? `Not live since ${since}: you are signed out. `
    : `Not live since ${since}: what stands here may be old. Trying to connect again. `;
  const link = document.createElement("a");
  link.href = why ? `/sign-in?next=${encodeURIComponent(location.pathname)}` : location.pathname + location.search;
  link.textContent = why ? "Sign in" : "Load the page again";
  banner.append(link);
  banner.hidden = false;
}

export function isStale(): boolean {
  return stale;
}
