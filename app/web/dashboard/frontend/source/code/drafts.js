// A draft is kept in this browser, with what it was made from: a draft of an older version is offered
// rather than put in the place of a newer one.
import { replaceAll } from "./texts.js";

const WAIT = 400;

export function keepDraft(form, views) {
  const key = `hookledger.draft.${form.dataset.editor}`;
  const original = form.elements.script.value;
  const digest = form.elements.digest?.value ?? "";
  const state = form.querySelector("[data-draft-state]");
  const forget = form.querySelector("[data-forget]");
  let timer;

  const say = (text, kept) => { state.textContent = text; forget.hidden = !kept; };
  const store = () => {
    const script = form.elements.script.value;
    if (script === original) { localStorage.removeItem(key); say("", false); return; }
    try {
      localStorage.setItem(key, JSON.stringify({ script, digest, at: Date.now() }));
      say("Draft kept in this browser", true);
    } catch {
      say("This browser cannot keep the draft", true);
    }
  };

  const kept = read(key);
  if (kept && kept.script !== original) {
    replaceAll(views.script, kept.script);
    say(kept.digest === digest ? "Draft kept in this browser" : "Your draft is of an older version", true);
    clearTimeout(timer);
  }
  forget.addEventListener("click", () => {
    replaceAll(views.script, original);
    clearTimeout(timer);
    localStorage.removeItem(key);
    say("", false);
  });
  return {
    changed() { clearTimeout(timer); timer = setTimeout(store, WAIT); },
    // The draft goes when the server has taken it, which the page that follows knows (main.js).
    saved() { clearTimeout(timer); store(); sessionStorage.setItem("hookledger.saved", key); },
  };
}

function read(key) {
  try { return JSON.parse(localStorage.getItem(key)); } catch { return null; }
}
