/** The calls that the page makes, one function each. */

import { get, ROOT, request, send, upload } from "./http";
import type {
  Batch,
  BatchItem,
  DetectorSpec,
  FileFacts,
  FillSettings,
  Finding,
  Health,
  Job,
  Limits,
  Margins,
  MaskAnswer,
  MethodSpec,
  Project,
  WireBox,
  WireMask,
} from "./types";

export const health = () => get<Health>("/health");
export const limits = () => get<Limits>("/limits");
export const signIn = (token: string) => send<void>("POST", "/session", { token });
export const methods = async () => (await get<{ methods: MethodSpec[] }>("/methods")).methods;
export const detectors = async () => (await get<{ detectors: DetectorSpec[] }>("/detectors")).detectors;

const at = (project: string, rest = "") => `/projects/${encodeURIComponent(project)}${rest}`;

export function openPhoto(file: File, onShare: (share: number) => void): Promise<Project> {
  const form = new FormData();
  form.append("image", file, file.name || "pasted.png");
  return upload<Project>("/projects", form, onShare);
}

/** A project file; the answer is the project, or a job that replays its steps. */
export function openProjectFile(file: File, onShare: (share: number) => void): Promise<Project | Job> {
  const form = new FormData();
  form.append("file", file, file.name);
  return upload<Project | Job>("/projects/import", form, onShare);
}

export const project = (id: string) => get<Project>(at(id));

export function tileUrl(id: string, version: string, level: number, x: number, y: number): string {
  return `${ROOT}${at(id)}/tiles/${version}/${level}/${x}/${y}`;
}

export function cropUrl(id: string, version: string, size: number, box?: WireBox): string {
  return `${ROOT}${at(id)}/crop/${version}?size=${size}${box ? `&box=${box.join(",")}` : ""}`;
}

export const projectFileUrl = (id: string) => `${ROOT}${at(id, "/file")}`;

export interface SaveAs {
  readonly format: string;
  readonly quality: number | null;
}

function saveQuery(as: SaveAs): string {
  const query = new URLSearchParams();
  if (as.format) query.set("format", as.format);
  if (as.quality !== null) query.set("quality", String(as.quality));
  return query.size ? `?${query}` : "";
}

export const downloadUrl = (id: string, as: SaveAs) => `${ROOT}${at(id, "/download")}${saveQuery(as)}`;
export const downloadFacts = (id: string, as: SaveAs) =>
  get<FileFacts>(at(id, `/download/facts${saveQuery(as)}`));

export function fill(
  id: string,
  mask: WireMask,
  sources: WireMask | null,
  settings: FillSettings,
): Promise<Job> {
  const form = new FormData();
  form.append("mask_rle", JSON.stringify(mask));
  if (sources) form.append("sources_rle", JSON.stringify(sources));
  form.append("settings", JSON.stringify(settings));
  return send<Job>("POST", at(id, "/fills"), form);
}

export const choose = (id: string, job: string, variant: number) =>
  send<Project>("POST", at(id, `/fills/${job}/choose`), { variant });
export const dropOffer = (id: string, job: string) => request(at(id, `/fills/${job}`), { method: "DELETE" });

export function outpaint(id: string, margins: Margins, settings: FillSettings): Promise<Job> {
  const { method, options, prompt, seed, blend, context } = settings;
  return send<Job>("POST", at(id, "/outpaint"), {
    ...margins,
    method,
    options,
    prompt,
    seed,
    blend,
    context,
  });
}

export const enableStep = (id: string, step: string, enabled: boolean) =>
  send<Project | Job>("PATCH", at(id, `/steps/${step}`), { enabled });
export const deleteStep = (id: string, step: string) =>
  send<Project | Job>("DELETE", at(id, `/steps/${step}`), undefined);
export const orderSteps = (id: string, order: readonly string[]) =>
  send<Project | Job>("PUT", at(id, "/steps"), { order });
export const stepMask = (id: string, step: string) => get<MaskAnswer>(at(id, `/steps/${step}/mask`));

export const detect = (id: string, what: string, sensitivity: number, signal: AbortSignal) =>
  send<MaskAnswer>("POST", at(id, "/detect"), { what: [what], sensitivity }, signal);

export interface ClickPoints {
  readonly points: readonly (readonly [number, number])[];
  readonly without: readonly (readonly [number, number])[];
  readonly box: WireBox | null;
}

export const click = (id: string, points: ClickPoints, signal: AbortSignal) =>
  send<MaskAnswer>("POST", at(id, "/click"), points, signal);

export async function checkMask(id: string, mask: WireMask): Promise<Finding[]> {
  const form = new FormData();
  form.append("mask_rle", JSON.stringify(mask));
  return (await send<{ findings: Finding[] }>("POST", at(id, "/check"), form)).findings;
}

export function importMask(id: string, file: File, resize: boolean): Promise<MaskAnswer> {
  const form = new FormData();
  form.append("mask", file, file.name);
  form.append("resize", String(resize));
  return send<MaskAnswer>("POST", at(id, "/mask"), form);
}

export async function exportMask(id: string, mask: WireMask): Promise<Blob> {
  const form = new FormData();
  form.append("mask_rle", JSON.stringify(mask));
  return (await request(at(id, "/mask.png"), { method: "POST", body: form })).blob();
}

export const job = (id: string) => get<Job>(`/jobs/${id}`);
export const cancelJob = (id: string) => send<Job>("DELETE", `/jobs/${id}`, undefined);
export const eventsUrl = (id: string) => `${ROOT}/jobs/${id}/events`;

export function startBatch({ variants: _, ...settings }: FillSettings, count: number): Promise<Batch> {
  return send<Batch>("POST", "/batches", { settings, count });
}

export function addToBatch(id: string, image: File, mask: File): Promise<BatchItem> {
  const form = new FormData();
  form.append("image", image, image.name);
  form.append("mask", mask, mask.name);
  form.append("name", image.name);
  return send<BatchItem>("POST", `/batches/${id}/items`, form);
}

export const batch = (id: string) => get<Batch>(`/batches/${id}`);
export const dropBatch = (id: string) => request(`/batches/${id}`, { method: "DELETE" });
export const batchEventsUrl = (id: string) => `${ROOT}/batches/${id}/events`;
export const batchZipUrl = (id: string) => `${ROOT}/batches/${id}/zip`;
