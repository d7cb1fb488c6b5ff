// The editor: drafts are kept in this browser until they are saved; what is wrong stands on its line.
import { EditorState } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, keymap, lineNumbers } from "@codemirror/view";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit } from "@codemirror/language";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { lintGutter, setDiagnostics } from "@codemirror/lint";
import { languageOf, looks, nonce } from "./looks.js";
import { keepDraft } from "./drafts.js";
import { addFile } from "./files.js";
import { startPayloads } from "./payloads.js";

const writing = [
  lineNumbers(), highlightSpecialChars(), history(), foldGutter(), drawSelection(), indentOnInput(),
  bracketMatching(), closeBrackets(), autocompletion(), highlightActiveLine(), highlightActiveLineGutter(),
  highlightSelectionMatches(), lintGutter(),
];

// Tab moves on for whoever came here by it: it indents only once something was typed or clicked.
const keys = keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...foldKeymap, ...completionKeymap, indentWithTab]);

function write(area, run, changed) {
  const spaces = area.dataset.write === "python" ? "    " : "  ";
  const view = new EditorView({
    doc: area.value,
    extensions: [
      keymap.of([{ key: "Mod-Enter", run: () => (run(), true) }]),
      keys, writing, looks, nonce, languageOf(area.dataset.write), indentUnit.of(spaces), EditorState.tabSize.of(4),
      EditorView.contentAttributes.of({ "aria-labelledby": area.getAttribute("aria-labelledby"), spellcheck: "false", tabindex: "0" }),
      EditorView.updateListener.of((update) => {
        if (!update.docChanged) return;
        area.value = update.state.doc.toString();
        changed();
      }),
    ],
  });
  const holder = document.createElement("div");
  holder.className = "source";
  holder.append(view.dom);
  area.hidden = true;
  area.after(holder);
  return view;
}

function mark(views, result) {
  const found = { script: [], payload: [] };
  result.querySelectorAll("[data-problem-line]").forEach((problem) => {
    const place = problem.dataset.problemIn === "payload" ? "payload" : problem.dataset.problemIn === "secrets" || problem.dataset.problemIn === "packages" ? null : "script";
    if (!place) return;
    const { doc } = views[place].state;
    const line = doc.line(Math.min(Math.max(Number(problem.dataset.problemLine), 1), doc.lines));
    found[place].push({ from: line.from, to: line.to, severity: "error", message: problem.dataset.problem });
  });
  for (const [place, problems] of Object.entries(found)) {
    views[place].dispatch(setDiagnostics(views[place].state, problems));
    if (problems.length) views[place].dispatch({ effects: EditorView.scrollIntoView(problems[0].from, { y: "center" }) });
  }
}

export function startEditor(form) {
  const run = () => form.querySelector("[data-run]")?.click();
  const views = {};
  let draft;
  const changed = () => draft?.changed();
  for (const place of ["script", "payload"]) views[place] = write(form.elements[place], run, changed);
  draft = keepDraft(form, views);
  const refusal = document.querySelector("[data-refusal]");
  if (refusal) mark(views, refusal);
  const payloads = startPayloads(form, views.payload);
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
    // Enter in a field of a dialog that is closed, or beside one, saves nothing.
    else if (event.key === "Enter" && event.target.matches("input") && !event.target.closest("dialog")) event.preventDefault();
  });
  form.addEventListener("submit", () => draft.saved());
  document.getElementById("result").addEventListener("htmx:afterSwap", (event) => {
    mark(views, event.target);
    payloads.ran();
    event.target.querySelector("[data-fixture]")?.addEventListener("click", ({ currentTarget: button }) => {
      addFile(form, button.dataset.path, button.dataset.fixture).focus();
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
