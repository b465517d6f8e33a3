/** Short messages at the edge of the screen; all of them are read out, errors at once. */

import { ProblemError } from "../net/http";
import { button, h } from "../ui/dom";
import { icon } from "../ui/icons";

/** How long a message stays, in milliseconds; errors stay until they are closed. */
const STAYS = 6000;
const MOST = 4;

export class Notices {
  readonly element = h("div", { class: "notices" });
  private readonly polite = h("div", { class: "unseen", role: "status", "aria-live": "polite" });

  constructor() {
    this.element.append(this.polite);
    document.addEventListener("close", () => this.surface(), true);
  }

  /** Everything outside of an open dialog is out of reach, for eyes and for screen readers. */
  private surface(): void {
    const host = document.querySelector("dialog[open]") ?? document.body;
    if (this.element.parentElement !== host) host.append(this.element);
  }

  /** Only for screen readers: what everybody else sees anyway. */
  whisper(words: string): void {
    this.surface();
    this.polite.textContent = words;
  }

  say(words: string): void {
    this.whisper(words);
    const note = this.add("note", words);
    setTimeout(() => note.remove(), STAYS);
  }

  /** Something that deserves a second look, and what to do. */
  advise(words: string, fix: string): void {
    this.whisper(`${words} ${fix}`);
    this.add("advice", words, fix);
  }

  show(error: unknown): void {
    if (error instanceof ProblemError) {
      const { detail, title, fix } = error.problem;
      // The server's sentence ends in the fix as a rule; it is not said twice.
      this.add("error", detail || title, detail.endsWith(fix) ? "" : fix);
    } else {
      console.error(error);
      this.add("error", "Something went wrong in the page.", "Reload it: your mask and steps are kept.");
    }
  }

  private add(kind: "note" | "advice" | "error", words: string, fix = ""): HTMLElement {
    const note = h("div", { class: `notice ${kind}`, ...(kind === "error" ? { role: "alert" } : {}) }, [
      h("p", {}, [h("span", {}, [words]), fix ? h("span", { class: "fix" }, [` ${fix}`]) : ""]),
    ]);
    note.append(
      button({ class: "plain small", label: "Close message", act: () => note.remove() }, [icon("close")]),
    );
    this.surface();
    this.element.append(note);
    const notes = this.element.querySelectorAll(".notice");
    if (notes.length > MOST) notes[0]!.remove();
    return note;
  }
}
