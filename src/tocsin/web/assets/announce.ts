/** What is said to the whole page: the spoken region, the title's count, and short messages. */

import { byId, setText } from "./dom";

const TITLE = document.title;
const TOAST_MS = 8000;

/** Say it at once to whoever listens to the page. */
export function announce(text: string): void {
  const region = byId("announce");
  if (!region) return;
  region.textContent = "";
  // A region that is emptied and filled in one step is not read a second time.
  window.setTimeout(() => setText(region, text), 60);
}

export function showCount(unacknowledged: number): void {
  document.title = unacknowledged ? `(${unacknowledged}) ${TITLE}` : TITLE;
  const badge = byId("nav-count");
  if (!badge) return;
  badge.hidden = unacknowledged === 0;
  setText(badge, String(unacknowledged));
  badge.title = `${unacknowledged} alarms wait for an acknowledgement`;
}

interface Toast {
  text: string;
  href?: string;
  link?: string;
  kind?: string;
  stays?: boolean;
}

/** A short message at the foot of the page; with `stays` it waits to be closed. */
export function toast({ text, href, link, kind, stays }: Toast): void {
  const region = byId("toasts");
  if (!region) return;
  const box = document.createElement("p");
  box.className = `toast ${kind ?? ""}`.trim();
  const words = document.createElement("span");
  words.textContent = text;
  box.append(words);
  if (href) {
    const anchor = document.createElement("a");
    anchor.href = href;
    anchor.textContent = link ?? "Show";
    box.append(anchor);
  }
  const close = document.createElement("button");
  close.type = "button";
  close.className = "quiet";
  close.textContent = "Close";
  close.addEventListener("click", () => box.remove());
  box.append(close);
  region.append(box);
  while (region.childElementCount > 3) region.firstElementChild?.remove();
  if (!stays) window.setTimeout(() => box.remove(), TOAST_MS);
}
