/** What the person asks the server for: fills, steps, masks that are found. All failures end in a notice. */

import { boxOf, type Point } from "../core/geometry";
import { clear } from "../core/morph";
import { paintWire, toWire } from "../core/wire";
import * as api from "../net/api";
import { ProblemError } from "../net/http";
import { CancelledError, follow, isJob } from "../net/jobs";
import type { Job, Margins, Project, Step, WireMask } from "../net/types";
import { type Editor, NO_MARGINS } from "./editor";
import type { Notices } from "./notices";

export class Actions {
  constructor(
    private readonly editor: Editor,
    private readonly notices: Notices,
  ) {}

  // --- waiting ---------------------------------------------------------------------------------------------

  /** Run something that one waits for; one at a time. Returns undefined if it failed or was cancelled. */
  private async working<T>(
    words: string,
    act: (signal: AbortSignal) => Promise<T>,
    cancellable = true,
  ): Promise<T | undefined> {
    const { editor, notices } = this;
    if (editor.work) {
      notices.say("One thing at a time: wait for it, or cancel it with Escape.");
      return undefined;
    }
    const controller = new AbortController();
    const cancel = cancellable ? () => controller.abort() : undefined;
    editor.setWork({ words, share: undefined, since: performance.now(), cancel });
    try {
      return await act(controller.signal);
    } catch (error) {
      if (error instanceof CancelledError || controller.signal.aborted) notices.say("Cancelled.");
      else notices.show(error);
      return undefined;
    } finally {
      editor.setWork(undefined);
    }
  }

  private progress(words: string, share: number | undefined, cancel: (() => void) | undefined): void {
    const since = this.editor.work?.since ?? performance.now();
    this.editor.setWork({ words, share, since, cancel });
  }

  /** Follow a job to its end; cancelling asks the server to stop it, and waits until it has. */
  private follow(job: Job): Promise<Job> {
    const cancel = () => {
      this.progress("cancelling", undefined, undefined);
      api.cancelJob(job.id).catch((error: unknown) => this.notices.show(error));
    };
    return follow(job, (now) => {
      if (this.editor.work && !this.editor.work.cancel && this.editor.work.words === "cancelling") return;
      const words = now.state === "waiting" ? `waiting, ${now.position} before it` : now.words || "working";
      this.progress(words, now.state === "running" ? now.share : undefined, cancel);
    });
  }

  /** A project, or a job that makes one: the project in the end. */
  private async settled(answer: Project | Job, id: string): Promise<Project> {
    if (!isJob(answer)) return answer;
    const done = await this.follow(answer);
    return api.project(done.result?.project ?? id);
  }

  // --- opening ---------------------------------------------------------------------------------------------

  async openFile(file: File): Promise<boolean> {
    const project = await this.working(
      `sending ${file.name || "the picture"}`,
      async () => {
        const share = (sent: number) =>
          this.progress(sent < 1 ? `sending ${file.name}` : "reading the picture", sent, undefined);
        if (!/\.lacuna$/i.test(file.name)) return api.openPhoto(file, share);
        return this.settled(await api.openProjectFile(file, share), "");
      },
      false,
    );
    if (!project) return false;
    await this.editor.open(project);
    for (const note of project.photo.notes) this.notices.say(note);
    return true;
  }

  async fetchProject(id: string): Promise<Project | "gone" | "failed"> {
    try {
      return await api.project(id);
    } catch (error) {
      if (error instanceof ProblemError && error.gone) return "gone";
      this.notices.show(error);
      return "failed";
    }
  }

  /** Go on with a project as it stands, with whatever it was waiting for. */
  async openProject(project: Project): Promise<"open"> {
    await this.editor.open(project);
    const [offer] = Object.entries(project.offers);
    if (project.pending) void this.resume(project.pending.job);
    else if (offer) this.editor.setOffer({ job: offer[0], variants: offer[1], shown: 0 });
    return "open";
  }

