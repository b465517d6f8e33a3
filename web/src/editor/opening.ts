/** Photos, project files, and projects that are still on the server. */

import * as api from "../net/api";
import { ProblemError } from "../net/http";
import type { Project } from "../net/types";
import type { Editor } from "./editor";
import type { Fills } from "./fills";
import type { Notices } from "./notices";
import type { Waiting } from "./waiting";

export class Opening {
  constructor(
    private readonly editor: Editor,
    private readonly notices: Notices,
    private readonly waiting: Waiting,
    private readonly fills: Fills,
  ) {}

  async openFile(file: File): Promise<boolean> {
    const project = await this.waiting.working(
      `sending ${file.name || "the picture"}`,
      async () => {
        const share = (sent: number) =>
          this.waiting.progress(sent < 1 ? `sending ${file.name}` : "reading the picture", sent, undefined);
        if (!/\.lacuna$/i.test(file.name)) return api.openPhoto(file, share);
        return this.waiting.settled(await api.openProjectFile(file, share), "");
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
    const done = await this.waiting.working("working", async () => this.waiting.follow(await api.job(id)));
    if (done) await this.fills.finish(done);
    else await this.refresh();
  }

  private async refresh(): Promise<void> {
    const id = this.editor.project?.id;
    if (id) this.editor.update(await api.project(id));
  }
}
