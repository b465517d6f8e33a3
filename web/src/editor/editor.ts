/** The state of the page: one project, its masks, the view and the settings of the next fill. */

import { clamp, type Point, type Size } from "../core/geometry";
import { type Edit, TiledMask } from "../core/mask";
import { UndoStack } from "../core/undo";
import { fitted, held, toPicture, type View, zoom } from "../core/view";
import { paintWire, toWire } from "../core/wire";
import type { DetectorSpec, FillSettings, Limits, Margins, MethodSpec, Project, Version } from "../net/types";
import { Emitter } from "./emitter";
import { addRecent, loadMasks, recall, remember, saveMasks } from "./storage";

export type Layer = "hole" | "sources";
export type ToolId = "brush" | "eraser" | "lasso" | "rectangle" | "click" | "hand" | "frame";
export type Compare = "off" | "hold" | "slider";

/** A job or a request that the person waits for. */
export interface Work {
  readonly words: string;
  /** 0 … 1; undefined if nobody knows. */
  readonly share: number | undefined;
  readonly since: number;
  readonly cancel: (() => void) | undefined;
}

export interface Offer {
  readonly job: string;
  readonly variants: readonly { index: number; seed: number; version: string; elapsed: number }[];
  /** Which one the canvas shows. */
  readonly shown: number;
}

export const NO_MARGINS: Margins = { left: 0, top: 0, right: 0, bottom: 0 };
export const MAX_RADIUS = 1000;

const FIRST_SETTINGS: FillSettings = {
  method: "auto",
  options: {},
  prompt: null,
  seed: 0,
  variants: 1,
  blend: "hard",
  feather: 0,
  context: 0.5,
  dilate: 0,
};

export class Editor extends Emitter {
  project: Project | undefined;
  hole = new TiledMask(1, 1);
  sources = new TiledMask(1, 1);
  layer: Layer = "hole";
  tool: ToolId = "brush";
  radius = 20;
  view: View = { scale: 1, x: 0, y: 0 };
  screen: Size = { width: 1, height: 1 };
  compare: Compare = "off";
  /** The slider's place between before (left) and after, 0 … 1 of the screen. */
  divide = 0.5;
  tintShown = true;
  margins: Margins = NO_MARGINS;
  settings: FillSettings = { ...FIRST_SETTINGS, ...recall<Partial<FillSettings>>("settings", {}) };
  work: Work | undefined;
  offer: Offer | undefined;
  methods: readonly MethodSpec[] = [];
  detectors: readonly DetectorSpec[] = [];
  limits: Limits | undefined;
  readonly history = new UndoStack(() => this.emit("undo"));
  private storing: Promise<void> = Promise.resolve();

  /** The version that the canvas shows, a variant on offer included. */
  get version(): Version | undefined {
    const { project, offer } = this;
    if (!project) return undefined;
    const chosen = offer?.variants[offer.shown]?.version;
    return project.versions[chosen ?? project.current] ?? project.versions[project.current];
  }

  get method(): MethodSpec | undefined {
    return this.methods.find((method) => method.name === this.settings.method);
  }

  get mask(): TiledMask {
    return this.layer === "hole" ? this.hole : this.sources;
  }

  get picture(): Size {
    return { width: this.hole.width, height: this.hole.height };
  }

  // --- projects --------------------------------------------------------------------------------------------

  /** Show a project from the start, with the masks that this browser kept for it. */
  async open(project: Project): Promise<void> {
    this.project = project;
    this.offer = undefined;
    this.compare = "off";
    this.margins = NO_MARGINS;
    this.history.clear();
    const { width, height } = this.version!;
    this.hole = new TiledMask(width, height);
    this.sources = new TiledMask(width, height);
    const stored = await loadMasks(project.id);
    if (this.project !== project) return; // closed meanwhile, or another one opened
    if (stored?.width === width && stored.height === height) {
      this.hole.restore(stored.hole);
      this.sources.restore(stored.sources);
    }
    addRecent(project.id, project.name);
    this.fitView();
    // About a thirtieth of what is in sight, whatever the size of the photo.
    const span = Math.min(this.screen.width, this.screen.height) / this.view.scale;
    this.setRadius(Math.max(4, span / 30));
    this.emit("project", "mask", "view", "tool", "offer", "compare", "margins");
  }

  close(): void {
    this.project = undefined;
    this.offer = undefined;
    this.history.clear();
    this.emit("project", "mask", "offer", "compare");
  }

