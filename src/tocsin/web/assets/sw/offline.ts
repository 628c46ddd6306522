/** The report's form without a network, and reports that are sent when it is back, even with no page open.

    Kept are the form's shell and the built assets. Never an alarm, never a picture, never an answer of the API. */

import { flush, SYNC_TAG } from "../outbox";

declare const self: ServiceWorkerGlobalScope;

interface SyncEvent extends ExtendableEvent {
  readonly tag: string;
}

const CACHE = "tocsin-report-1";
const SHELL = "/report/shell";
const FORM = "/report";
const ASSETS = "/static/dist/assets/";
/** Longer than this nobody looks at an empty page: the kept form opens instead. */
const PATIENCE_MS = 5_000;

/** Take the form and all that it loads; what older versions left goes. Nothing changes if one is missing. */
async function keepShell(): Promise<void> {
  const answer = await fetch(SHELL, { credentials: "same-origin", redirect: "manual", cache: "no-store" });
  if (!answer.ok) return;
  const html = await answer.clone().text();
  const urls = new Set(html.match(/\/static\/dist\/assets\/[\w.-]+/g) ?? []);
  const cache = await caches.open(CACHE);
  for (const url of urls) if (!(await cache.match(url))) await cache.add(url);
  await cache.put(SHELL, answer);
  for (const request of await cache.keys()) {
    const { pathname } = new URL(request.url);
    if (pathname !== SHELL && !urls.has(pathname)) await cache.delete(request);
  }
}

async function form(request: Request): Promise<Response> {
  const kept = (): Promise<Response | undefined> => caches.match(SHELL, { cacheName: CACHE });
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, PATIENCE_MS));
  const asked = fetch(request);
  try {
    const answer = await Promise.race([asked, late]);
    // A proxy in front of a centre that is down answers in its place.
    if (answer && ![502, 503, 504].includes(answer.status)) return answer;
    return (await kept()) ?? (await asked);
  } catch (error) {
    const shell = await kept();
    if (shell) return shell;
    throw error;
  }
}

async function asset(request: Request): Promise<Response> {
  // Not `open`: it would make the cache anew that signing out has just deleted.
  return (await caches.match(request, { cacheName: CACHE })) ?? fetch(request);
}

export function setUpOffline(): void {
  self.addEventListener("fetch", (event) => {
    const { request } = event;
    const url = new URL(request.url);
    if (url.origin !== self.location.origin) return;
    if (request.method === "POST" && url.pathname === "/sign-out") event.waitUntil(caches.delete(CACHE));
    if (request.method !== "GET") return;
    if (request.mode === "navigate" && url.pathname === FORM && !url.searchParams.has("sent")) event.respondWith(form(request));
    else if (url.pathname.startsWith(ASSETS)) event.respondWith(asset(request));
  });
  self.addEventListener("message", (event) => {
    if (event.data === "keep-report-form") event.waitUntil(keepShell().catch(() => undefined));
  });
  self.addEventListener("sync", (event) => {
    const sync = event as SyncEvent;
    if (sync.tag !== SYNC_TAG) return;
    // Rejected, the browser tries again by itself; a lost session waits for somebody to sign in.
    sync.waitUntil(
      flush().then((left) => {
        if (left === "network") throw new Error("the centre does not answer yet");
      }),
    );
  });
}
