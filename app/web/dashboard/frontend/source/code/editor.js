// The editor: drafts are kept in this browser until they are saved; what is wrong stands on its line.
import { keepDraft } from "./drafts.js";
import { Folder } from "./files.js";
import { mark } from "./marks.js";
import { startPayloads } from "./payloads.js";
import { startProgress } from "./progress.js";
import { write } from "./write.js";

export function startEditor(form) {
  let draft, only;
  const run = () => form.querySelector("[data-run]")?.click();
  const changed = () => draft?.changed();
  const runFixture = (path) => { only = path; form.querySelector("[data-runs-fixtures]").click(); };
  const folder = new Folder(form, { run, changed, runFixture });
  const payload = write(form.elements.payload, "json", run, () => {});
  draft = keepDraft(form, folder);
  const refusal = document.querySelector("[data-refusal]");
  if (refusal) mark(folder, payload, refusal);
  const payloads = startPayloads(form, payload);
  startProgress(form);
  form.addEventListener("htmx:configRequest", ({ detail }) => {
    if (only) detail.parameters.only = only;
    only = undefined;
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
    // Enter in a field of a dialog that is closed, or beside one, saves nothing.
    else if (event.key === "Enter" && event.target.matches("input") && !event.target.closest("dialog")) event.preventDefault();
  });
  form.querySelector("[data-opens=commit]")?.addEventListener("click", () => listChanges(form, folder));
  form.addEventListener("submit", () => draft.saved());
  document.getElementById("result").addEventListener("htmx:afterSwap", (event) => {
    mark(folder, payload, event.target);
    payloads.ran();
    event.target.querySelector("[data-fixture]")?.addEventListener("click", ({ currentTarget: button }) => {
      folder.add(button.dataset.path, button.dataset.fixture).open().focus();
      button.disabled = true;
      draft.changed();
    });
  });
  form.querySelector("[data-copy-draft]")?.addEventListener("click", async (event) => {
    await navigator.clipboard.writeText(form.elements.script.value);
    event.target.textContent = "Copied";
  });
  form.querySelector("[data-download-draft]")?.addEventListener("click", (event) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([form.elements.script.value], { type: "text/plain" }));
    link.download = event.target.dataset.downloadDraft;
    link.click();
    URL.revokeObjectURL(link.href);
  });
}

// Before a commit one sees what will be in it, or why there is nothing.
function listChanges(form, folder) {
  const [changes, unchanged] = [form.querySelector("[data-changes]"), form.querySelector("[data-unchanged]")];
  if (!changes) return;
  const changed = folder.all.filter((file) => file.changed);
  changes.hidden = !changed.length;
  unchanged.hidden = !changes.hidden;
  form.querySelector("#commit [data-saves]").disabled = changes.hidden;
  changes.querySelector("[data-listed]").replaceChildren(...changed.flatMap((file, place) => {
    const name = Object.assign(document.createElement("code"), { textContent: file.path });
    return [place ? ", " : "", name, file.removed ? " (removed)" : file.now.digest ? "" : " (added)"];
  }));
}
