// Puts another text in the place of all of it, as one step that can be undone.
export function replaceAll(view, text) {
  view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
}
