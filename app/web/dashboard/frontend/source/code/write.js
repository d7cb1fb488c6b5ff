// A text field becomes an editor; the field goes on to hold the text, so that forms send it.
import { EditorState } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, keymap, lineNumbers } from "@codemirror/view";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit } from "@codemirror/language";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { lintGutter } from "@codemirror/lint";
import { languageOf, looks, nonce } from "./looks.js";

const writing = [
  lineNumbers(), highlightSpecialChars(), history(), foldGutter(), drawSelection(), indentOnInput(),
  bracketMatching(), closeBrackets(), autocompletion(), highlightActiveLine(), highlightActiveLineGutter(),
  highlightSelectionMatches(), lintGutter(),
];

// Tab moves on for whoever came here by it: it indents only once something was typed or clicked.
const keys = keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...foldKeymap, ...completionKeymap, indentWithTab]);

// Chromium gives what is typed over coloured text its colour, as an inline style that the page's policy
// forbids; so that text is put in its place here.
const typingOver = EditorView.domEventHandlers({
  beforeinput(event, view) {
    if (event.inputType !== "insertText" || event.isComposing || !event.data) return false;
    const [from, to] = replaced(view);
    if (from === to) return false;
    event.preventDefault();
    const put = () => view.state.update({ changes: { from, to, insert: event.data }, selection: { anchor: from + event.data.length }, userEvent: "input.type", scrollIntoView: true });
    if (!view.state.facet(EditorView.inputHandler).some((handle) => handle(view, from, to, event.data, put))) view.dispatch(put());
    return true;
  },
});

// What is selected; the browser may know of it before the editor does.
function replaced(view) {
  const { from, to } = view.state.selection.main;
  const { anchorNode, anchorOffset, focusNode, focusOffset, isCollapsed } = document.getSelection();
  const inside = view.contentDOM.contains(anchorNode) && view.contentDOM.contains(focusNode);
  if (from !== to || isCollapsed || !inside) return [from, to];
  return [view.posAtDOM(anchorNode, anchorOffset), view.posAtDOM(focusNode, focusOffset)].sort((one, other) => one - other);
}

export function write(area, language, run, changed) {
  const name = ["aria-labelledby", "aria-label"].find((each) => area.hasAttribute(each));
  const view = new EditorView({
    doc: area.value,
    extensions: [
      keymap.of([{ key: "Mod-Enter", run: () => (run(), true) }]),
      keys, writing, typingOver, looks, nonce, languageOf(language), indentUnit.of(language === "python" ? "    " : "  "), EditorState.tabSize.of(4),
      EditorView.contentAttributes.of({ [name]: area.getAttribute(name), spellcheck: "false", tabindex: "0" }),
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

// Puts another text in the place of all of it, as one step that can be undone.
export function replaceAll(view, text) {
  view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
}