  /** The page was reloaded while a job ran: go on watching it. */
  private async resume(id: string): Promise<void> {
    const done = await this.working("working", async () => this.follow(await api.job(id)));
    if (done) await this.finish(done);
    else await this.refresh();
  }

  private async refresh(): Promise<void> {
    const id = this.editor.project?.id;
    if (id) this.editor.update(await api.project(id));
  }

  // --- fills -----------------------------------------------------------------------------------------------

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
    const done = await this.working("filling", async () => {
      const mask = toWire(editor.hole);
      return this.follow(await api.fill(project.id, mask, sources, { ...settings, variants }));
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
    const done = await this.working("extending", async () =>
      this.follow(await api.outpaint(project.id, margins, editor.settings)),
    );
    if (done) await this.finish(done);
  }

  /** A fill is done: take its step, or offer its variants. */
  private async finish(job: Job): Promise<void> {
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
        await this.apply(() => api.enableStep(project.id, step.id, false));
        editor.useMasks(masks.hole, masks.sources);
        if (cleared) masks.hole.undo(cleared);
        editor.maskChanged();
      },
      redo: async () => {
        await this.apply(() => api.enableStep(project.id, step.id, true));
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
    const chosen = await this.working("keeping it", () => api.choose(project.id, offer.job, index), false);
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

  // --- steps -----------------------------------------------------------------------------------------------

  /** Ask for a change of steps and take the project that comes of it; throws if it was refused or cancelled. */
  private async apply(ask: () => Promise<Project | Job>): Promise<void> {
    const id = this.editor.project!.id;
    let failure: unknown;
    const project = await this.working("replaying the steps", async () => {
      try {
        return await this.settled(await ask(), id);
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
    const answer = await this.working("fetching the mask", () => api.stepMask(editor.project!.id, step.id));
    const [now, then] = [editor.version, step.version ? editor.project?.versions[step.version] : undefined];
    if (!answer || !now || !then) return;
    // A later step may have made the canvas larger on the left or above.
    const [dx, dy] = [now.origin[0] - then.origin[0], now.origin[1] - then.origin[1]];
    editor.edit("mask of a step", (hole) => paintWire(hole, answer.mask, 1, dx, dy), editor.hole);
  }

  // --- masks that are found --------------------------------------------------------------------------------

  async detect(what: string, label: string, sensitivity: number): Promise<void> {
    const { editor, notices } = this;
    const id = editor.project?.id;
    if (!id) return;
    const answer = await this.working(`looking for ${label}`, (signal) =>
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
    const answer = await this.working("finding the outline", (signal) =>
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
    const answer = await this.working("reading the mask", () => api.importMask(id, file, false));
    if (!answer) return;
    this.take("import", answer.mask, 1);
    for (const note of answer.notes ?? []) notices.say(note);
  }

  async exportMask(): Promise<Blob | undefined> {
    const { editor } = this;
    return this.working("writing the mask", () => api.exportMask(editor.project!.id, toWire(editor.mask)));
  }

  async checkMask(): Promise<void> {
    const { editor, notices } = this;
    const id = editor.project?.id;
    if (!id) return;
    const findings = await this.working("looking at the mask", () => api.checkMask(id, toWire(editor.hole)));
    if (findings?.length === 0) notices.say("Nothing looks wrong with the mask.");
    for (const finding of findings ?? []) notices.advise(finding.words, finding.fix);
  }

  private take(label: string, mask: WireMask, value: 0 | 1): void {
    this.editor.edit(label, (into) => paintWire(into, mask, value));
  }
}

function summary(step: Step): string {
  const seconds = step.elapsed < 10 ? step.elapsed.toFixed(1) : String(Math.round(step.elapsed));
  const changed = step.known_changed === 1 ? "1 known pixel" : `${step.known_changed} known pixels`;
  return `${step.kind === "fill" ? "Filled" : "Extended"} in ${seconds} s. ${changed} changed.`;
}