  /** The server's answer after a step was added, switched or moved. */
  update(project: Project): void {
    const before = this.version;
    this.project = project;
    const after = this.version!;
    if (before && (before.width !== after.width || before.height !== after.height)) {
      this.moveMasks(after, after.origin[0] - before.origin[0], after.origin[1] - before.origin[1]);
    }
    this.emit("project");
  }

  /** The canvas became another one: masks keep their place on the photo. */
  private moveMasks(size: Size, dx: number, dy: number): void {
    const moved = (mask: TiledMask): TiledMask => {
      const next = new TiledMask(size.width, size.height);
      next.begin();
      paintWire(next, toWire(mask), 1, dx, dy);
      next.commit();
      return next;
    };
    this.hole = moved(this.hole);
    this.sources = moved(this.sources);
    this.view = {
      ...this.view,
      x: this.view.x - dx * this.view.scale,
      y: this.view.y - dy * this.view.scale,
    };
    this.store();
    this.emit("mask", "view");
  }

  /** Put back the very masks that older entries of the history speak of. */
  useMasks(hole: TiledMask, sources: TiledMask): void {
    if (hole.width !== this.hole.width || hole.height !== this.hole.height) return;
    this.hole = hole;
    this.sources = sources;
    this.maskChanged();
  }

  // --- masks -----------------------------------------------------------------------------------------------

  /** Paint into a mask as one entry of the history; `false` if that changed nothing. */
  edit(label: string, paint: (mask: TiledMask) => void, mask = this.mask): boolean {
    mask.begin();
    paint(mask);
    return this.finishEdit(label, mask);
  }

  /** End the edit that a tool began on `mask`. */
  finishEdit(label: string, mask: TiledMask): boolean {
    const edit: Edit = mask.commit();
    if (edit.size === 0) {
      this.emit("mask");
      return false;
    }
    this.history.push({
      label,
      undo: () => {
        mask.undo(edit);
        this.maskChanged();
      },
      redo: () => {
        mask.redo(edit);
        this.maskChanged();
      },
    });
    this.maskChanged();
    return true;
  }

  maskChanged(): void {
    this.store();
    this.emit("mask");
  }

  private store(): void {
    const { project, hole, sources } = this;
    if (project) this.storing = this.storing.then(() => saveMasks(project.id, hole, sources));
  }

  /** Resolves once the masks are stored. */
  get stored(): Promise<void> {
    return this.storing;
  }

  // --- view ------------------------------------------------------------------------------------------------

  get leastScale(): number {
    return Math.min(1, fitted(this.picture, this.screen, 0).scale) / 4;
  }

  setView(view: View): void {
    this.view = held(view, this.picture, this.screen);
    this.emit("view");
  }

  zoomBy(factor: number, anchor: Point = { x: this.screen.width / 2, y: this.screen.height / 2 }): void {
    this.setView(zoom(this.view, factor, anchor, this.leastScale));
  }

  zoomTo(scale: number): void {
    this.zoomBy(scale / this.view.scale);
  }

  fitView(): void {
    const margin = Math.min(this.screen.width, this.screen.height) * 0.04;
    this.setView(fitted(this.picture, this.screen, margin));
  }

  resize(screen: Size): void {
    const middle = toPicture(this.view, { x: this.screen.width / 2, y: this.screen.height / 2 });
    this.screen = screen;
    if (!this.project) return;
    const { scale } = this.view;
    this.setView({ scale, x: screen.width / 2 - middle.x * scale, y: screen.height / 2 - middle.y * scale });
  }

  // --- tools and settings ----------------------------------------------------------------------------------

  setTool(tool: ToolId): void {
    this.tool = tool;
    this.emit("tool");
  }

  setLayer(layer: Layer): void {
    this.layer = layer;
    this.emit("tool", "mask");
  }

  setRadius(radius: number): void {
    this.radius = clamp(Math.round(radius * 2) / 2, 0.5, MAX_RADIUS);
    this.emit("tool");
  }

  setCompare(compare: Compare): void {
    this.compare = compare;
    this.emit("compare");
  }

  setDivide(divide: number): void {
    this.divide = clamp(divide, 0, 1);
    this.emit("compare");
  }

  setMargins(margins: Margins): void {
    this.margins = margins;
    this.emit("margins");
  }

  set(change: Partial<FillSettings>): void {
    this.settings = { ...this.settings, ...change };
    remember("settings", this.settings);
    this.emit("settings");
  }

  setWork(work: Work | undefined): void {
    this.work = work;
    this.emit("work");
  }

  setOffer(offer: Offer | undefined): void {
    this.offer = offer;
    this.emit("offer");
  }
}
