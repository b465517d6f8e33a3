/** The list of keys, made from the table that the keys themselves come from. */

import { type Command, printed } from "./commands";
import { dialog } from "./dialog";
import { h } from "./dom";

const WITH_POINTER: readonly (readonly [string, string])[] = [
  ["Drag", "use the tool"],
  ["Alt + drag", "take off the mask instead"],
  ["Shift + click", "a straight line from the last stroke"],
  ["Space + drag", "move the picture"],
  ["Wheel, two fingers", "zoom and move"],
];

const WITHOUT_POINTER: readonly (readonly [string, string])[] = [
  ["Arrows", "move the cursor on the picture"],
  ["Shift + arrows", "in larger steps"],
  ["Space", "put the tool down, and lift it"],
  ["1 … 8, arrows", "look at a variant"],
];

export function helpDialog(commands: readonly Command[]): () => void {
  const groups = [...new Set(commands.map((command) => command.group))];
  const element = dialog(
    "Keys",
    [
      h("div", { class: "key-groups" }, [
        ...groups.map((group) =>
          list(
            group,
            commands
              .filter((command) => command.group === group)
              .map((command) => [command.keys.map(printed), command.words] as const),
          ),
        ),
        list(
          "With a pointer",
          WITH_POINTER.map(([key, words]) => [[key], words] as const),
        ),
        list(
          "Without one",
          WITHOUT_POINTER.map(([key, words]) => [[key], words] as const),
        ),
      ]),
    ],
    { class: "wide" },
  );
  return () => element.showModal();
}

function list(title: string, lines: readonly (readonly [readonly string[], string])[]): HTMLElement {
  return h("section", {}, [
    h("h3", {}, [title]),
    h(
      "dl",
      {},
      lines.map(([keys, words]) =>
        h("div", {}, [
          h(
            "dt",
            {},
            keys.map((key) => h("kbd", {}, [key])),
          ),
          h("dd", {}, [words]),
        ]),
      ),
    ),
  ]);
}
