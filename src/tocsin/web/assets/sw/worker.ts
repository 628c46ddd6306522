// What a service worker has that a page has not: the compiler's libraries for both cannot be used together.

export interface Waiting extends Event {
  waitUntil(work: Promise<unknown>): void;
}

export interface Pushed extends Waiting {
  readonly data: { json(): unknown } | null;
}

export interface Shown extends Notification {
  readonly data: unknown;
}

export interface Clicked extends Waiting {
  readonly notification: Shown;
  readonly action: string;
}

export interface Tab {
  readonly url: string;
  focus(): Promise<Tab>;
  navigate(url: string): Promise<Tab | null>;
}

export interface Worker {
  readonly location: Location;
  readonly registration: ServiceWorkerRegistration;
  readonly clients: {
    matchAll(options: { type: "window"; includeUncontrolled: boolean }): Promise<Tab[]>;
    openWindow(url: string): Promise<Tab | null>;
    claim(): Promise<void>;
  };
  skipWaiting(): Promise<void>;
  addEventListener(type: "push", listener: (event: Pushed) => void): void;
  addEventListener(type: "notificationclick", listener: (event: Clicked) => void): void;
  addEventListener(type: "install" | "activate", listener: (event: Waiting) => void): void;
}

export const worker = globalThis as unknown as Worker;
