/** Small steps on the page's tree. */

export function byId(id: string): HTMLElement | null {
  return document.getElementById(id);
}

/** Elements of server-made HTML; scripts in it never run, and the page's policy forbids them anyway. */
export function parse(html: string): DocumentFragment {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

export function all<T extends Element = HTMLElement>(root: ParentNode, selector: string): T[] {
  return Array.from(root.querySelectorAll<T>(selector));
}

export function setText(element: Element | null, text: string): void {
  if (element && element.textContent !== text) element.textContent = text;
}

/** Storage may be forbidden; the console then only forgets. */
export function remembered(store: "local" | "session", key: string): string | null {
  try {
    return (store === "local" ? localStorage : sessionStorage).getItem(key);
  } catch {
    return null;
  }
}

export function remember(store: "local" | "session", key: string, value: string): void {
  try {
    (store === "local" ? localStorage : sessionStorage).setItem(key, value);
  } catch {
    // Nothing to do: it is a convenience.
  }
}
