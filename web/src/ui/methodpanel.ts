/** Which method fills, in plain words, and how. */

import type { Editor } from "../editor/editor";
import type { MethodSpec } from "../net/types";
import { field, h, replace } from "./dom";
import { optionFields } from "./options";

export function methodPanel(editor: Editor): HTMLElement {
  const summary = h("summary", {});
  const list = h("div", { class: "methods", role: "radiogroup", "aria-label": "Method" });
  const menu = h("details", { class: "method-menu" }, [summary, list]);
  menu.addEventListener("toggle", () => {
    if (menu.open) menu.scrollIntoView({ block: "start", behavior: "smooth" });
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    event.preventDefault();
    menu.open = false;
    summary.focus();
  });
  const why = h("p", { class: "help why" });
  const prompt = promptField(editor);
  const more = h("div", { class: "stack" });
  const moreDetails = h("details", {}, [h("summary", {}, ["More settings"]), more]);

  const choose = (method: MethodSpec) => {
    editor.set({ method: method.name, options: {}, prompt: null });
    menu.open = false;
    summary.focus();
  };
  const explain = () => {
    const { method, project } = editor;
    // What auto said last says more than what it is.
    const reason = method?.family === "meta" && project?.steps.findLast((step) => step.enabled)?.notes[0];
    why.textContent = reason ? sentence(`last time ${reason}`) : method ? sentence(method.summary) : "";
  };
  editor.on("project", explain);
  let listed: readonly MethodSpec[] = [];
  let shown: MethodSpec | undefined;
  editor.on("settings", () => {
    const { method, methods } = editor;
    if (methods !== listed) {
      listed = methods;
      const here = methods.filter((each) => each.available);
      const others = methods.filter((each) => !each.available);
      replace(list, [
        ...here.map((each) => entry(each, each === method, choose)),
        others.length
          ? h("details", { class: "others" }, [
              h("summary", {}, [`${others.length} more that need something first`]),
              ...others.map((each) => entry(each, false, choose)),
            ])
          : "",
      ]);
    }
    replace(summary, [
      h("span", { class: "method-name" }, [method?.name ?? editor.settings.method]),
      h("span", { class: "tag" }, [method?.speed ?? ""]),
    ]);
    explain();
    prompt.hidden = !method?.takes_prompt;
    for (const radio of list.querySelectorAll("input"))
      radio.checked = radio.value === editor.settings.method;
    // Rebuilt for another method only: a field that one types in must stay.
    if (method !== shown) replace(more, moreFields(editor, method));
    shown = method;
  });
  return h("section", { class: "panel-part" }, [h("h2", {}, ["Method"]), menu, why, prompt, moreDetails]);
}

function entry(method: MethodSpec, chosen: boolean, choose: (method: MethodSpec) => void): HTMLElement {
  const radio = h("input", {
    type: "radio",
    name: "method",
    value: method.name,
    checked: chosen,
    disabled: !method.available,
  });
  radio.addEventListener("click", (event) => {
    // A click with the mouse or Space chooses; arrow keys, which click without a detail, only move along the list.
    if (event.detail > 0) choose(method);
  });
  radio.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      choose(method);
    }
  });
  const lines = method.available
    ? [
        sentence(method.good_at || method.summary),
        method.needs && method.needs !== "nothing else" ? `Needs ${method.needs}.` : "",
      ]
    : [
        sentence(method.good_at || method.summary),
        `Not here: ${method.missing ?? "something is not installed"}.`,
      ];
  return h("label", { class: `method${method.available ? "" : " missing"}` }, [
    radio,
    h("span", { class: "method-name" }, [method.name]),
    h("span", { class: "tag" }, [method.speed]),
    h("span", { class: "help" }, [lines.filter(Boolean).join(" ")]),
  ]);
}

export function sentence(words: string): string {
  const text = words.trim();
  if (!text) return "";
  return `${text[0]!.toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

function promptField(editor: Editor): HTMLElement {
  const text = h("textarea", { rows: 2, placeholder: "what should be there" });
  text.value = editor.settings.prompt ?? "";
  text.addEventListener("input", () => editor.set({ prompt: text.value.trim() || null }));
  return field("Prompt", text);
}

function moreFields(editor: Editor, method: MethodSpec | undefined): HTMLElement[] {
  const { settings } = editor;
  const number = (value: number, min: number, max: number, step: number, take: (value: number) => void) => {
    const input = h("input", { type: "number", min, max, step, value });
    input.addEventListener("change", () => {
      const next = Math.min(max, Math.max(min, input.valueAsNumber || 0));
      input.value = String(next);
      take(next);
    });
    return input;
  };
  const random = method?.random !== false;
  const most = editor.limits?.max_variants ?? 8;
  const blend = h("select", {}, [
    h("option", { value: "hard" }, ["none: exact at the rim"]),
    h("option", { value: "membrane" }, ["membrane: no step in brightness"]),
  ]);
  blend.value = settings.blend;
  blend.addEventListener("change", () =>
    editor.set({ blend: blend.value === "membrane" ? "membrane" : "hard" }),
  );
  return [
    ...(random
      ? [
          h("div", { class: "grid two" }, [
            field(
              "Variants",
              number(settings.variants, 1, most, 1, (variants) => editor.set({ variants })),
            ),
            field(
              "Seed",
              number(settings.seed, 0, 2 ** 31 - 1, 1, (seed) => editor.set({ seed })),
            ),
          ]),
        ]
      : []),
    h("div", { class: "grid two" }, [
      field(
        "Grow first, px",
        number(settings.dilate, 0, 200, 1, (dilate) => editor.set({ dilate })),
      ),
      field(
        "Feather, px",
        number(settings.feather, 0, 100, 1, (feather) => editor.set({ feather })),
      ),
    ]),
    h("p", { class: "help" }, [
      "A feather fades the fill out over known pixels, and so changes them. With 0 none changes.",
    ]),
    field("Blend", blend),
    field(
      "Context",
      number(settings.context, 0, 10, 0.1, (context) => editor.set({ context })),
      "How much around the hole the method sees, in sizes of the hole.",
    ),
    ...(method ? optionFields(editor, method.options) : []),
  ];
}
