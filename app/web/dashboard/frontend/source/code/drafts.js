// A draft is kept in this browser, with what it was made from: a draft of an older version is offered
// rather than put in the place of a newer one.
import { addFile } from "./files.js";
import { replaceAll } from "./texts.js";

const WAIT = 400;

export function keepDraft(form, views) {
  const key = `hookledger.draft.${form.dataset.editor}`;
  const original = form.elements.script.value;
  const digest = form.elements.digest?.value ?? "";
  // Files beside the script are plain fields; those that differ are kept too.
  const files = () => [...form.querySelectorAll("[data-file]")];
  const changedFiles = () => Object.fromEntries(files().filter((area) => area.value !== area.defaultValue).map((area) => [area.name, area.value]));
  const state = form.querySelector("[data-draft-state]");
  const forget = form.querySelector("[data-forget]");
  let timer;

  const say = (text, kept) => { state.textContent = text; forget.hidden = !kept; };
  const store = () => {
    const script = form.elements.script.value;
    const others = changedFiles();
    if (script === original && !Object.keys(others).length) { localStorage.removeItem(key); say("", false); return; }
    try {
      localStorage.setItem(key, JSON.stringify({ script, files: others, digest, at: Date.now() }));
      say("Draft kept in this browser", true);
    } catch {
      say("This browser cannot keep the draft", true);
    }
  };

  const kept = read(key);
  if (kept && (kept.script !== original || Object.keys(kept.files ?? {}).length)) {
    replaceAll(views.script, kept.script);
    for (const [name, text] of Object.entries(kept.files ?? {})) {
      if (form.elements[name]) form.elements[name].value = text;
      else if (form.querySelector("[data-new-file]")) addFile(form, name.replace("file:", ""), text);
    }
    say(kept.digest === digest ? "Draft kept in this browser" : "Your draft is of an older version", true);
    clearTimeout(timer);
  }
  forget.addEventListener("click", () => {
    replaceAll(views.script, original);
    form.querySelectorAll("[data-added]").forEach((block) => block.remove());
    for (const area of files()) area.value = area.defaultValue;
    clearTimeout(timer);
    localStorage.removeItem(key);
    say("", false);
  });
  const later = () => { timer = undefined; store(); };
  const changed = () => { clearTimeout(timer); timer = setTimeout(later, WAIT); };
  // Whoever leaves within that time loses nothing.
  addEventListener("pagehide", () => { if (timer) { clearTimeout(timer); later(); } });
  form.addEventListener("input", ({ target }) => { if (target === form || target.matches("[data-file]")) changed(); });
  return {
    changed,
    // The draft goes when the server has taken it, which the page that follows knows (main.js).
    saved() { clearTimeout(timer); timer = undefined; store(); sessionStorage.setItem("hookledger.saved", key); },
  };
}

function read(key) {
  try { return JSON.parse(localStorage.getItem(key)); } catch { return null; }
}
