/** What the server says, as /api/v1/openapi.json describes it. Boxes are [left, top, width, height]. */

export type WireBox = readonly [number, number, number, number];

/** Runs in reading order inside a rectangle, beginning with known pixels; outside all is known. */
export interface WireMask {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly counts: readonly number[];
}

export interface Problem {
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly fix: string;
}

export interface Health {
  readonly version: string;
  readonly token_required: boolean;
  readonly authorized: boolean;
}

export interface Limits {
  readonly max_pixels: number;
  readonly max_bytes: number;
  readonly max_batch: number;
  readonly max_variants: number;
  readonly expiry_seconds: number;
}

export type OptionValue = number | string | boolean | null;

export interface OptionSpec {
  readonly name: string;
  readonly label: string;
  readonly type: "int" | "float" | "bool" | "str" | "choice";
  readonly nullable: boolean;
  readonly default: OptionValue;
  readonly minimum: number | null;
  readonly maximum: number | null;
  readonly choices: readonly string[] | null;
  readonly help: string;
}

export interface MethodSpec {
  readonly name: string;
  readonly family: string;
  readonly summary: string;
  readonly reference: string;
  readonly available: boolean;
  readonly missing: string | null;
  readonly needs: string;
  readonly speed: string;
  readonly good_at: string;
  readonly takes_prompt: boolean;
  readonly takes_sources: boolean;
  readonly random: boolean;
  readonly options: readonly OptionSpec[];
}

export interface DetectorSpec {
  readonly name: string;
  readonly label: string;
  readonly help: string;
}

export interface Photo {
  readonly width: number;
  readonly height: number;
  readonly format: string;
  readonly depth: string;
  readonly alpha: boolean;
  readonly icc: boolean;
  readonly notes: readonly string[];
}

export interface Version {
  readonly key: string;
  readonly parent: string | null;
  readonly width: number;
  readonly height: number;
  readonly levels: number;
  readonly tile: number;
  /** What differs from the parent; null is everything. */
  readonly box: WireBox | null;
  /** Where the photo's corner lies on this canvas. */
  readonly origin: readonly [number, number];
}

export interface Margins {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface Step {
  readonly id: string;
  readonly kind: "fill" | "outpaint";
  readonly method: string;
  readonly chosen: string | null;
  readonly seed: number;
  readonly margins: Margins | null;
  readonly enabled: boolean;
  readonly version: string | null;
  readonly missing: number;
  readonly known_changed: number;
  readonly elapsed: number;
  readonly notes: readonly string[];
  readonly box: WireBox;
}

export interface Project {
  readonly id: string;
  readonly name: string;
  readonly revision: number;
  readonly expires: number;
  readonly photo: Photo;
  readonly original: string;
  readonly current: string;
  readonly versions: Readonly<Record<string, Version>>;
  readonly steps: readonly Step[];
  readonly changed_known: number;
  readonly known: number;
  readonly pending: { readonly job: string } | null;
  /** Variants that wait for a choice, by job. */
  readonly offers: Readonly<Record<string, readonly Variant[]>>;
}

export interface Variant {
  readonly index: number;
  readonly seed: number;
  readonly version: string;
  readonly elapsed: number;
  readonly notes: readonly string[];
}

export interface JobResult {
  readonly project?: string;
  readonly step?: string | null;
  readonly variants?: readonly Variant[] | null;
}

export interface Job {
  readonly id: string;
  readonly kind: string;
  readonly state: "waiting" | "running" | "done" | "failed" | "cancelled";
  readonly share: number;
  readonly words: string;
  readonly position: number;
  readonly elapsed: number;
  readonly result: JobResult | null;
  readonly problem: Problem | null;
}

export interface FillSettings {
  readonly method: string;
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly prompt: string | null;
  readonly seed: number;
  readonly variants: number;
  readonly blend: "hard" | "membrane";
  readonly feather: number;
  readonly context: number;
  readonly dilate: number;
}

export interface MaskAnswer {
  readonly mask: WireMask;
  readonly missing: number;
  readonly notes?: readonly string[];
  readonly found?: Readonly<Record<string, { readonly pieces: number; readonly pixels: number }>>;
}

export interface Finding {
  readonly code: string;
  readonly words: string;
  readonly fix: string;
  readonly dilate?: number | null;
}

export interface FileFacts {
  readonly filename: string;
  readonly format: string;
  readonly bytes: number;
  readonly changed_known: number;
  readonly known: number;
  readonly changed_in_file: number;
  readonly notes: readonly string[];
}

export interface BatchItem {
  readonly index: number;
  readonly name: string;
  readonly state: Job["state"];
  readonly share: number;
  readonly words: string;
  readonly problem: Problem | null;
  readonly known_changed: number | null;
  readonly elapsed: number | null;
}

export interface Batch {
  readonly id: string;
  readonly waiting: number;
  readonly running: number;
  readonly done: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly items: readonly BatchItem[];
}
