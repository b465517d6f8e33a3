/** Elements in one line each. Attributes only: the Content-Security-Policy forbids style attributes. */

export type Child = Node | string;
type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  children: readonly Child[] = [],
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== ""));
  return element;
}

export interface ButtonOptions {
  readonly label?: string;
  /** The key that does the same, for the tooltip and for screen readers. */
  readonly key?: string;
  readonly class?: string;
  readonly act: (event: MouseEvent) => void;
}

export function button(options: ButtonOptions, children: readonly Child[]): HTMLButtonElement {
  const { label, key } = options;
  const title = label && key ? `${label} (${key})` : (label ?? (key ? `Key: ${key}` : undefined));
  const element = h(
    "button",
    {
      type: "button",
      class: options.class,
      "aria-label": label,
      title,
      "aria-keyshortcuts": key && ariaKey(key),
    },
    children,
  );
  element.addEventListener("click", options.act);
  // A click with the mouse leaves the focus on the picture, so that keys go on meaning the same.
  element.addEventListener("mousedown", (event) => event.preventDefault());
  return element;
}

function ariaKey(key: string): string {
  return key.replace("Ctrl", "Control").replaceAll("⇧", "Shift+").replace("Esc", "Escape");
}

let lastId = 0;

export function uniqueId(prefix: string): string {
  lastId++;
  return `${prefix}-${lastId}`;
}

/** A control with its label and, where given, a line of help that screen readers read with it. */
export function field(
  label: string,
  control: HTMLElement,
  help = "",
  beside: Child = "",
  kind = "",
): HTMLElement {
  control.id ||= uniqueId("field");
  const helpId = `${control.id}-help`;
  if (help) control.setAttribute("aria-describedby", helpId);
  return h("div", { class: `field ${kind}` }, [
    h("label", { for: control.id }, [label]),
    h("div", { class: "control" }, [control, beside]),
    help ? h("p", { class: "help", id: helpId }, [help]) : "",
  ]);
}

export function replace(parent: HTMLElement, children: readonly Child[]): void {
  parent.replaceChildren(...children.filter((child) => child !== ""));
}

/** Ask for files with the browser's own dialog. */
export function pickFiles(
  accept: string,
  options: { folder?: boolean; many?: boolean } = {},
): Promise<File[]> {
  const input = h("input", { type: "file", accept, multiple: options.many, webkitdirectory: options.folder });
  // In the document while it is open: browsers forget inputs that are not.
  input.hidden = true;
  document.body.append(input);
  return new Promise<File[]>((resolve) => {
    input.addEventListener("change", () => resolve([...(input.files ?? [])]));
    input.addEventListener("cancel", () => resolve([]));
    input.click();
  }).finally(() => input.remove());
}

export function saveLink(url: string, filename: string): void {
  const link = h("a", { href: url, download: filename });
  link.click();
}
