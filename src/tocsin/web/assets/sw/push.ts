// Shows a page as a notification, and opens its alarm when it is touched.

import { type Clicked, type Pushed, worker } from "./worker";

interface Page {
  readonly page_id: string;
  readonly title: string;
  readonly body: string;
  readonly url: string;
  readonly priority: number;
}

// NotificationOptions of the compiler's library lack what only service workers may use.
interface Options extends NotificationOptions {
  readonly actions?: readonly { action: string; title: string }[];
  readonly renotify?: boolean;
}

/** The page in a push; a plain one for what cannot be read, for browsers insist that something is shown. */
function read(data: Pushed["data"]): Page {
  const plain = { page_id: "tocsin", title: "Tocsin: an alarm", body: "Open the console.", url: "/", priority: 1 };
  try {
    const given = data?.json();
    if (typeof given !== "object" || given === null) return plain;
    const said = given as Record<string, unknown>;
    const text = (key: keyof typeof plain) => (typeof said[key] === "string" ? said[key] : String(plain[key]));
    const priority = typeof said["priority"] === "number" ? said["priority"] : plain.priority;
    return { page_id: text("page_id"), title: text("title"), body: text("body"), url: ours(text("url")), priority };
  } catch {
    return plain;
  }
}

/** The address if it is this console's own, else the console's first page. */
function ours(url: string): string {
  const home = new URL("/", worker.location.href);
  try {
    const there = new URL(url, home);
    // The console may be reached under another name than the one that pages bear: its path is what counts.
    return there.protocol.startsWith("http") ? home.origin + there.pathname + there.search : home.href;
  } catch {
    return home.href;
  }
}

async function show(event: Pushed): Promise<void> {
  const page = read(event.data);
  const options: Options = {
    body: page.body,
    data: page.url,
    // A repeat of the same page takes its place.
    tag: page.page_id,
    renotify: true,
    requireInteraction: page.priority <= 2,
    actions: [
      { action: "acknowledge", title: "Acknowledge" },
      { action: "open", title: "Open" },
    ],
  };
  await worker.registration.showNotification(page.title, options);
}

async function open(event: Clicked): Promise<void> {
  const url = ours(typeof event.notification.data === "string" ? event.notification.data : "/");
  event.notification.close();
  const tabs = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  const there = tabs.find((tab) => tab.url === url);
  if (there) await there.focus();
  else await worker.clients.openWindow(url);
}

export function takePushes(): void {
  worker.addEventListener("push", (event) => event.waitUntil(show(event)));
  worker.addEventListener("notificationclick", (event) => event.waitUntil(open(event)));
}
