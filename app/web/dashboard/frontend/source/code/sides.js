// A draft beside what others made of the same file meanwhile: shown, and put together.
import { Text } from "@codemirror/state";
import { Chunk } from "@codemirror/merge";
import { compare } from "./diffs.js";
import { languageOfFile } from "./looks.js";

export function showSides(holder, { path, base, now, mine }) {
  const pairs = base === undefined || base === now
    ? [["what your draft makes of it", "There now", now, "Your draft", mine]]
    : [["what others made of it", "Both began with", base, "There now", now], ["what your draft makes of it", "Both began with", base, "Your draft", mine]];
  for (const [title, first, before, second, after] of pairs) {
    const heading = document.createElement("p");
    heading.append(Object.assign(document.createElement("code"), { textContent: path }), `: ${title}`);
    const heads = document.createElement("div");
    heads.className = "diff-heads";
    for (const head of [first, second]) heads.append(Object.assign(document.createElement("span"), { textContent: head }));
    const diff = document.createElement("div");
    diff.className = "diff";
    holder.append(heading, heads, diff);
    compare(diff, before, after, languageOfFile(path), [first, second]);
  }
}

const END = "\n\0";

// Returns both changes in one text; null where they are of the same or neighbouring lines.
export function together(base, mine, theirs) {
  const [from, ...sides] = [base, mine, theirs].map((text) => Text.of((text + END).split("\n")));
  const changes = sides
    .flatMap((side) => Chunk.build(from, side).map((chunk) => ({ from: chunk.fromA, to: chunk.toA, text: side.sliceString(chunk.fromB, chunk.toB) })))
    .sort((a, b) => a.from - b.from || a.to - b.to);
  const same = (a, b) => a.from === b.from && a.to === b.to && a.text === b.text;
  const kept = changes.filter((change, place) => !place || !same(change, changes[place - 1]));
  if (kept.some((change, place) => place && change.from <= kept[place - 1].to)) return null;
  let [text, at] = ["", 0];
  for (const change of kept) {
    text += from.sliceString(at, change.from) + change.text;
    at = change.to;
  }
  return (text + from.sliceString(at)).slice(0, -END.length);
}
