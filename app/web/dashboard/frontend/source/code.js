// Code with colours: shown, compared, and written.
import { EditorState } from "@codemirror/state";
import { EditorView, lineNumbers, highlightSpecialChars } from "@codemirror/view";
import { foldGutter } from "@codemirror/language";
import { MergeView, unifiedMergeView } from "@codemirror/merge";
import { languageOf, looks, nonce } from "./code/looks.js";
import { startEditor } from "./code/editor.js";

const reading = [lineNumbers(), highlightSpecialChars(), foldGutter(), EditorState.readOnly.of(true), EditorView.editable.of(false)];

function show(pre) {
  const view = new EditorView({
    doc: pre.textContent,
    extensions: [reading, looks, nonce, languageOf(pre.dataset.language), EditorView.contentAttributes.of({ "aria-label": pre.getAttribute("aria-label") ?? "Code", tabindex: "0" })],
  });
  const holder = document.createElement("div");
  holder.className = pre.className;
  holder.append(view.dom);
  pre.hidden = true;
  pre.removeAttribute("data-code");
  pre.after(holder);
  goToLine(view);
}

// `#L12` in the address leads to line 12.
function goToLine(view) {
  const wanted = Number(/^#L(\d+)$/.exec(location.hash)?.[1]);
  if (!wanted || wanted > view.state.doc.lines) return;
  const line = view.state.doc.line(wanted);
  view.dispatch({ selection: { anchor: line.from, head: line.to }, effects: EditorView.scrollIntoView(line.from, { y: "center" }) });
}

function compare(holder) {
  const [before, after] = ["before", "after"].map((side) => holder.querySelector(`[data-${side}]`).textContent);
  const extensions = [reading, looks, nonce, languageOf(holder.dataset.language)];
  const named = (label) => EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" });
  holder.replaceChildren();
  holder.removeAttribute("data-diff");
  if (matchMedia("(max-width: 56rem)").matches) {
    const unified = unifiedMergeView({ original: before, mergeControls: false, collapseUnchanged: {} });
    new EditorView({ doc: after, parent: holder, extensions: [extensions, unified, named("What changed")] });
    return;
  }
  new MergeView({
    a: { doc: before, extensions: [extensions, named("Before")] },
    b: { doc: after, extensions: [extensions, named("After")] },
    parent: holder,
    collapseUnchanged: { margin: 3, minSize: 6 },
  });
}

function start(root) {
  if (root.matches?.("[data-code]")) show(root);
  root.querySelectorAll("[data-code]").forEach(show);
  root.querySelectorAll("[data-diff]").forEach(compare);
}

start(document);
document.querySelectorAll("[data-editor]").forEach(startEditor);
document.addEventListener("htmx:load", (event) => start(event.target));
