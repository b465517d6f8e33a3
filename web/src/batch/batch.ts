/** Many pictures with their masks: send them, watch the queue, take a zip home. */

import type { Editor } from "../editor/editor";
import type { Notices } from "../editor/notices";
import * as api from "../net/api";
import { ProblemError } from "../net/http";
import type { Batch, BatchItem } from "../net/types";
import { dialog } from "../ui/dialog";
import { button, h, pickFiles, replace, saveLink } from "../ui/dom";
import { icon } from "../ui/icons";
import { counted, seconds } from "../ui/words";
import { type DroppedFile, fromInput } from "./dropped";
import { type Pair, pair } from "./pairing";

/** How often a full queue is asked again, if it does not say itself, in milliseconds. */
const WAIT_FOR_QUEUE = 2000;

const STATES: Readonly<Record<BatchItem["state"], string>> = {
  waiting: "waits",
  running: "at work",
  done: "done",
  failed: "failed",
  cancelled: "cancelled",
};

export class BatchDialog {
  private readonly status = h("p", { role: "status" });
  private readonly table = h("table", { class: "queue" });
  private readonly bar = h("progress", { max: 1, value: 0, "aria-label": "Progress of all pictures" });
  private readonly zip = button({ class: "primary", act: () => this.download() }, [
    icon("save"),
    "Download zip",
  ]);
  private readonly stop = button({ class: "quiet", act: () => void this.cancel() }, ["Cancel all"]);
  private readonly start = h("div", { class: "dropzone" });
  private readonly queue = h("div", { class: "stack" }, []);
  private readonly element: HTMLDialogElement;
  private id: string | undefined;
  private events: EventSource | undefined;
  private sending = false;

  constructor(
    private readonly editor: Editor,
    private readonly notices: Notices,
  ) {
    replace(this.start, [
      h("p", {}, ["Drop a folder of pictures with their masks here."]),
      h("p", { class: "help" }, [
        "A mask is called like its picture: ",
        h("code", {}, ["photo.mask.png"]),
        " beside ",
        h("code", {}, ["photo.jpg"]),
        ", or ",
        h("code", {}, ["masks/photo.png"]),
        ". White is filled. The method and settings of the editor are used.",
      ]),
      h("div", { class: "row centre" }, [
        button({ class: "primary", act: () => void this.pick(true) }, [icon("open"), "Choose a folder"]),
        button({ class: "quiet", act: () => void this.pick(false) }, ["Choose files"]),
      ]),
    ]);
    replace(this.queue, [
      h("div", { class: "row" }, [this.status, h("div", { class: "row end" }, [this.stop, this.zip])]),
      this.bar,
      h("div", { class: "scroll" }, [this.table]),
    ]);
    this.queue.hidden = true;
    this.element = dialog("Many pictures", [this.start, this.queue], { class: "wide" });
  }

  open(): void {
    if (!this.element.open) this.element.showModal();
  }

  private async pick(folder: boolean): Promise<void> {
    const files = await pickFiles(folder ? "" : "image/*", { folder, many: true });
    if (files.length) await this.take(fromInput(files));
  }

  /** Begin with these files; what has no mask is named and left out. */
  async take(files: readonly DroppedFile[]): Promise<void> {
    this.open();
    if (this.sending || this.id) {
      this.notices.say("One batch at a time: download or cancel this one first.");
      return;
    }
    const { pairs, alone } = pair(files);
    if (!pairs.length) {
      this.notices.advise(
        alone.length
          ? `${counted(alone.length, "picture")}, and no mask for any of them.`
          : "No pictures in there.",
        "A mask for photo.jpg is called photo.mask.png, or lies in a folder masks as photo.png.",
      );
      return;
    }
    const most = this.editor.limits?.max_batch ?? pairs.length;
    const sent = pairs.slice(0, most);
    if (sent.length < pairs.length)
      this.notices.advise(`Only the first ${most} are taken.`, "Send the rest as another batch.");
    if (alone.length) this.notices.say(`${counted(alone.length, "picture")} without a mask left out.`);
    await this.run(sent);
  }

  private async run(pairs: readonly Pair<DroppedFile>[]): Promise<void> {
    this.start.hidden = true;
    this.queue.hidden = false;
    this.sending = true;
    try {
      const batch = await api.startBatch(this.editor.settings, pairs.length);
      this.id = batch.id;
      this.show(batch, pairs.length);
      this.watch(batch.id, pairs.length);
      for (const each of pairs) {
        if (this.id !== batch.id) return;
        await this.add(batch.id, each);
      }
    } catch (error) {
      this.notices.show(error);
    } finally {
      this.sending = false;
      if (this.id) this.watch(this.id, pairs.length);
      else this.reset();
    }
  }

  /** Send one picture; a full queue is waited for, any other problem is that of this picture alone. */
  private async add(id: string, { image, mask }: Pair<DroppedFile>): Promise<void> {
    while (this.id === id) {
      try {
        await api.addToBatch(id, image.file, mask.file);
        return;
      } catch (error) {
        if (!(error instanceof ProblemError) || error.problem.status !== 429) {
          this.notices.show(error);
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, WAIT_FOR_QUEUE));
      }
    }
  }

  private watch(id: string, expected: number): void {
    this.events?.close();
    const events = new EventSource(api.batchEventsUrl(id));
    this.events = events;
    const read = (event: Event) =>
      this.show(JSON.parse((event as MessageEvent<string>).data) as Batch, expected);
    events.addEventListener("progress", read);
    events.addEventListener("done", (event) => {
      read(event);
      events.close();
    });
  }

  private show(batch: Batch, expected: number): void {
    if (batch.id !== this.id) return;
    const ended = batch.done + batch.failed + batch.cancelled;
    const running = batch.items.reduce((sum, item) => sum + (item.state === "running" ? item.share : 0), 0);
    this.bar.value = (ended + running) / Math.max(1, expected);
    const failed = batch.failed ? `, ${counted(batch.failed, "failure")}` : "";
    this.status.textContent = `${batch.done} of ${counted(expected, "picture")} done${failed}`;
    this.zip.disabled = batch.done === 0 || batch.waiting + batch.running > 0 || this.sending;
    this.stop.textContent = ended >= expected ? "Clear" : "Cancel all";
    replace(this.table, [
      h("thead", {}, [
        h(
          "tr",
          {},
          ["Picture", "State", "Time"].map((words) => h("th", { scope: "col" }, [words])),
        ),
      ]),
      h("tbody", {}, batch.items.map(row)),
    ]);
  }

  private download(): void {
    if (this.id) saveLink(api.batchZipUrl(this.id), "filled.zip");
  }

  private async cancel(): Promise<void> {
    const { id } = this;
    this.reset();
    if (id) await api.dropBatch(id).catch((error: unknown) => this.notices.show(error));
  }

  private reset(): void {
    this.events?.close();
    this.id = undefined;
    this.start.hidden = false;
    this.queue.hidden = true;
  }
}

function row(item: BatchItem): HTMLElement {
  const words = item.state === "failed" ? (item.problem?.detail ?? "failed") : STATES[item.state];
  const changed =
    item.state === "done" && item.known_changed !== null
      ? ` · ${item.known_changed} known pixels changed`
      : "";
  return h("tr", { class: item.state }, [
    h("td", {}, [item.name]),
    h("td", {}, [item.state === "running" ? `${Math.round(item.share * 100)} %` : words + changed]),
    h("td", {}, [item.elapsed ? seconds(item.elapsed) : ""]),
  ]);
}
