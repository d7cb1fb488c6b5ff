// What the page offers about a draft that is not of what there is now.
import { showSides, together } from "./sides.js";

const copyOf = (form, name) => form.querySelector(`template[${name}]`).content.firstElementChild.cloneNode(true);
const listed = (paths) => paths.length > 1 ? `${paths.slice(0, -1).join(", ")} and ${paths.at(-1)}` : paths[0] ?? "";

export function showOlder(places, form, folder, draft, { take, discard }) {
  const shown = copyOf(form, "data-older");
  const [sides, compares] = [shown.querySelector("[data-sides]"), shown.querySelector("[data-compares]")];
  const drafted = Object.entries(draft.files);
  const now = (path) => folder.find(path)?.now ?? { text: "", digest: "" };
  const both = drafted.filter(([path, { was }]) => was !== now(path).digest).map(([path]) => path);
  const others = Object.keys({ ...draft.digests, ...Object.fromEntries(folder.all.map((file) => [file.path, ""])) })
    .filter((path) => !(path in draft.files) && (draft.digests[path] ?? "") !== now(path).digest);
  shown.querySelector("[data-of]").textContent = `${draft.version ? `of version ${draft.version}` : "of an older version"}, last changed on ${new Date(draft.at).toLocaleString()}`;
  shown.querySelector("[data-what]").textContent = [
    both.length ? `${listed(both)} has changed since, and differs in the draft.` : `The draft changes ${listed(drafted.map(([path]) => path))}.`,
    others.length ? `${listed(others)} has changed too, and stays as it is now.` : "",
  ].filter(Boolean).join(" ");
  compares.addEventListener("click", () => {
    sides.hidden = !sides.hidden;
    compares.setAttribute("aria-expanded", String(!sides.hidden));
    sides.replaceChildren();
    if (!sides.hidden) for (const [path, { text, base, removed }] of drafted) showSides(sides, { path, base, now: now(path).text, mine: removed ? "" : text });
  });
  shown.querySelector("[data-takes]").addEventListener("click", () => { shown.remove(); take(); });
  shown.querySelector("[data-discards]").addEventListener("click", () => { shown.remove(); discard(); });
  places.append(shown);
}

// Each file that the draft changes and somebody else has changed since: all sides, and a way on.
export function showConflicts(places, form, folder, changed) {
  places.querySelectorAll("[data-conflicting]").forEach((each) => each.remove());
  for (const file of folder.all.filter((each) => each.conflicts).reverse()) {
    const shown = copyOf(form, "data-conflict");
    shown.dataset.conflicting = "";
    shown.setAttribute("aria-label", `Conflict in ${file.path}`);
    shown.querySelector("[data-path]").textContent = file.path;
    shown.querySelector("[data-what]").textContent = `${file.now.digest ? "was changed" : "was removed"} by somebody else since your draft began. It is committed once you say what shall be.`;
    showSides(shown.querySelector("[data-sides]"), { path: file.path, base: file.base, now: file.now.text, mine: file.removed ? "" : file.text });
    const merge = () => (file.base === undefined || file.removed || !file.now.digest ? null : together(file.base, file.text, file.now.text));
    const merges = shown.querySelector("[data-merges]");
    const settle = (text) => {
      shown.remove();
      if (file.removed && text === file.now.text) file.remover.checked = false;
      file.settle(text);
      if (!file.now.digest && text === file.now.text) file.reset();
      changed();
      file.open()?.focus();
    };
    if (merge() === null) {
      merges.hidden = true;
      shown.querySelector("[data-why]").textContent = file.base === undefined ? "" : "Both changed the same lines: put them together yourself in the editor, then let yours replace it.";
    }
    merges.addEventListener("click", () => settle(merge() ?? file.text));
    shown.querySelector("[data-mine]").addEventListener("click", () => settle(file.text));
    shown.querySelector("[data-theirs]").addEventListener("click", () => settle(file.now.text));
    places.prepend(shown);
  }
}
