/** Things that one waits for: one at a time, with progress, a way to stop, and a notice if they fail. */

import * as api from "../net/api";
import { CancelledError, follow, isJob } from "../net/jobs";
import type { Job, Project } from "../net/types";
import type { Editor } from "./editor";
import type { Notices } from "./notices";

export class Waiting {
  constructor(
    private readonly editor: Editor,
    private readonly notices: Notices,
  ) {}

  /** Run something that one waits for; one at a time. Returns undefined if it failed or was cancelled. */
  async working<T>(
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

  progress(words: string, share: number | undefined, cancel: (() => void) | undefined): void {
    const since = this.editor.work?.since ?? performance.now();
    this.editor.setWork({ words, share, since, cancel });
  }

  /** Follow a job to its end; cancelling asks the server to stop it, and waits until it has. */
  follow(job: Job): Promise<Job> {
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
  async settled(answer: Project | Job, id: string): Promise<Project> {
    if (!isJob(answer)) return answer;
    const done = await this.follow(answer);
    return api.project(done.result?.project ?? id);
  }
}
