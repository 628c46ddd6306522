// The console's service worker: one for all that works without an open page.

import { takePushes } from "./push";
import { worker } from "./worker";

worker.addEventListener("install", (event) => event.waitUntil(worker.skipWaiting()));
worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));
takePushes();
