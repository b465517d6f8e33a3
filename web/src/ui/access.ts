/** A server that other machines can reach wants its token first. */

import { health, signIn } from "../net/api";
import { ProblemError } from "../net/http";
import { dialog } from "./dialog";
import { field, h } from "./dom";

/** Resolves once the server lets this browser in. */
export async function authorize(): Promise<void> {
  const hash = new URLSearchParams(location.hash.slice(1));
  const token = hash.get("token");
  if (token !== null) {
    hash.delete("token");
    // Out of the address bar and the history at once, whether it is right or not.
    history.replaceState(null, "", hash.size ? `#${hash}` : location.pathname);
    await signIn(token).catch(() => undefined);
  }
  const { token_required, authorized } = await health();
  if (token_required && !authorized) await ask();
}

function ask(): Promise<void> {
  const input = h("input", { type: "password", autocomplete: "current-password", required: true });
  const wrong = h("p", { class: "wrong", role: "alert" });
  const form = h("form", {}, [
    field("Token", input, "lacuna web printed it when it started."),
    wrong,
    h("div", { class: "row end" }, [h("button", { class: "primary" }, ["Go on"])]),
  ]);
  const element = dialog("This server asks for its token", [form], { fixed: true });
  element.showModal();
  return new Promise((resolve) => {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        await signIn(input.value.trim());
        element.remove();
        resolve();
      } catch (error) {
        wrong.textContent = error instanceof ProblemError ? error.problem.detail : "That did not work.";
        input.select();
      }
    });
  });
}
