// A draft is kept in this browser, of each file with what it was made of. One of an older version is
// offered, never put unasked in the place of what there is now.
import { showConflicts, showOlder } from "./offers.js";

const WAIT = 400;

export function keepDraft(form, folder) {
  const key = `hookledger.draft.${form.dataset.editor}`;
  const older = read(`${key}.older`) ?? [];
  const state = form.querySelector("[data-draft-state]");
  const forget = form.querySelector("[data-forget]");
  const fields = [...form.querySelectorAll("[data-kept]")];
  const places = form.querySelector("[data-drafts]");
  let timer;

  const digests = () => Object.fromEntries(folder.all.filter((file) => !file.added).map((file) => [file.path, file.now.digest]));
  const snapshot = () => ({
    at: Date.now(),
    version: form.dataset.version,
    digests: digests(),
    files: Object.fromEntries(folder.all.filter((file) => file.changed).map((file) => [file.path, { text: file.text, was: file.was.value, base: file.base, removed: file.removed }])),
    fields: Object.fromEntries(fields.filter((field) => field.value).map((field) => [field.name, field.value])),
  });
  const say = (text, kept) => { state.textContent = text; forget.hidden = !kept; };
  const store = () => {
    timer = undefined;
    const made = snapshot();
    if (!Object.keys(made.files).length) { localStorage.removeItem(key); say("", false); return; }
    const kept = keep(key, made);
    say(!kept ? "This browser cannot keep the draft" : folder.all.some((file) => file.conflicts) ? "Draft of an older version, kept in this browser" : "Draft kept in this browser", true);
  };
  const apply = (draft) => {
    for (const [path, { text, was, base, removed }] of Object.entries(draft.files)) {
      const file = folder.find(path) ?? (removed || !form.querySelector("[data-adding]") ? undefined : folder.add(path, ""));
      if (!file) continue;
      if (file.text !== text) file.text = text;
      file.was.value = was;
      file.base = base;
      if (removed && file.remover) file.remover.checked = true;
    }
    for (const field of fields) field.value ||= draft.fields[field.name] ?? "";
  };
  const changed = () => { clearTimeout(timer); timer = setTimeout(store, WAIT); };
  const forgetOlder = (draft) => { older.splice(older.indexOf(draft), 1); keep(`${key}.older`, older); };
  const resolve = () => showConflicts(places, form, folder, changed);
  const offer = (draft) => showOlder(places, form, folder, draft, {
    discard() { forgetOlder(draft); },
    take() {
      const present = snapshot();
      folder.all.forEach((file) => file.reset());
      apply(draft);
      forgetOlder(draft);
      if (Object.keys(present.files).length) { older.push(present); keep(`${key}.older`, older); offer(present); }
      store();
      resolve();
    },
  });

  const kept = read(key);
  if ("refused" in form.dataset) {
    for (const file of folder.all) {
      const before = kept?.files[file.path];
      if (before && before.was === file.was.value) file.base = before.base;
    }
    store();
    resolve();
  } else if (kept && JSON.stringify(sorted(kept.digests)) !== JSON.stringify(sorted(digests()))) {
    older.push(kept);
    if (keep(`${key}.older`, older)) localStorage.removeItem(key);
  } else if (kept) {
    apply(kept);
    store();
    resolve();
  }
  older.forEach(offer);

  forget.addEventListener("click", () => {
    folder.all.forEach((file) => file.reset());
    places.querySelectorAll("[data-conflicting]").forEach((each) => each.remove());
    clearTimeout(timer);
    store();
  });
  fields.forEach((field) => field.addEventListener("input", changed));
  // Whoever leaves within that time loses nothing.
  addEventListener("pagehide", () => { if (timer) { clearTimeout(timer); store(); } });
  return {
    changed,
    // The draft goes when the server has taken it, which the page that follows knows (main.js).
    saved() { clearTimeout(timer); store(); sessionStorage.setItem("hookledger.saved", key); },
  };
}

const sorted = (members) => Object.entries(members ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));

function keep(key, value) {
  try {
    if (value.length === 0) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify(value));
    return true;
  } catch { return false; }
}

function read(key) {
  try { return JSON.parse(localStorage.getItem(key)); } catch { return null; }
}
