// What is wrong stands on its line, in whichever file that is.
import { EditorView } from "@codemirror/view";
import { setDiagnostics } from "@codemirror/lint";

export function mark(folder, payload, result) {
  const found = new Map([...folder.all.map((file) => file.view), payload].filter(Boolean).map((view) => [view, []]));
  result.querySelectorAll("[data-problem-line]").forEach(({ dataset: { problemLine, problemIn, problem } }) => {
    const view = problemIn === "payload" ? payload : (problemIn ? folder.named(problemIn) : folder.script)?.open();
    if (!view) return;
    const { doc } = view.state;
    const line = doc.line(Math.min(Math.max(Number(problemLine), 1), doc.lines));
    found.set(view, [...found.get(view) ?? [], { from: line.from, to: line.to, severity: "error", message: problem }]);
  });
  for (const [view, problems] of found) {
    view.dispatch(setDiagnostics(view.state, problems));
    if (problems.length) view.dispatch({ effects: EditorView.scrollIntoView(problems[0].from, { y: "center" }) });
  }
}
