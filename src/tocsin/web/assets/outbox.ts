/** Reports that wait in this browser until the centre has taken them. The page and the service worker share it. */

const NAME = "tocsin-reports";
const STORE = "reports";
const ANSWER_MS = 10_000;
/** A picture is some 100 kB: half a minute over a line that hardly is one. */
const PICTURE_MS = 30_000;

export const SYNC_TAG = "tocsin-reports";
export const NEWS = "tocsin-reports";

/** One report. Its picture is redacted already, as everything that this browser keeps (see picture.ts). */
export interface Kept {
  id: string;
  hazard: string;
  place: string;
  /** Its hazard and place in words, for whoever looks at what waits. */
  text: string;
  /** The account that wrote it: nobody else sends it. */
  by: string;
  madeAt: string;
  picture?: ArrayBuffer;
  region?: string;
  /** The report was taken, and raised or joined this alarm; only its picture waits. */
  taken?: boolean;
  alarmId?: string;
  /** The centre will not take it: why. It stays until somebody has read that. */
  refused?: string;
}

export type Hindrance = "network" | "signed-out" | "other-account" | "refused";

export interface Outcome {
  ok: boolean;
  /** The report itself is with the centre, whatever became of its picture. */
  taken: boolean;
  what: string;
  hint: string;
  alarmId?: string;
  why?: Hindrance;
}

function asked<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("the browser's store failed"));
  });
}

async function inStore<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const opening = indexedDB.open(NAME, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: "id" });
  const database = await asked(opening);
  try {
    const transaction = database.transaction(STORE, mode);
    const done = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error("the browser's store is full"));
    });
    const result = await asked(act(transaction.objectStore(STORE)));
    await done; // Only now it outlives a closed page.
    return result;
  } finally {
    database.close();
  }
}

function tell(): void {
  const channel = new BroadcastChannel(NEWS);
  channel.postMessage("changed");
  channel.close();
}

/** Rejects where the browser keeps nothing (private windows of some, a full disk). */
export async function keep(report: Kept): Promise<void> {
  await inStore("readwrite", (store) => store.put(report));
  tell();
}

export async function drop(id: string): Promise<void> {
  await inStore("readwrite", (store) => store.delete(id));
  tell();
}

/** All that wait, the oldest first; none where the browser keeps nothing. */
export async function waiting(): Promise<Kept[]> {
  try {
    const all = (await inStore("readonly", (store) => store.getAll())) as Kept[];
    return all.sort((one, other) => (one.madeAt < other.madeAt ? -1 : 1));
  } catch {
    return [];
  }
}

interface Answer {
  status: number;
  body: { what?: string; hint?: string; message?: string; alarm_id?: string | null };
}

async function ask(url: string, init: RequestInit, limitMs: number): Promise<Answer | null> {
  try {
    const answer = await fetch(url, { ...init, redirect: "manual", cache: "no-store", signal: AbortSignal.timeout(limitMs) });
    if (answer.type === "opaqueredirect") return { status: 401, body: {} };
    const body = (await answer.json()) as Answer["body"];
    return { status: answer.status, body };
  } catch {
    return null; // No network, or something in between that speaks no JSON.
  }
}

/** Why it did not go, from the answer's status; nothing when it did. */
function hindrance(answer: Answer | null): Hindrance | undefined {
  if (!answer || answer.status >= 500 || answer.status === 408 || answer.status === 429) return "network";
  if (answer.status === 401) return "signed-out";
  if (answer.status === 403) return "other-account";
  return answer.status >= 400 ? "refused" : undefined;
}

const HINDERED: Record<Hindrance, [string, string]> = {
  network: ["Not sent yet: the centre does not answer.", "It is kept on this device and sent as soon as there is a network. If it is urgent, call the control room."],
  "signed-out": ["Not sent yet: you are signed out.", "It is kept on this device. Sign in to send it."],
  "other-account": ["Not sent yet: somebody else is signed in.", "It is kept on this device for whoever wrote it."],
  refused: ["Refused.", ""],
};

/** Try to hand one report to the centre, and then its picture; what is taken is kept no longer. Never throws. */
export async function deliver(report: Kept, kept: boolean): Promise<Outcome> {
  const outcome = await deliverReport(report, kept);
  if (!outcome.ok || !report.picture) return outcome;
  return deliverPicture({ ...report, taken: true, ...(outcome.alarmId && { alarmId: outcome.alarmId }) }, kept);
}

async function deliverReport(report: Kept, kept: boolean): Promise<Outcome> {
  const body = JSON.stringify({
    id: report.id,
    hazard: report.hazard,
    place: report.place,
    made_at: report.madeAt,
    sent_at: new Date().toISOString(),
    by: report.by,
  });
  const headers = { Accept: "application/json", "Content-Type": "application/json" };
  const answer = await ask("/api/v1/reports", { method: "POST", body, headers }, ANSWER_MS);
  const why = hindrance(answer);
  if (why) {
    const [what, hint] = HINDERED[why];
    const told = { what: answer?.body.what ?? what, hint: answer?.body.hint ?? hint };
    if (why === "refused" && kept) await keep({ ...report, refused: told.what }).catch(() => undefined);
    return { ok: false, taken: false, why, ...(why === "refused" ? told : { what, hint }) };
  }
  const alarmId = answer?.body.alarm_id ?? undefined;
  const waits = report.picture !== undefined && alarmId !== undefined;
  if (kept && waits) await keep({ ...report, taken: true, alarmId }).catch(() => undefined);
  else if (kept) await drop(report.id).catch(() => undefined);
  return { ok: true, taken: true, what: "Reported.", hint: "", ...(alarmId && { alarmId }) };
}

async function deliverPicture(report: Kept, kept: boolean): Promise<Outcome> {
  const done: Outcome = { ok: true, taken: true, what: "Reported.", hint: "", ...(report.alarmId && { alarmId: report.alarmId }) };
  if (!report.picture || !report.alarmId) return done;
  const query = report.region ? `?region=${encodeURIComponent(report.region)}` : "";
  const headers = { Accept: "application/json", "Content-Type": "image/jpeg" };
  const answer = await ask(`/api/v1/reports/${report.id}/picture${query}`, { method: "PUT", body: report.picture, headers }, PICTURE_MS);
  const why = hindrance(answer);
  if (why && why !== "refused") return { ...done, ok: false, what: "Reported. The picture is not sent yet.", hint: "It is kept on this device and sent later.", why };
  if (kept) await drop(report.id).catch(() => undefined);
  return why ? { ...done, hint: `The picture was not taken: ${answer?.body.what ?? "refused"}.` } : done;
}

/** Try all that wait: every report first, then the pictures. Tells what hinders those that are left, if any. */
export async function flush(): Promise<Hindrance | undefined> {
  let left: Hindrance | undefined;
  for (const report of await waiting()) {
    if (report.refused || report.taken) continue;
    const outcome = await deliverReport(report, true);
    if (outcome.why && outcome.why !== "refused") left = outcome.why;
    if (outcome.why === "network" || outcome.why === "signed-out") return left;
  }
  for (const report of await waiting()) {
    if (report.refused || !report.taken) continue;
    const outcome = await deliverPicture(report, true);
    if (outcome.why) return outcome.why;
  }
  return left;
}
