/** Fields that are made from a method's typed options; only what differs from the default is sent. */

import type { Editor } from "../editor/editor";
import type { OptionSpec, OptionValue } from "../net/types";
import { field, h } from "./dom";

export function optionFields(editor: Editor, specs: readonly OptionSpec[]): HTMLElement[] {
  return specs.map((spec) => {
    const value = editor.settings.options[spec.name];
    const control = controlFor(spec, value === undefined ? spec.default : value);
    control.addEventListener("change", () => {
      const options = { ...editor.settings.options };
      const next = readControl(spec, control);
      if (next === spec.default) delete options[spec.name];
      else options[spec.name] = next;
      editor.set({ options });
    });
    return field(spec.label, control, spec.help);
  });
}

type Control = HTMLInputElement | HTMLSelectElement;

export function controlFor(spec: OptionSpec, value: OptionValue): Control {
  if (spec.type === "bool" && !spec.nullable)
    return h("input", { type: "checkbox", checked: value === true });
  if (spec.type === "choice" || spec.type === "bool") {
    const choices = spec.choices ?? ["true", "false"];
    const automatic = spec.nullable ? [h("option", { value: "" }, ["automatic"])] : [];
    const select = h("select", {}, [
      ...automatic,
      ...choices.map((choice) => h("option", { value: choice }, [choice])),
    ]);
    select.value = value === null ? "" : String(value);
    return select;
  }
  if (spec.type === "str")
    return h("input", {
      type: "text",
      value: value === null ? "" : String(value),
      placeholder: spec.nullable ? "automatic" : "",
    });
  const input = h("input", {
    type: "number",
    step: spec.type === "int" ? 1 : "any",
    min: spec.minimum ?? undefined,
    max: spec.maximum ?? undefined,
    placeholder: spec.nullable ? "automatic" : "",
  });
  input.value = value === null ? "" : String(value);
  return input;
}

/** What a control says, as the option's type; an empty field is automatic, or the default. */
export function readControl(spec: OptionSpec, control: Control): OptionValue {
  if (control.type === "checkbox") return (control as HTMLInputElement).checked;
  const text = control.value.trim();
  if (text === "") return spec.nullable ? null : spec.default;
  if (spec.type === "bool") return text === "true";
  if (spec.type !== "int" && spec.type !== "float") return text;
  const number = Number(text);
  if (!Number.isFinite(number)) return spec.default;
  const inside = Math.min(spec.maximum ?? Infinity, Math.max(spec.minimum ?? -Infinity, number));
  return spec.type === "int" ? Math.round(inside) : inside;
}
