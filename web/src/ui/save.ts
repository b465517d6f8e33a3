/** Saving: in the photo's own format at once, or in another one, or as a project that can be replayed. */

import type { Editor } from "../editor/editor";
import type { Notices } from "../editor/notices";
import { downloadFacts, downloadUrl, projectFileUrl, type SaveAs } from "../net/api";
import type { FileFacts } from "../net/types";
import { dialog } from "./dialog";
import { button, field, h, replace, saveLink } from "./dom";
import { icon } from "./icons";
import { bytes, counted } from "./words";

const FORMATS = ["PNG", "JPEG", "WEBP", "TIFF", "BMP"] as const;
const LOSSY = new Set(["JPEG", "WEBP"]);
const OWN: SaveAs = { format: "", quality: null };

export class Saving {
  private readonly format = h("select", {});
  private readonly quality = h("input", { type: "number", min: 1, max: 100, placeholder: "as the photo" });
  private readonly qualityField = field("Quality", this.quality, "1 to 100. Left empty: the photo's own.");
  private readonly report = h("div", { class: "report", role: "status" });
  private readonly element: HTMLDialogElement;
  private asked = 0;

  constructor(
    private readonly editor: Editor,
    private readonly notices: Notices,
  ) {
    for (const control of [this.format, this.quality])
      control.addEventListener("change", () => void this.look());
    const download = button({ class: "primary", act: () => void this.saveChosen() }, [
      icon("save"),
      "Download",
    ]);
    download.autofocus = true;
    this.element = dialog("Save", [
      field("Format", this.format),
      this.qualityField,
      this.report,
      h("div", { class: "row end" }, [
        button({ class: "quiet", act: () => this.saveProject() }, ["Project file"]),
        download,
      ]),
      h("p", { class: "help" }, [
        "The project file holds the photo, the masks and the steps; ",
        h("code", {}, ["lacuna replay"]),
        " makes the same picture of it.",
      ]),
    ]);
  }

  /** Straight to the file, in the photo's own format. */
  async save(): Promise<void> {
    const { project } = this.editor;
    if (!project) return;
    try {
      const facts = await downloadFacts(project.id, OWN);
      saveLink(downloadUrl(project.id, OWN), facts.filename);
      this.notices.say(`Saving ${facts.filename}. ${changedWords(facts)}`);
    } catch (error) {
      this.notices.show(error);
    }
  }

  open(): void {
    const { project } = this.editor;
    if (!project) return;
    const own = project.photo.format;
    replace(this.format, [
      h("option", { value: "" }, [`${own}, as the photo`]),
      ...FORMATS.filter((format) => format !== own.toUpperCase()).map((format) =>
        h("option", { value: format }, [format]),
      ),
    ]);
    this.element.showModal();
    void this.look();
  }

  private get choice(): SaveAs {
    const format = this.format.value;
    const lossy = LOSSY.has((format || (this.editor.project?.photo.format ?? "")).toUpperCase());
    this.qualityField.hidden = !lossy;
    const quality = this.quality.valueAsNumber;
    return { format, quality: lossy && quality >= 1 && quality <= 100 ? Math.round(quality) : null };
  }

  /** What the file will be, before it is saved. */
  private async look(): Promise<void> {
    const { project } = this.editor;
    if (!project) return;
    const asked = ++this.asked;
    replace(this.report, [h("p", { class: "help" }, ["Writing it to see what comes out …"])]);
    try {
      const facts = await downloadFacts(project.id, this.choice);
      if (asked !== this.asked) return;
      replace(this.report, [
        h("p", {}, [h("strong", {}, [facts.filename]), ` · ${bytes(facts.bytes)}`]),
        h("p", {}, [changedWords(facts)]),
        facts.notes.length
          ? h(
              "ul",
              { class: "help" },
              facts.notes.map((note) => h("li", {}, [note])),
            )
          : "",
      ]);
    } catch (error) {
      if (asked !== this.asked) return;
      replace(this.report, []);
      this.notices.show(error);
    }
  }

  private async saveChosen(): Promise<void> {
    const { project } = this.editor;
    if (!project) return;
    const choice = this.choice;
    try {
      const facts = await downloadFacts(project.id, choice);
      saveLink(downloadUrl(project.id, choice), facts.filename);
      this.element.close();
    } catch (error) {
      this.notices.show(error);
    }
  }

  private saveProject(): void {
    const { project } = this.editor;
    if (project) saveLink(projectFileUrl(project.id), `${project.name.replace(/\.[^.]*$/, "")}.lacuna`);
  }
}

function changedWords({ changed_known, changed_in_file }: FileFacts): string {
  const array = `${counted(changed_known, "known pixel")} changed`;
  if (changed_in_file === changed_known) return `${array}, also in the file.`;
  return `${array}; ${counted(changed_in_file, "pixel")} in the file, by its compression.`;
}
