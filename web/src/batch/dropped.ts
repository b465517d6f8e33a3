/** Files from a drop or a dialog, folders opened. */

import type { Named } from "./pairing";

export interface DroppedFile extends Named {
  readonly file: File;
}

export function fromInput(files: readonly File[]): DroppedFile[] {
  return files.map((file) => ({ file, path: file.webkitRelativePath || file.name }));
}

/** Must be called while the drop is being handled: the browser forgets it afterwards. */
export async function fromDrop(transfer: DataTransfer): Promise<{ files: DroppedFile[]; folder: boolean }> {
  const entries = [...transfer.items]
    .map((item) => item.webkitGetAsEntry())
    .filter((entry) => entry !== null);
  const folder = entries.some((entry) => entry.isDirectory);
  if (!folder) return { files: fromInput([...transfer.files]), folder };
  const files: DroppedFile[] = [];
  for (const entry of entries) await collect(entry, files);
  return { files, folder };
}

async function collect(entry: FileSystemEntry, into: DroppedFile[]): Promise<void> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    into.push({ file, path: entry.fullPath.replace(/^\//, "") });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  // A reader hands out at most a hundred entries at a time, and an empty list at the end.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (!some.length) return;
    for (const each of some) await collect(each, into);
  }
}
