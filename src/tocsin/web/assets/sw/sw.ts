/** Tocsin's service worker, served at /sw.js: what works without an open page. Its parts know nothing of each other. */

import { setUpOffline } from "./offline";
import { takePushes } from "./push";
import { worker } from "./worker";

worker.addEventListener("install", (event) => event.waitUntil(worker.skipWaiting()));
worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));
takePushes();
setUpOffline();
