/** Line icons on a 24 × 24 grid, drawn for this page. */

const PATHS = {
  brush:
    "M20 4 10.5 13.5M8 12c-2.6 0-4 1.8-4 4.2 0 1.4-.7 2.3-1.5 2.8 3.6 1.4 8.5.7 8.5-3.8A3.2 3.2 0 0 0 8 12Z",
  eraser:
    "m8 20-4.6-4.6a2 2 0 0 1 0-2.8l8.2-8.2a2 2 0 0 1 2.8 0l5.2 5.2a2 2 0 0 1 0 2.8L12 20H8Zm12 0H12M7.5 8.5l8 8",
  lasso:
    "M6.5 14.2C4.4 13 3 11.4 3 9.5 3 6.5 7 4 12 4s9 2.5 9 5.5-4 5.5-9 5.5c-1 0-2-.1-2.9-.3M9.5 16a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0ZM6 18.3C6 20 7.5 21 9 20.5",
  rectangle:
    "M4 6.5A1.5 1.5 0 0 1 5.5 5h13A1.5 1.5 0 0 1 20 6.5v11a1.5 1.5 0 0 1-1.5 1.5h-13A1.5 1.5 0 0 1 4 17.5Z",
  click: "m12 12 8 3-3.5 1.5L15 20l-3-8ZM8 3v3M3 8h3M4.5 4.5l2 2M12.5 3.8 11.5 6M3.8 12.5 6 11.5",
  hand: "M8 12V5.5a1.5 1.5 0 0 1 3 0V11m0-6.5v-1a1.5 1.5 0 0 1 3 0V11m0-5.5a1.5 1.5 0 0 1 3 0V12m0-3.5a1.5 1.5 0 0 1 3 0V15c0 4-2.5 6.5-6.5 6.5-3 0-4.5-1-6-3.5L4.7 13.4a1.5 1.5 0 0 1 2.5-1.6L8 13",
  frame:
    "M7 7h10v10H7ZM12 4V1.5M12 22.5V20M4 12H1.5M22.5 12H20M10.5 3 12 1.5 13.5 3M10.5 21l1.5 1.5 1.5-1.5M3 10.5 1.5 12 3 13.5M21 10.5l1.5 1.5-1.5 1.5",
  undo: "M8 5 4 9l4 4M4 9h10a6 6 0 0 1 0 12h-3",
  redo: "m16 5 4 4-4 4M20 9H10a6 6 0 0 0 0 12h3",
  compare:
    "M12 3v18M5 6h4.5v12H5a1 1 0 0 1-1-1V7a1 1 0 0 1 1-1ZM14.5 6H19a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1h-4.5",
  help: "M9 9a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.2-1.5 2.4M12 17.5v.1M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0Z",
  sun: "M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0ZM12 2v2M12 20v2M4.9 4.9l1.4 1.4M17.7 17.7l1.4 1.4M2 12h2M20 12h2M4.9 19.1l1.4-1.4M17.7 6.3l1.4-1.4",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z",
  close: "m6 6 12 12M18 6 6 18",
  save: "M12 4v11m0 0 4.5-4.5M12 15l-4.5-4.5M4 19.5h16",
  open: "M4 19V6a1 1 0 0 1 1-1h4.5l2 2.5H19a1 1 0 0 1 1 1V19a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1Z",
  up: "m6 14.5 6-6 6 6",
  down: "m6 9.5 6 6 6-6",
  trash: "M4 7h16M9 7V4.5h6V7M6 7l1 13h10l1-13M10 11v5M14 11v5",
  check: "m5 12.5 4.5 4.5L19 7.5",
  fill: "M12 3.5 13.8 9l5.7 1.8-5.7 1.8L12 18.5l-1.8-5.9-5.7-1.8L10.2 9ZM19 16.5v4M17 18.5h4",
  panel: "M4 7h10M18 7h2M4 17h2M10 17h10M16 9a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM8 19a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z",
  mask: "M3 12a9 9 0 0 1 18 0 9 9 0 0 1-18 0ZM6 6l12 12M3.5 9.5l11 11M9.5 3.5l11 11",
  picture: "M4 5h16v14H4ZM4 16l4.5-4.5 4 4 3-3L20 17M15.5 9.5v.1",
  batch: "M8 4h12v12M4 8h12v12H4Z",
  dots: "M5 12h.1M12 12h.1M19 12h.1",
} as const;

export type IconName = keyof typeof PATHS;

const SVG = "http://www.w3.org/2000/svg";

export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
