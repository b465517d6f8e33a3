/** What the person asks the server for. All failures end in a notice. */

import type { Editor } from "./editor";
import { Fills } from "./fills";
import { Finding } from "./finding";
import type { Notices } from "./notices";
import { Opening } from "./opening";
import { Steps } from "./steps";
import { Waiting } from "./waiting";

export class Actions {
  readonly steps: Steps;
  readonly fills: Fills;
  readonly finding: Finding;
  readonly opening: Opening;

  constructor(editor: Editor, notices: Notices) {
    const waiting = new Waiting(editor, notices);
    this.steps = new Steps(editor, notices, waiting);
    this.fills = new Fills(editor, notices, waiting, this.steps);
    this.finding = new Finding(editor, notices, waiting);
    this.opening = new Opening(editor, notices, waiting, this.fills);
  }
}
