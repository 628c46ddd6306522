/** On every page: what waits to be sent is said and tried again, and the report's form is kept for offline. */

import { byId } from "./dom";
import { type Hindrance, NEWS, SYNC_TAG, flush, waiting } from "./outbox";

const AGAIN_MS = 15_000;

let left: Hindrance | undefined;
let trying = false;

interface SyncRegistration extends ServiceWorkerRegistration {
  readonly sync?: { register(tag: string): Promise<void> };
}

/** Ask the browser to send what waits even when no page is open; not all can. */
export async function askForSync(): Promise<void> {
  try {
    const registration = (await navigator.serviceWorker.ready) as SyncRegistration;
    await registration.sync?.register(SYNC_TAG);
  } catch {
    // Then it is sent when the next page of the console is opened.
  }
}

async function tell(): Promise<void> {
  const banner = byId("waiting");
  if (!banner) return;
  const all = await waiting();
  const fresh = all.filter((report) => !report.refused && !report.taken).length;
  const pictures = all.filter((report) => !report.refused && report.taken).length;
  const refused = all.filter((report) => report.refused).length;
  const parts: string[] = [];
  if (fresh) parts.push(`${fresh} ${fresh === 1 ? "report waits" : "reports wait"} to be sent`);
  if (pictures) parts.push(`${pictures} ${pictures === 1 ? "picture" : "pictures"} of reports to be sent`);
  if (refused) parts.push(`${refused} ${refused === 1 ? "report was" : "reports were"} refused`);
  banner.hidden = parts.length === 0;
  if (!parts.length) return;
  const by = all.find((report) => !report.refused)?.by ?? "";
  const signedIn = "signedIn" in document.documentElement.dataset;
  const links: [string, string] = signedIn && left !== "signed-out" ? ["/report", "Show"] : [`/sign-in?next=${encodeURIComponent("/report")}`, "Sign in"];
  const why = !signedIn || left === "signed-out" ? ` Sign in as ${by} to send.` : left === "other-account" ? ` Only ${by} can send it.` : "";
  banner.textContent = `${parts.join(", ")}.${why} `;
  if (location.pathname === links[0]) return;
  const link = document.createElement("a");
  [link.href, link.textContent] = links;
  banner.append(link);
}

/** Try what waits, unless it is being tried. */
export async function trySending(): Promise<void> {
  if (trying || !("signedIn" in document.documentElement.dataset)) return;
  trying = true;
  try {
    if ((await waiting()).some((report) => !report.refused)) left = await flush();
  } finally {
    trying = false;
  }
  await tell();
}

async function keepForm(): Promise<void> {
  if (!("serviceWorker" in navigator)) return; // Only over https, or on this machine.
  await navigator.serviceWorker.register("/sw.js", { scope: "/" });
  const registration = await navigator.serviceWorker.ready;
  registration.active?.postMessage("keep-report-form");
}

export function setUpWaiting(): void {
  if (!("indexedDB" in globalThis) || !("BroadcastChannel" in globalThis)) return;
  new BroadcastChannel(NEWS).addEventListener("message", () => void tell());
  window.addEventListener("online", () => void trySending());
  window.setInterval(() => void trySending(), AGAIN_MS);
  void tell();
  void trySending();
  if ("signedIn" in document.documentElement.dataset) void keepForm().catch(() => undefined);
}
