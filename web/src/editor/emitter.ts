/** What changed; panels listen to the topics that they show. */

export type Topic =
  | "project" // another picture, or a step more or less
  | "mask"
  | "view"
  | "paint" // what a tool draws, or a stroke that is not finished
  | "tool"
  | "undo"
  | "work" // a job or a request that one waits for
  | "compare"
  | "settings"
  | "offer" // variants to choose from
  | "margins";

export class Emitter {
  private readonly listeners = new Map<Topic, Set<() => void>>();

  on(topics: Topic | readonly Topic[], listener: () => void): void {
    for (const topic of typeof topics === "string" ? [topics] : topics) {
      const known = this.listeners.get(topic) ?? new Set();
      this.listeners.set(topic, known.add(listener));
    }
  }

  emit(...topics: Topic[]): void {
    const called = new Set<() => void>();
    for (const topic of topics) {
      for (const listener of this.listeners.get(topic) ?? []) {
        if (!called.has(listener)) listener();
        called.add(listener);
      }
    }
  }
}
