/** Undo and redo without a limit, for edits of masks and for steps that the server keeps. */

export interface Change {
  readonly label: string;
  /** The server's step that it is about, if it is about one. */
  readonly step?: string;
  undo(): void | Promise<void>;
  redo(): void | Promise<void>;
}

export class UndoStack {
  private done: Change[] = [];
  private undone: Change[] = [];
  private busy = false;

  constructor(private readonly changed: () => void) {}

  /** Remember a change that has been made. */
  push(change: Change): void {
    this.done.push(change);
    this.undone = [];
    this.changed();
  }

  get undoLabel(): string | undefined {
    return this.done.at(-1)?.label;
  }

  get redoLabel(): string | undefined {
    return this.undone.at(-1)?.label;
  }

  undo(): Promise<Change | undefined> {
    return this.move("done", "undone", (change) => change.undo());
  }

  redo(): Promise<Change | undefined> {
    return this.move("undone", "done", (change) => change.redo());
  }

  /** Drop what cannot be made or unmade any more, because the step is gone. */
  forget(step: string): void {
    this.done = this.done.filter((change) => change.step !== step);
    this.undone = this.undone.filter((change) => change.step !== step);
    this.changed();
  }

  clear(): void {
    this.done = [];
    this.undone = [];
    this.changed();
  }

  /** One at a time: a step that the server still works on must be back before the next one is moved. */
  private async move(
    from: "done" | "undone",
    to: "done" | "undone",
    act: (change: Change) => void | Promise<void>,
  ): Promise<Change | undefined> {
    const change = this[from].at(-1);
    if (!change || this.busy) return undefined;
    this.busy = true;
    try {
      await act(change);
      // Only a change that could be made moves; a failure leaves both stacks as they are.
      this[from].pop();
      this[to].push(change);
    } finally {
      this.busy = false;
    }
    this.changed();
    return change;
  }
}
