/** Tocsin's service worker, served at /sw.js. Each part sets itself up; none knows of another. */

import { setUpOffline } from "./offline";

declare const self: ServiceWorkerGlobalScope;

self.addEventListener("install", () => void self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
setUpOffline();
