/** What one does with the steps that the server keeps, and undo, which goes through them and the masks. */

import { paintWire } from "../core/wire";
import * as api from "../net/api";
import { CancelledError } from "../net/jobs";
import type { Job, Project, Step } from "../net/types";
import type { Editor } from "./editor";
import type { Notices } from "./notices";
import type { Waiting } from "./waiting";

export class Steps {
  constructor(
    private readonly editor: Editor,
    private readonly notices: Notices,
    private readonly waiting: Waiting,
  ) {}

  /** Ask for a change of steps and take the project that comes of it; throws if it was refused or cancelled. */
  async apply(ask: () => Promise<Project | Job>): Promise<void> {
    const id = this.editor.project!.id;
    let failure: unknown;
    const project = await this.waiting.working("replaying the steps", async () => {
      try {
        return await this.waiting.settled(await ask(), id);
      } catch (error) {
        failure = error;
        throw error;
      }
    });
    if (project) this.editor.update(project);
    else throw failure ?? new CancelledError();
  }

  async undo(): Promise<void> {
    await this.travel("undo", "undone");
  }

  async redo(): Promise<void> {
    await this.travel("redo", "redone");
  }

  private async travel(way: "undo" | "redo", word: string): Promise<void> {
    if (this.editor.offer) return;
    try {
      const change = await this.editor.history[way]();
      if (change) this.notices.whisper(`${change.label} ${word}`);
    } catch {
      // `working` has shown it.
    }
  }

  private async stepChange(
    label: string,
    step: string,
    there: () => Promise<Project | Job>,
    back: () => Promise<Project | Job>,
  ): Promise<void> {
    const before = { hole: this.editor.hole, sources: this.editor.sources };
    try {
      await this.apply(there);
    } catch {
      return;
    }
    this.editor.history.push({
      label,
      step,
      undo: async () => {
        await this.apply(back);
        this.editor.useMasks(before.hole, before.sources);
      },
      redo: () => this.apply(there),
    });
  }

  async enableStep(step: Step, enabled: boolean): Promise<void> {
    const id = this.editor.project!.id;
    await this.stepChange(
      enabled ? "step on" : "step off",
      step.id,
      () => api.enableStep(id, step.id, enabled),
      () => api.enableStep(id, step.id, !enabled),
    );
  }

  /** Move a step by so many places; the later ones are filled again. */
  async moveStep(step: Step, by: number): Promise<void> {
    const project = this.editor.project!;
    const before = project.steps.map((each) => each.id);
    const from = before.indexOf(step.id);
    const to = from + by;
    if (to < 0 || to >= before.length || by === 0) return;
    const after = before.toSpliced(from, 1).toSpliced(to, 0, step.id);
    await this.stepChange(
      "step moved",
      step.id,
      () => api.orderSteps(project.id, after),
      () => api.orderSteps(project.id, before),
    );
  }

  async deleteStep(step: Step): Promise<void> {
    const project = this.editor.project!;
    try {
      await this.apply(() => api.deleteStep(project.id, step.id));
    } catch {
      return;
    }
    // What the server forgot cannot be undone.
    this.editor.history.forget(step.id);
    this.notices.say("The step is deleted.");
  }

  async markAgain(step: Step): Promise<void> {
    const { editor } = this;
    const answer = await this.waiting.working("fetching the mask", () =>
      api.stepMask(editor.project!.id, step.id),
    );
    const [now, then] = [editor.version, step.version ? editor.project?.versions[step.version] : undefined];
    if (!answer || !now || !then) return;
    // A later step may have made the canvas larger on the left or above.
    const [dx, dy] = [now.origin[0] - then.origin[0], now.origin[1] - then.origin[1]];
    editor.edit("mask of a step", (hole) => paintWire(hole, answer.mask, 1, dx, dy), editor.hole);
  }
}
