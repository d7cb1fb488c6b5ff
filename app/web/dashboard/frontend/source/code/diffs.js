// Two texts, and what differs: side by side where there is room.
import { EditorState } from "@codemirror/state";
import { EditorView, highlightSpecialChars, lineNumbers } from "@codemirror/view";
import { foldGutter } from "@codemirror/language";
import { MergeView, unifiedMergeView } from "@codemirror/merge";
import { languageOf, looks, nonce } from "./looks.js";

export const reading = [lineNumbers(), highlightSpecialChars(), foldGutter(), EditorState.readOnly.of(true), EditorView.editable.of(false)];

export function compare(holder, before, after, language, [first, second] = ["Before", "After"]) {
  const extensions = [reading, looks, nonce, languageOf(language)];
  const named = (label) => EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" });
  if (matchMedia("(max-width: 56rem)").matches) {
    const unified = unifiedMergeView({ original: before, mergeControls: false, collapseUnchanged: {} });
    new EditorView({ doc: after, parent: holder, extensions: [extensions, unified, named(`${first}, and ${second}`)] });
    return;
  }
  new MergeView({
    a: { doc: before, extensions: [extensions, named(first)] },
    b: { doc: after, extensions: [extensions, named(second)] },
    parent: holder,
    collapseUnchanged: { margin: 3, minSize: 6 },
  });
}
