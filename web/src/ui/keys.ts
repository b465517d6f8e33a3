/** From key presses to commands. */

import type { Editor } from "../editor/editor";
import type { KeyboardPointer } from "../tools/keyboard";
import type { Pointer } from "../tools/pointer";
import { type Command, keyOf } from "./commands";

export class Keys {
  private readonly byKey = new Map<string, Command>();
  private held: Command | undefined;

  constructor(
    private readonly editor: Editor,
    private readonly pointer: Pointer,
    private readonly keyboard: KeyboardPointer,
    private readonly stage: HTMLElement,
    commands: readonly Command[],
  ) {
    for (const command of commands) for (const key of command.keys) this.byKey.set(key, command);
    addEventListener("keydown", (event) => this.down(event));
    addEventListener("keyup", (event) => this.up(event));
    addEventListener("blur", () => this.release());
  }

  private down(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.altKey || document.querySelector("dialog[open]")) return;
    const target = event.target as HTMLElement;
    if (this.onStage(event, target)) {
      event.preventDefault();
      return;
    }
    const key = keyOf(event);
    const command = this.byKey.get(key);
    if (!command || !(command.always || this.editor.project) || this.takes(target, key)) return;
    event.preventDefault();
    if (event.repeat && (command.release || command.group === "Tools")) {
      if (!/^[[\]]$/.test(key)) return;
    }
    if (command.release) this.held = command;
    command.act();
  }

  /** Arrows and Space belong to the picture when it has the focus. */
  private onStage(event: KeyboardEvent, target: HTMLElement): boolean {
    if (!this.editor.project || event.ctrlKey || event.metaKey) return false;
    if (target !== this.stage && target !== document.body) return false;
    if (event.key === " ") {
      if (event.repeat) return true;
      // With a pointer on the picture Space means the hand, without one it is the pointer's button.
      if (this.usesPointer) {
        this.pointer.panning = true;
        this.pointer.refresh();
      } else this.keyboard.toggle();
      return true;
    }
    if (this.editor.compare === "slider" && /^Arrow(Left|Right)$/.test(event.key)) {
      this.editor.setDivide(this.editor.divide + (event.key === "ArrowLeft" ? -0.02 : 0.02));
      return true;
    }
    return this.keyboard.arrow(event.key, event.shiftKey);
  }

  private get usesPointer(): boolean {
    return this.stage.matches(":hover") && this.stage.dataset.keys !== "on";
  }

  /** A control that has the focus keeps the keys that it understands. */
  private takes(target: HTMLElement, key: string): boolean {
    if (key === "Escape" || key.startsWith("Ctrl+"))
      return target.matches("input[type=text], textarea") && key !== "Escape" && !/[so]$/.test(key);
    if (target.matches("textarea, input:not([type=range]):not([type=checkbox]):not([type=radio]), select"))
      return true;
    return key === "Enter" && target.matches("button, a, summary, input[type=checkbox]");
  }

  private up(event: KeyboardEvent): void {
    if (event.key === " " && this.pointer.panning) {
      this.pointer.panning = false;
      this.pointer.refresh();
    }
    if (this.held?.keys.includes(keyOf(event))) this.release();
  }

  private release(): void {
    this.held?.release?.();
    this.held = undefined;
  }
}
