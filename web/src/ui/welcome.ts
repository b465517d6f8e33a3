/** The first thing that one sees: a place to drop a photo, and what was open before. */

import type { Editor } from "../editor/editor";
import { forgetRecent, type Recent, recents } from "../editor/storage";
import { cropUrl } from "../net/api";
import type { Doors } from "./commands";
import { button, h, replace } from "./dom";
import { icon } from "./icons";
import { ago } from "./words";

const THUMB = 240;

export function welcome(
  editor: Editor,
  doors: Doors,
  openRecent: (id: string) => Promise<void>,
): HTMLElement {
  const before = h("section", { class: "recents", "aria-label": "Opened before" });
  const page = h("main", { class: "welcome" }, [
    h("div", { class: "invitation" }, [
      h("span", { class: "mark", "aria-hidden": "true" }),
      h("h1", {}, ["Take something out of a photo"]),
      h("p", {}, [
        "Drop a photo here, paste one, or choose a file. It stays on this server, and every pixel outside of what you mark stays as it is.",
      ]),
      h("div", { class: "row centre" }, [
        button({ class: "primary large", key: "Ctrl+O", act: doors.open }, [icon("open"), "Open a photo"]),
        button({ class: "quiet large", act: doors.batch }, [icon("batch"), "Many at once"]),
      ]),
    ]),
    before,
  ]);
  const show = () => {
    page.hidden = editor.project !== undefined;
    if (page.hidden) return;
    const list = recents();
    before.hidden = list.length === 0;
    replace(before, [
      h("h2", {}, ["Opened before"]),
      h(
        "ul",
        {},
        list.map((recent) => entry(recent, openRecent, show)),
      ),
    ]);
  };
  editor.on("project", show);
  show();
  return page;
}

function entry(recent: Recent, open: (id: string) => Promise<void>, show: () => void): HTMLElement {
  const picture = h("img", {
    src: cropUrl(recent.id, "current", THUMB),
    alt: "",
    width: 120,
    height: 90,
    loading: "lazy",
  });
  const item = h("li", {}, [
    button({ class: "recent", act: () => void open(recent.id) }, [
      picture,
      h("span", { class: "name" }, [recent.name]),
      h("small", {}, [ago(recent.opened, Date.now())]),
    ]),
    button(
      {
        class: "plain small forget",
        label: `Forget ${recent.name}`,
        act: () => {
          forgetRecent(recent.id);
          show();
        },
      },
      [icon("close")],
    ),
  ]);
  // The server lets projects expire; what cannot be shown cannot be opened.
  picture.addEventListener("error", () => item.classList.add("gone"));
  return item;
}
