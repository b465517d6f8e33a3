/** Masks that the server finds, reads, writes and looks at. */

import { boxOf, type Point } from "../core/geometry";
import { paintWire, toWire } from "../core/wire";
import * as api from "../net/api";
import type { WireMask } from "../net/types";
import type { Editor } from "./editor";
import type { Notices } from "./notices";
import type { Waiting } from "./waiting";

export class Finding {
  constructor(
    private readonly editor: Editor,
    private readonly notices: Notices,
    private readonly waiting: Waiting,
  ) {}

  async detect(what: string, label: string, sensitivity: number): Promise<void> {
    const { editor, notices } = this;
    const id = editor.project?.id;
    if (!id) return;
    const answer = await this.waiting.working(`looking for ${label}`, (signal) =>
      api.detect(id, what, sensitivity, signal),
    );
    if (!answer) return;
    if (!answer.missing) {
      notices.say(`No ${label} found. A higher sensitivity finds more.`);
      return;
    }
    this.take(`find ${label}`, answer.mask, 1);
    const pieces = answer.found?.[what]?.pieces;
    notices.say(`Marked ${pieces === undefined ? label : `${pieces} × ${label}`}. Look before you fill.`);
  }

  async click(points: readonly Point[], value: 0 | 1): Promise<void> {
    const { editor } = this;
    const id = editor.project?.id;
    const [first, last] = [points[0], points.at(-1)];
    if (!id || !first || !last) return;
    const box = boxOf(first, last);
    const asBox = box.right - box.left >= 3 && box.bottom - box.top >= 3;
    const answer = await this.waiting.working("finding the outline", (signal) =>
      api.click(
        id,
        {
          points: asBox ? [] : [[first.x, first.y]],
          without: [],
          box: asBox ? [box.left, box.top, box.right - box.left, box.bottom - box.top] : null,
        },
        signal,
      ),
    );
    if (answer) this.take("click", answer.mask, value);
  }

  async importMask(file: File): Promise<void> {
    const { editor, notices } = this;
    const id = editor.project?.id;
    if (!id) return;
    const answer = await this.waiting.working("reading the mask", () => api.importMask(id, file, false));
    if (!answer) return;
    this.take("import", answer.mask, 1);
    for (const note of answer.notes ?? []) notices.say(note);
  }

  async exportMask(): Promise<Blob | undefined> {
    const { editor } = this;
    return this.waiting.working("writing the mask", () =>
      api.exportMask(editor.project!.id, toWire(editor.mask)),
    );
  }

  async checkMask(): Promise<void> {
    const { editor, notices } = this;
    const id = editor.project?.id;
    if (!id) return;
    const findings = await this.waiting.working("looking at the mask", () =>
      api.checkMask(id, toWire(editor.hole)),
    );
    if (findings?.length === 0) notices.say("Nothing looks wrong with the mask.");
    for (const finding of findings ?? []) notices.advise(finding.words, finding.fix);
  }

  private take(label: string, mask: WireMask, value: 0 | 1): void {
    this.editor.edit(label, (into) => paintWire(into, mask, value));
  }
}
