/** Masks and settings that survive a reload: masks in IndexedDB, small things in localStorage. */

import type { Snapshot, TiledMask } from "../core/mask";

const DATABASE = "lacuna";
const STORE = "masks";

export interface StoredMasks {
  readonly width: number;
  readonly height: number;
  readonly hole: Snapshot;
  readonly sources: Snapshot;
  readonly saved: number;
}

function database(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
}

async function inStore<T>(
  mode: IDBTransactionMode,
  act: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T | undefined> {
  // A browser in private mode may refuse to store anything: the editor works without.
  try {
    const opened = await database();
    return await new Promise<T>((resolve, reject) => {
      const request = act(opened.transaction(STORE, mode).objectStore(STORE));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    }).finally(() => opened.close());
  } catch {
    return undefined;
  }
}

export async function saveMasks(project: string, hole: TiledMask, sources: TiledMask): Promise<void> {
  const stored: StoredMasks = {
    width: hole.width,
    height: hole.height,
    hole: hole.snapshot(),
    sources: sources.snapshot(),
    saved: Date.now(),
  };
  await inStore("readwrite", (store) => store.put(stored, project));
}

export async function loadMasks(project: string): Promise<StoredMasks | undefined> {
  return inStore<StoredMasks>("readonly", (store) => store.get(project));
}

export async function forgetMasks(project: string): Promise<void> {
  await inStore("readwrite", (store) => store.delete(project));
}

export function remember(key: string, value: unknown): void {
  try {
    localStorage.setItem(`lacuna.${key}`, JSON.stringify(value));
  } catch {
    // Full or forbidden: nothing that the person would miss before the next visit.
  }
}

export function recall<T>(key: string, otherwise: T): T {
  try {
    const text = localStorage.getItem(`lacuna.${key}`);
    return text === null ? otherwise : (JSON.parse(text) as T);
  } catch {
    return otherwise;
  }
}

export interface Recent {
  readonly id: string;
  readonly name: string;
  readonly opened: number;
}

const MOST_RECENT = 8;

export const recents = () => recall<Recent[]>("recent", []);

export function addRecent(id: string, name: string): void {
  const others = recents().filter((recent) => recent.id !== id);
  const kept = [{ id, name, opened: Date.now() }, ...others];
  for (const old of kept.splice(MOST_RECENT)) void forgetMasks(old.id);
  remember("recent", kept);
}

export function forgetRecent(id: string): void {
  remember(
    "recent",
    recents().filter((recent) => recent.id !== id),
  );
  void forgetMasks(id);
}
