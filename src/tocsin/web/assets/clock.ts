/** Times on the page: the centre's clock, ages that go on, and the reader's own time zone. */

import { all, setText } from "./dom";

let aheadMs = 0;

/** Learn how far the centre's clock is from this device's: ages are counted on the centre's. */
export function learnNow(iso: string | undefined): void {
  const at = Date.parse(iso ?? "");
  if (!Number.isNaN(at)) aheadMs = at - Date.now();
}

export function centreNow(): Date {
  return new Date(Date.now() + aheadMs);
}

/** "12 s", as the template's `span` says it. */
export function span(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 172_800) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86_400)} d`;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit" });

export function clockText(at: Date, now: Date = centreNow()): string {
  return at.toDateString() === now.toDateString() ? CLOCK.format(at) : DAY.format(at).replace(",", "");
}

const DATE = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "2-digit", month: "long", year: "numeric" });

/** History in the reader's time zone: the days begin where they do here, not in UTC. */
export function tellPast(list: HTMLElement): void {
  for (const head of all(list, ".past-day")) head.remove();
  let day = "";
  for (const row of all(list, ".past-row")) {
    const time = row.querySelector<HTMLTimeElement>("time[data-past]");
    const at = new Date(time?.dateTime ?? "");
    if (!time || Number.isNaN(at.getTime())) continue;
    setText(time, CLOCK.format(at));
    if (DATE.format(at) === day) continue;
    day = DATE.format(at);
    const head = document.createElement("li");
    head.className = "past-day";
    head.append(document.createElement("h2"));
    setText(head.firstElementChild, day);
    row.before(head);
  }
}

/** Put every time under `root` into words for this reader. */
export function tellTimes(root: ParentNode = document): void {
  const now = centreNow();
  for (const element of all<HTMLTimeElement>(root, "time[data-age]")) {
    const at = Date.parse(element.dateTime);
    if (!Number.isNaN(at)) setText(element, `${span((now.getTime() - at) / 1000)} ago`);
  }
  for (const element of all<HTMLTimeElement>(root, "time[data-clock]")) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    setText(element, clockText(at, now));
    if (!element.title) element.title = at.toISOString();
  }
}
