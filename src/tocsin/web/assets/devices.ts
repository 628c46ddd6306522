// Turns alarms on and off for this browser, on the page of the person who is signed in.

const box = document.querySelector<HTMLElement>("#this-device");
const said = document.querySelector<HTMLElement>("#this-device-said");

function tell(text: string): void {
  if (said) said.textContent = text;
}

/** The server's public key as the browser wants it (RFC 8292). */
function keyOf(text: string): Uint8Array<ArrayBuffer> {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/").padEnd(Math.ceil(text.length / 4) * 4, "="));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

function base64url(given: ArrayBuffer | null): string {
  const plain = String.fromCharCode(...new Uint8Array(given ?? new ArrayBuffer(0)));
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

async function post(path: string, fields: Record<string, string>): Promise<string> {
  const answer = await fetch(path, {
    method: "POST",
    headers: { accept: "application/json" },
    body: new URLSearchParams(fields),
  });
  const told: { message?: string; what?: string; hint?: string } = await answer.json();
  if (!answer.ok) throw new Error([told.what ?? String(answer.status), told.hint].filter(Boolean).join("; "));
  return told.message ?? "";
}

async function store(subscription: PushSubscription): Promise<string> {
  return post("/me/devices", {
    endpoint: subscription.endpoint,
    p256dh: base64url(subscription.getKey("p256dh")),
    auth: base64url(subscription.getKey("auth")),
  });
}

async function turnOn(registration: ServiceWorkerRegistration, key: string): Promise<void> {
  if ((await Notification.requestPermission()) !== "granted") {
    tell("This browser was told not to show notifications from this site. Allow them in its settings.");
    return;
  }
  const before = await registration.pushManager.getSubscription();
  const known = before?.options.applicationServerKey;
  // The site's key may have changed: what was signed up under the old one would be refused.
  if (before && base64url(known ?? null) !== key) await before.unsubscribe();
  const applicationServerKey = keyOf(key);
  const options = { userVisibleOnly: true, applicationServerKey };
  tell(await store(await registration.pushManager.subscribe(options)));
}

async function turnOff(registration: ServiceWorkerRegistration): Promise<void> {
  const subscription = await registration.pushManager.getSubscription();
  if (!subscription) return;
  await subscription.unsubscribe();
  tell(await post("/me/devices/off", { endpoint: subscription.endpoint }));
}

async function begin(here: HTMLElement, key: string): Promise<void> {
  if (!("serviceWorker" in navigator) || !("PushManager" in window)) {
    tell(
      window.isSecureContext
        ? "This browser takes no push messages. On an iPhone, add the console to the home screen first."
        : "Alarms on a device need the console's https:// address.",
    );
    return;
  }
  await navigator.serviceWorker.register("/sw.js", { scope: "/" });
  const registration = await navigator.serviceWorker.ready;
  const on = here.querySelector<HTMLButtonElement>("#turn-on");
  const off = here.querySelector<HTMLButtonElement>("#turn-off");
  const show = async (): Promise<void> => {
    const subscription = await registration.pushManager.getSubscription();
    if (on) on.hidden = subscription !== null;
    if (off) off.hidden = subscription === null;
  };
  const after = (act: () => Promise<void>) => async (): Promise<void> => {
    try {
      await act();
    } catch (error) {
      tell(`Not done: ${error instanceof Error ? error.message : String(error)}`);
    }
    await show();
  };
  on?.addEventListener("click", after(() => turnOn(registration, key)));
  off?.addEventListener("click", after(() => turnOff(registration)));
  const subscription = await registration.pushManager.getSubscription();
  // Renewed at each visit, so that what nobody uses any more can be forgotten.
  if (subscription) await store(subscription).catch(() => undefined);
  await show();
}

const key = box?.dataset["key"];
if (box && key) void begin(box, key).catch((error: unknown) => tell(`Not done: ${String(error)}`));
export {};
