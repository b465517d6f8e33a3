/** Fills and larger canvases: from the mask to a step, or to variants that one is chosen from. */

import { clear } from "../core/morph";
import { toWire } from "../core/wire";
import * as api from "../net/api";
import type { Job, Margins, Project, Step } from "../net/types";
import { type Editor, NO_MARGINS } from "./editor";
import type { Notices } from "./notices";
import type { Steps } from "./steps";
import type { Waiting } from "./waiting";

export class Fills {
  constructor(
    private readonly editor: Editor,
    private readonly notices: Notices,
    private readonly waiting: Waiting,
    private readonly steps: Steps,
  ) {}

  async fill(): Promise<void> {
    const { editor, notices } = this;
    const project = editor.project;
    if (!project || editor.offer) return;
    if (editor.hole.empty) {
      notices.say("Nothing is marked yet. Brush over what should go, then fill.");
      return;
    }
    const { settings } = editor;
    const variants = editor.method?.random === false ? 1 : settings.variants;
    const sources = editor.sources.empty || !this.takesSources ? null : toWire(editor.sources);
    const done = await this.waiting.working("filling", async () => {
      const mask = toWire(editor.hole);
      return this.waiting.follow(await api.fill(project.id, mask, sources, { ...settings, variants }));
    });
    if (done) await this.finish(done);
  }

  private get takesSources(): boolean {
    return this.editor.method?.takes_sources !== false;
  }

  async outpaint(margins: Margins): Promise<void> {
    const { editor, notices } = this;
    const project = editor.project;
    if (!project || editor.offer) return;
    if (margins.left + margins.top + margins.right + margins.bottom === 0) {
      notices.say("Drag an edge of the frame outwards first.");
      return;
    }
    const done = await this.waiting.working("extending", async () =>
      this.waiting.follow(await api.outpaint(project.id, margins, editor.settings)),
    );
    if (done) await this.finish(done);
  }

  /** A fill is done: take its step, or offer its variants. */
  async finish(job: Job): Promise<void> {
    const { editor, notices } = this;
    const id = job.result?.project ?? editor.project?.id;
    if (!id) return;
    try {
      const project = await api.project(id);
      const variants = job.result?.variants;
      if (variants?.length) {
        editor.update(project);
        editor.setOffer({ job: job.id, variants, shown: 0 });
        notices.whisper(`${variants.length} variants to choose from.`);
        return;
      }
      this.added(project, job.result?.step ?? undefined);
    } catch (error) {
      notices.show(error);
    }
  }

  /** A step was appended: what it filled is no longer marked, and undo brings both back. */
  private added(project: Project, stepId: string | undefined): void {
    const { editor } = this;
    const masks = { hole: editor.hole, sources: editor.sources };
    const step = project.steps.find((each) => each.id === stepId) ?? project.steps.at(-1);
    let cleared: ReturnType<typeof editor.hole.commit> | undefined;
    if (step?.kind === "fill") {
      editor.hole.begin();
      clear(editor.hole);
      cleared = editor.hole.commit();
    }
    editor.setMargins(NO_MARGINS);
    editor.update(project);
    const after = { hole: editor.hole, sources: editor.sources };
    editor.maskChanged();
    if (!step) return;
    editor.history.push({
      label: step.kind === "fill" ? "fill" : "extend",
      step: step.id,
      undo: async () => {
        await this.steps.apply(() => api.enableStep(project.id, step.id, false));
        editor.useMasks(masks.hole, masks.sources);
        if (cleared) masks.hole.undo(cleared);
        editor.maskChanged();
      },
      redo: async () => {
        await this.steps.apply(() => api.enableStep(project.id, step.id, true));
        if (cleared) masks.hole.redo(cleared);
        editor.useMasks(after.hole, after.sources);
        editor.maskChanged();
      },
    });
    this.notices.say(summary(step));
  }

  async chooseVariant(index: number): Promise<void> {
    const { editor } = this;
    const { project, offer } = editor;
    if (!project || !offer) return;
    const chosen = await this.waiting.working(
      "keeping it",
      () => api.choose(project.id, offer.job, index),
      false,
    );
    if (!chosen) return;
    editor.setOffer(undefined);
    this.added(chosen, chosen.steps.at(-1)?.id);
  }

  async dropVariants(): Promise<void> {
    const { editor } = this;
    const { project, offer } = editor;
    if (!project || !offer) return;
    editor.setOffer(undefined);
    // Whether it is dropped now or when it expires makes no difference to the person.
    await api.dropOffer(project.id, offer.job).catch(() => undefined);
  }
}

function summary(step: Step): string {
  const seconds = step.elapsed < 10 ? step.elapsed.toFixed(1) : String(Math.round(step.elapsed));
  const changed = step.known_changed === 1 ? "1 known pixel" : `${step.known_changed} known pixels`;
  return `${step.kind === "fill" ? "Filled" : "Extended"} in ${seconds} s. ${changed} changed.`;
}
