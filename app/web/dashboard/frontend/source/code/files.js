// The files of the hook: of each what there is now, what the draft has, and what that was made of.
import { languageOfFile } from "./looks.js";
import { replaceAll, write } from "./write.js";

class HookFile {
  constructor(area, was, tools) {
    Object.assign(this, { area, was, tools, path: area.dataset.file, block: area.closest("[data-block]") });
    this.now = { text: area.dataset.now ?? area.defaultValue, digest: area.dataset.digest };
    this.base = was.value === this.now.digest ? this.now.text : undefined;
    this.remover = this.block?.querySelector("input[type=checkbox]");
    this.block?.addEventListener("toggle", () => this.edit());
    this.block?.querySelector("[data-drops-file]")?.addEventListener("click", () => { this.block.remove(); tools.changed(); });
    this.block?.querySelector("[data-runs-fixture]")?.addEventListener("click", () => tools.runFixture(this.path));
    this.remover?.addEventListener("change", tools.changed);
    if (area.readOnly) return;
    if (!this.block || this.block.open) this.edit();
  }

  // Editors are made as they come into sight: a folder may have many files.
  edit() {
    if (this.view || (this.block && !this.block.open)) return;
    if (this.area.name === "dependencies") this.area.addEventListener("input", this.tools.changed);
    else this.view = write(this.area, this.area.dataset.write ?? languageOfFile(this.path), this.tools.run, this.tools.changed);
  }

  open() {
    if (this.block) this.block.open = true;
    this.edit();
    return this.view;
  }

  get added() { return "added" in (this.block?.dataset ?? {}); }
  get removed() { return this.remover?.checked ?? false; }
  get text() { return this.area.value; }
  set text(text) { if (this.view) replaceAll(this.view, text); else this.area.value = text; }
  get changed() { return this.added || this.removed || this.text !== this.now.text; }
  get conflicts() { return this.changed && this.was.value !== this.now.digest; }

  // The draft is of what there is now, and says `text`.
  settle(text) {
    this.text = text;
    this.was.value = this.now.digest;
    this.base = this.now.text;
  }

  reset() {
    if (this.added) { this.block.remove(); return; }
    if (this.remover) this.remover.checked = false;
    if (this.text !== this.now.text) this.text = this.now.text;
    this.was.value = this.now.digest;
    this.base = this.now.text;
  }
}

export class Folder {
  constructor(form, tools) {
    this.form = form;
    this.tools = tools;
    this.made = new WeakMap();
    this.startAdding();
    this.script = this.find(form.elements.script.dataset.file);
  }

  get all() { return [...this.form.querySelectorAll("textarea[data-file]")].map((area) => this.of(area)); }

  of(area) {
    if (!this.made.has(area)) {
      const was = [...this.form.querySelectorAll("[data-was]")].find((each) => each.dataset.was === area.dataset.file);
      this.made.set(area, new HookFile(area, was, this.tools));
    }
    return this.made.get(area);
  }

  find(path) { return this.all.find((file) => file.path === path); }

  // A problem names a file by its path in the repository, or as scripts are usually called.
  named(place) {
    const found = this.all.filter((file) => file.path === place || place.endsWith(`/${file.path}`));
    return found.sort((a, b) => b.path.length - a.path.length)[0] ?? (["hook.py", "hook.js"].includes(place) ? this.script : undefined);
  }

  add(path, text) {
    const block = this.form.querySelector("[data-new-file]").content.firstElementChild.cloneNode(true);
    const [area, was] = [block.querySelector("textarea"), block.querySelector("[data-was]")];
    block.querySelector("code").textContent = path;
    block.dataset.block = area.dataset.file = was.dataset.was = path;
    area.name = `file:${path}`;
    was.name = `was:${path}`;
    area.setAttribute("aria-label", path);
    area.value = text;
    block.dataset.added = "";
    block.querySelectorAll("[data-path]").forEach((each) => { each.textContent = ` (${path})`; });
    if (!/^fixtures\/.*\.json$/.test(path)) block.querySelector("[data-runs-fixture]")?.remove();
    this.form.querySelector("[data-adding]").before(block);
    return this.of(area);
  }

  startAdding() {
    const adding = this.form.querySelector("[data-adding]");
    if (!adding) return;
    const [input, hint] = [adding.querySelector("[data-new-path]"), adding.querySelector("[data-new-path-hint]")];
    const usual = hint.textContent;
    const add = () => {
      const path = input.value.trim();
      hint.textContent = !path ? "Say which file: a path from the hook's folder." : this.find(path) ? `${path} is there already: change it above.` : usual;
      if (!path || this.find(path)) { input.focus(); return; }
      input.value = "";
      adding.open = false;
      this.add(path, "").open().focus();
      this.tools.changed();
    };
    adding.querySelector("[data-adds-file]").addEventListener("click", add);
    input.addEventListener("keydown", (event) => { if (event.key === "Enter") add(); });
  }
}
