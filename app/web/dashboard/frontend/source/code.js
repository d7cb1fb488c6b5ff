// Code with colours: shown, compared, and written.
import { EditorView } from "@codemirror/view";
import { compare, reading } from "./code/diffs.js";
import { languageOf, looks, nonce } from "./code/looks.js";
import { startEditor } from "./code/editor.js";

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

function showDifference(holder) {
  const [before, after] = ["before", "after"].map((side) => holder.querySelector(`[data-${side}]`).textContent);
  holder.replaceChildren();
  holder.removeAttribute("data-diff");
  compare(holder, before, after, holder.dataset.language);
}

function start(root) {
  if (root.matches?.("[data-code]")) show(root);
  root.querySelectorAll("[data-code]").forEach(show);
  root.querySelectorAll("[data-diff]").forEach(showDifference);
}

start(document);
document.querySelectorAll("[data-editor]").forEach(startEditor);
document.addEventListener("htmx:load", (event) => start(event.target));
